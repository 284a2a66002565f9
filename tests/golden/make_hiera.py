"""Makes the golden file of Hiera with the authors' package.

    python tests/golden/make_hiera.py

See `oracles` for what it needs, and hiera-transformer 0.1.4. Frames are not square, and
every kind of block is there: within mask units, pooling within them, and global.
"""

import pathlib

import numpy as np
import oracles
import torch

HERE = pathlib.Path(__file__).parent
SIZE = (6, 32, 48)


def main() -> None:
    oracles.torchvision_models()
    from hiera import Hiera

    net = Hiera(
        input_size=SIZE,
        embed_dim=6,
        num_heads=1,
        num_classes=5,
        stages=(1, 1, 2),
        q_pool=2,
        q_stride=(1, 2, 2),
        mask_unit_size=(1, 4, 4),
        mask_unit_attn=(True, True, False),
        patch_kernel=(3, 7, 7),
        patch_stride=(2, 4, 4),
        patch_padding=(1, 3, 3),
        sep_pos_embed=True,
    )
    oracles.randomize(net, seed=1)
    net.eval()
    # Its classifier answers with shares of one in testing; take what comes before.
    tokens = []
    net.norm.register_forward_hook(lambda module, given, out: tokens.append(out))
    video = np.random.default_rng(2).normal(size=(1, *SIZE, 3)).astype(np.float32)
    with torch.no_grad():
        _, stages = net(
            torch.from_numpy(video).permute(0, 4, 1, 2, 3), return_intermediates=True
        )
    golden = oracles.arrays(net, "weights/") | {"video": video}
    golden["token"] = tokens[0].numpy()
    golden |= {f"stage{i}": stage.numpy() for i, stage in enumerate(stages, 1)}
    np.savez_compressed(HERE / "hiera.npz", **golden)


if __name__ == "__main__":
    main()
