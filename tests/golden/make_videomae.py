"""Makes the golden file of VideoMAE with mmaction2's and transformers' implementations.

    python tests/golden/make_videomae.py

See `oracles` for what it needs, and transformers 5.18. mmaction2's frames are square;
transformers' are not, and its norms get the epsilon of the authors' code.
"""

import pathlib

import numpy as np
import oracles
import torch

HERE = pathlib.Path(__file__).parent


def mmaction() -> torch.nn.Module:
    return oracles.mmaction().VisionTransformer(
        img_size=20,
        patch_size=4,
        embed_dims=12,
        depth=2,
        num_heads=3,
        num_frames=6,
    )


def hugging_face() -> torch.nn.Module:
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification

    config = VideoMAEConfig(
        image_size=(20, 12),
        patch_size=(4, 4),
        num_frames=10,
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=48,
        num_labels=5,
        layer_norm_eps=1e-6,
    )
    net = VideoMAEForVideoClassification(config)
    net.fc_norm.eps = 1e-6
    return net


def main() -> None:
    generator = np.random.default_rng(2)
    golden = {}
    net = mmaction()
    positions = net.pos_embed.clone()
    oracles.randomize(net, seed=1)
    net.pos_embed.copy_(positions)
    net.eval()
    video = generator.normal(size=(2, 6, 20, 20, 3)).astype(np.float32)
    with torch.no_grad():
        token = net(torch.from_numpy(video).permute(0, 4, 1, 2, 3))
    golden |= oracles.arrays(net, "weights/backbone.")
    golden |= {"video": video, "token": token.numpy()}

    net = hugging_face()
    oracles.randomize(net, seed=3)
    net.eval()
    video = generator.normal(size=(2, 10, 20, 12, 3)).astype(np.float32)
    with torch.no_grad():
        logits = net(torch.from_numpy(video).permute(0, 1, 4, 2, 3)).logits
    golden |= oracles.arrays(net, "hf/")
    golden |= {"hf_video": video, "hf_logits": logits.numpy()}
    np.savez_compressed(HERE / "videomae.npz", **golden)


if __name__ == "__main__":
    main()
