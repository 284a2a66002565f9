"""Makes the golden file of Video Swin with mmaction2's implementation.

    python tests/golden/make_video_swin.py

See `oracles` for what it needs. Odd sizes: windows that need filling, a shift along all
axes, and a clip so short that the window shrinks in time.
"""

import pathlib

import numpy as np
import oracles
import torch

HERE = pathlib.Path(__file__).parent
SIZES = dict(embed_dims=6, depths=[2, 2], num_heads=[1, 2])


def main() -> None:
    models = oracles.mmaction()
    net = models.SwinTransformer3D(arch=SIZES, window_size=(2, 3, 3), out_indices=(1,))
    oracles.randomize(net, seed=1)
    net.eval()
    generator = np.random.default_rng(2)
    golden = oracles.arrays(net, "weights/backbone.")
    for name, shape in (("clip", (2, 5, 30, 22, 3)), ("short", (1, 2, 30, 22, 3))):
        video = generator.normal(size=shape).astype(np.float32)
        with torch.no_grad():
            out = net(torch.from_numpy(video).permute(0, 4, 1, 2, 3))
        golden[name] = video
        golden[f"{name}_features"] = out.permute(0, 2, 3, 4, 1).numpy()
    np.savez_compressed(HERE / "video_swin.npz", **golden)


if __name__ == "__main__":
    main()
