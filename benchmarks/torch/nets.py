"""The torch side's nets: public implementations, none of whose weights is 0 or 1.

Each is made for clips of so many frames of so many pixels and so many classes, drops
nothing in training, and is written under the names that its authors' files have.
"""

import dataclasses
import importlib
import pathlib
import sys
from collections.abc import Callable

import torch
from safetensors.torch import save_file

# Libraries that need a hand get it where the golden files are made.
sys.path.append(str(pathlib.Path(__file__).parents[2] / "tests" / "golden"))

import oracles  # noqa: E402


class Public(torch.nn.Module):
    """A public network with random weights: video [b t c h w] to logits [b y]."""

    def __init__(
        self, net: torch.nn.Module, call: Callable, layout: torch.memory_format
    ) -> None:
        super().__init__()
        self.net, self._call = net.to(memory_format=layout), call
        oracles.randomize(net, seed=0, std=0.02)
        for module in net.modules():
            if hasattr(module, "p"):  # dropout, drop path
                module.p = 0.0

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        return self._call(self.net, video)

    def write(self, folder: str) -> None:
        """Writes the weights under the public names."""
        state = {k: v.contiguous() for k, v in self.net.state_dict().items()}
        save_file(state, f"{folder}/weights.safetensors")


@dataclasses.dataclass(frozen=True)
class Net:
    """Whose implementation it is, and how it is made, of (frames, size, classes).

    Attributes:
      package: of PyPI.
      make: returns the network.
      call: runs it on a video [b t c h w].
      layout: of its weights, the one in which it is faster on a CPU.
    """

    package: str
    make: Callable[[int, int, int], torch.nn.Module]
    call: Callable = lambda net, video: net(video.transpose(1, 2))
    layout: torch.memory_format = torch.contiguous_format

    def build(self, *sizes: int) -> torch.nn.Module:
        """Returns the network behind one interface, see `Public`."""
        oracles.torchvision_models()  # what the others import in passing
        return Public(self.make(*sizes), self.call, self.layout)


@dataclasses.dataclass(frozen=True)
class Own:
    """A file of this folder, whose ``Net`` is of the package's layers alone."""

    package: str
    file: str

    def build(self, *sizes: int) -> torch.nn.Module:
        """Returns the network."""
        return importlib.import_module(self.file).Net(*sizes)


def slowfast(frames: int, size: int, classes: int) -> torch.nn.Module:
    from pytorchvideo.models.slowfast import create_slowfast

    place = (size // 32, size // 32)
    return create_slowfast(
        model_num_class=classes,
        head_pool_kernel_sizes=((frames // 4, *place), (frames, *place)),
    )


def ir_csn(frames: int, size: int, classes: int) -> torch.nn.Module:
    from pytorchvideo.models.csn import create_csn

    net = create_csn(
        model_num_class=classes,
        stem_pool=torch.nn.MaxPool3d,
        head_pool_kernel_size=(frames // 8, size // 32, size // 32),
    )
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.eps = 1e-3  # as published; its stages let no norm say so
    return net


def mmaction(backbone: str, width: int = 2048, **fields) -> Callable:
    """Makes a backbone of mmaction2 and its classifier, under the names of its files.

    "frames" among the fields' values stands for their number.
    """

    def make(frames: int, size: int, classes: int) -> torch.nn.Module:
        made = {k: frames if v == "frames" else v for k, v in fields.items()}
        net = getattr(oracles.mmaction(), backbone)(
            depth=50, pretrained=None, norm_eval=False, **made
        )
        head = torch.nn.ModuleDict({"fc_cls": torch.nn.Linear(width, classes)})
        return torch.nn.ModuleDict({"backbone": net, "cls_head": head})

    return make


def of_clips(net: torch.nn.ModuleDict, video: torch.Tensor) -> torch.Tensor:
    out = net["backbone"](video.transpose(1, 2))
    return net["cls_head"]["fc_cls"](out.mean((2, 3, 4)))


def of_frames(net: torch.nn.ModuleDict, video: torch.Tensor) -> torch.Tensor:
    out = net["backbone"](video.flatten(0, 1)).mean((2, 3))
    return net["cls_head"]["fc_cls"](out.unflatten(0, (len(video), -1)).mean(1))


def video_swin(frames: int, size: int, classes: int) -> torch.nn.Module:
    return oracles.torchvision_models().video.swin3d_t(num_classes=classes)


def mvit(frames: int, size: int, classes: int) -> torch.nn.Module:
    if (frames, size) != (16, 224):
        sys.exit("torchvision makes MViTv2-S for 16 frames of 224 alone.")
    return oracles.torchvision_models().video.mvit_v2_s(num_classes=classes)


def hiera(frames: int, size: int, classes: int) -> torch.nn.Module:
    from hiera import Hiera

    net = Hiera(
        input_size=(frames, size, size),
        num_classes=classes,
        q_stride=(1, 2, 2),
        mask_unit_size=(1, 8, 8),
        patch_kernel=(3, 7, 7),
        patch_stride=(2, 4, 4),
        patch_padding=(1, 3, 3),
        sep_pos_embed=True,
    )
    net.head.act_func = torch.nn.Identity()  # logits, not shares of one
    return net


def timesformer(frames: int, size: int, classes: int) -> torch.nn.Module:
    import transformers

    config = transformers.TimesformerConfig(
        num_hidden_layers=10, num_frames=frames, image_size=size, num_labels=classes
    )
    return transformers.TimesformerForVideoClassification(config)


def videomae(frames: int, size: int, classes: int) -> torch.nn.Module:
    import transformers

    config = transformers.VideoMAEConfig(
        num_frames=frames, image_size=size, num_labels=classes, layer_norm_eps=1e-6
    )
    net = transformers.VideoMAEForVideoClassification(config)
    net.fc_norm.eps = 1e-6  # as the authors'
    return net


def hugging_face(net: torch.nn.Module, video: torch.Tensor) -> torch.Tensor:
    return net(video).logits


def two_paths(net: torch.nn.Module, video: torch.Tensor) -> torch.Tensor:
    clip = video.transpose(1, 2)
    return net([clip[:, :, ::4], clip])


TSM = mmaction("ResNetTSM", num_segments="frames", shift_div=8)
TANET = mmaction("TANet", num_segments="frames", tam_cfg={})
IP_CSN = mmaction("ResNet3dCSN", with_pool2=False, bottleneck_mode="ip")

NETS: dict[str, Net | Own] = {
    "i3d": Own("torch", "i3d"),
    "resnet": Own("torchvision", "resnet"),
    "tsm": Net("mmaction2", TSM, of_frames),
    "tanet": Net("mmaction2", TANET, of_frames, torch.channels_last),
    "slowfast": Net("pytorchvideo", slowfast, two_paths),
    "ir_csn": Net("pytorchvideo", ir_csn),
    "ip_csn": Net("mmaction2", IP_CSN, of_clips),
    "timesformer": Net("transformers", timesformer, hugging_face),
    "video_swin": Net("torchvision", video_swin),
    "mvit": Net("torchvision", mvit),
    "hiera": Net("hiera-transformer", hiera),
    "videomae": Net("transformers", videomae, hugging_face),
}
