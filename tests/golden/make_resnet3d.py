"""Makes the golden files of SlowFast, CSN and TANet with public implementations.

    python tests/golden/make_resnet3d.py

mmaction2's and PyTorchVideo's; see `oracles` for what it needs. Tiny networks of two
to four stages of one unit, odd sizes, random statistics.
"""

import pathlib

import numpy as np
import oracles
import torch

HERE = pathlib.Path(__file__).parent
VIDEO = (2, 8, 37, 34, 3)  # b t h w c
WIDTH = 4


def slim(layers: torch.nn.Module) -> torch.nn.Module:
    """Keeps the first unit of every stage."""
    for name, stage in list(layers.named_children()):
        if name.startswith("layer") and not name.endswith("lateral"):
            setattr(layers, name, stage[:1])
    return layers


def slowfast(models) -> torch.nn.Module:
    path = dict(type="resnet3d", depth=50, pretrained=None, norm_eval=False)
    path |= dict(conv1_stride_t=1, pool1_stride_t=1)
    slow = path | dict(
        lateral=True,
        fusion_kernel=7,
        conv1_kernel=(1, 7, 7),
        dilations=(1, 1, 1, 1),
        inflate=(0, 0, 1, 1),
        base_channels=WIDTH,
    )
    fast = path | dict(lateral=False, base_channels=WIDTH // 2, conv1_kernel=(5, 7, 7))
    net = models.ResNet3dSlowFast(
        resample_rate=4,
        speed_ratio=4,
        channel_ratio=2,
        slow_pathway=slow,
        fast_pathway=fast,
    )
    slim(net.slow_path), slim(net.fast_path)
    return net


def csn(models, mode: str) -> torch.nn.Module:
    net = models.ResNet3dCSN(
        depth=50,
        pretrained=None,
        with_pool2=False,
        bottleneck_mode=mode,
        norm_eval=False,
        bn_frozen=False,
        base_channels=WIDTH,
    )
    return slim(net)


def tanet(models) -> torch.nn.Module:
    """Two units, whose module is mmaction2's TAM and whose rest is written out."""
    from mmaction.models.common.tam import TAM

    class Unit(torch.nn.Module):
        def __init__(self, inner: int, width: int, stride: int):
            super().__init__()

            def layer(i: int, o: int, k: int, s: int = 1) -> torch.nn.ModuleDict:
                conv = torch.nn.Conv2d(i, o, k, s, k // 2, bias=False)
                return torch.nn.ModuleDict(
                    {"conv": conv, "bn": torch.nn.BatchNorm2d(o)}
                )

            self.block = torch.nn.ModuleDict(
                {
                    "conv1": layer(inner, width, 1),
                    "conv2": layer(width, width, 3, stride),
                    "conv3": layer(width, 4 * width, 1),
                    "downsample": layer(inner, 4 * width, 1, stride),
                }
            )
            self.tam = TAM(width, VIDEO[1])

        def run(self, name: str, x: torch.Tensor) -> torch.Tensor:
            part = self.block[name]
            return part["bn"](part["conv"](x))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.relu(self.run("conv1", x))
            y = torch.relu(self.run("conv2", self.tam(y)))
            return torch.relu(self.run("conv3", y) + self.run("downsample", x))

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            conv = torch.nn.Conv2d(3, WIDTH, 7, 2, 3, bias=False)
            norm = torch.nn.BatchNorm2d(WIDTH)
            self.conv1 = torch.nn.ModuleDict({"conv": conv, "bn": norm})
            self.layer1 = torch.nn.Sequential(Unit(WIDTH, WIDTH, 1))
            self.layer2 = torch.nn.Sequential(Unit(4 * WIDTH, 2 * WIDTH, 2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.relu(self.conv1["bn"](self.conv1["conv"](x)))
            x = torch.nn.functional.max_pool2d(x, 3, 2, 1)
            return self.layer2(self.layer1(x))

    return Net()


def torchvideo_slowfast() -> torch.nn.Module:
    from pytorchvideo.models.slowfast import create_slowfast

    net = create_slowfast(
        model_depth=50,
        stem_dim_outs=(WIDTH, WIDTH // 2),
        slowfast_channel_reduction_ratio=(2,),
        slowfast_fusion_conv_kernel_size=(5, 1, 1),
        model_num_class=11,
        head_pool_kernel_sizes=((2, 2, 2), (8, 2, 2)),
    )
    for block in net.blocks[1:5]:
        for path in block.multipathway_blocks:
            path.res_blocks = path.res_blocks[:1]
    return net


def main() -> None:
    models = oracles.mmaction()
    nets = {
        "slowfast": slowfast(models),
        "ip_csn": csn(models, "ip"),
        "ir_csn": csn(models, "ir"),
        "tanet": tanet(models),
        "torchvideo": torchvideo_slowfast(),
    }
    random = np.random.default_rng(5)
    video = random.normal(size=VIDEO).astype(np.float32)
    clip = torch.from_numpy(video).permute(0, 4, 1, 2, 3)
    for seed, (name, net) in enumerate(nets.items()):
        oracles.randomize(net, seed)
        torch.nn.Module.eval(net)
        with torch.no_grad():
            if name == "tanet":
                images = clip.permute(0, 2, 1, 3, 4).flatten(0, 1)
                out = net(images).unflatten(0, VIDEO[:2]).permute(0, 2, 1, 3, 4)
                outs = (out,)
            elif name == "torchvideo":
                outs = [clip[:, :, ::4], clip]
                for block in net.blocks[:5]:
                    outs = block(outs)
            else:
                outs = net(clip)
                outs = outs if isinstance(outs, tuple) else (outs,)
        prefix = "" if name == "torchvideo" else "backbone."
        golden = {
            f"weights/{key}": value
            for key, value in oracles.arrays(net, prefix).items()
        }
        golden["video"] = video
        for index, out in enumerate(outs):
            golden[f"out_{index}"] = out.permute(0, 2, 3, 4, 1).numpy()
        np.savez_compressed(HERE / f"{name}.npz", **golden)


if __name__ == "__main__":
    main()
