"""Makes the golden file of an image FocalNet with transformers' implementation.

    python tests/golden/make_focalnet.py

See `oracles` for what it needs, and transformers 5.18. A Video-FocalNet whose contexts
over time are one is this network, frame by frame. Names are turned into the authors'.
"""

import pathlib
import re

import numpy as np
import oracles
import torch

HERE = pathlib.Path(__file__).parent
NAMES = (
    ("focalnet.encoder.stages", "layers"),
    (r"(layers\.\d+)\.layers", r"\1.blocks"),
    ("focalnet.embeddings.patch_embeddings.projection", "patch_embed.proj"),
    ("focalnet.embeddings.norm", "patch_embed.norm"),
    ("focalnet.layernorm", "norm"),
    ("projection_in", "f"),
    ("projection_context", "h"),
    ("projection_out", "proj"),
    ("downsample.projection", "downsample.proj"),
    ("classifier", "head"),
)


def authors(name: str) -> str:
    for theirs, ours in NAMES:
        name = re.sub(theirs, ours, name)
    return name


def main() -> None:
    oracles.torchvision_models()
    from transformers import FocalNetConfig, FocalNetForImageClassification

    config = FocalNetConfig(
        image_size=(24, 16),
        patch_size=4,
        embed_dim=6,
        hidden_sizes=[6, 12],
        depths=[1, 2],
        focal_levels=[2, 2],
        focal_windows=[3, 3],
        num_labels=5,
    )
    net = FocalNetForImageClassification(config)
    oracles.randomize(net, seed=1)
    net.eval()
    images = np.random.default_rng(2).normal(size=(3, 24, 16, 3)).astype(np.float32)
    with torch.no_grad():
        out = net.focalnet(torch.from_numpy(images).permute(0, 3, 1, 2))
    golden = {
        f"weights/{authors(name)}": array for name, array in oracles.arrays(net).items()
    }
    golden["video"] = images[None]
    golden["features"] = out.last_hidden_state.numpy()
    np.savez_compressed(HERE / "focalnet.npz", **golden)


if __name__ == "__main__":
    main()
