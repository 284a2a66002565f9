"""Makes the golden file of MViT v1 and v2 with torchvision's implementation.

    python tests/golden/make_mvit.py

See `oracles` for what it needs. Frames are not square and grids are odd, so that tables
of relative positions must be resized and distances are no whole numbers.
"""

import pathlib

import numpy as np
import oracles
import torch

HERE = pathlib.Path(__file__).parent
SIZE = (6, 28, 20)  # tokens: 3 x 7 x 5, then 3 x 4 x 3, then 3 x 2 x 2
STRIDES = ([1, 4, 4], [1, 2, 2], [1, 1, 1])


def network(version: int) -> torch.nn.Module:
    mvit = oracles.torchvision_models().video.mvit
    second = version == 2
    before, after = ([8, 8, 16], [8, 16, 32]) if second else ([8, 16, 32], [16, 32, 32])
    settings = [
        mvit.MSBlockConfig(
            num_heads=2**index,
            input_channels=before[index],
            output_channels=after[index],
            kernel_q=[3, 3, 3] if index or second else [],
            kernel_kv=[3, 3, 3],
            stride_q=[1, 2, 2] if index else ([1, 1, 1] if second else []),
            stride_kv=STRIDES[index],
        )
        for index in range(3)
    ]
    return mvit.MViT(
        spatial_size=SIZE[1:],
        temporal_size=SIZE[0],
        block_setting=settings,
        residual_pool=second,
        residual_with_cls_embed=False,
        rel_pos_embed=second,
        proj_after_attn=second,
        num_classes=5,
    )


def main() -> None:
    video = np.random.default_rng(2).normal(size=(1, *SIZE, 3)).astype(np.float32)
    golden = {"video": video}
    for version in (1, 2):
        net = network(version)
        oracles.randomize(net, seed=version)
        net.eval()
        tokens = []
        net.norm.register_forward_hook(lambda *given, kept=tokens: kept.append(given))
        with torch.no_grad():
            net(torch.from_numpy(video).permute(0, 4, 1, 2, 3))
        golden |= oracles.arrays(net, f"v{version}/")
        golden[f"v{version}_tokens"] = tokens[0][2].numpy()
    np.savez_compressed(HERE / "mvit.npz", **golden)


if __name__ == "__main__":
    main()
