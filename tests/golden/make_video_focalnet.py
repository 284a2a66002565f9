"""Makes the golden file of Video-FocalNet from its equations, in NumPy alone.

    python tests/golden/make_video_focalnet.py

No package has this network; make_focalnet.py has its part in frames from one. Every
convolution is a sum over shifted copies in float64; channels come first, as in the
authors' code, whose names the weights have.
"""

import math
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).parent
WIDTH, DEPTHS, LEVELS = 6, (1, 2), 2
PATCH = (2, 4, 4)
erf = np.vectorize(math.erf)


def gelu(x):
    return 0.5 * x * (1 + erf(x / math.sqrt(2)))


def weights(random):
    """Random weights by the authors' names, in half precision."""
    made = {}

    def linear(name, o, i, *window, bias=True):
        fan = i * math.prod(window)
        made[f"{name}.weight"] = random.normal(size=(o, i, *window)) * fan**-0.5
        if bias:
            made[f"{name}.bias"] = 0.2 * random.normal(size=o)

    def norm(name, c):
        made[f"{name}.weight"] = 1 + 0.2 * random.normal(size=c)
        made[f"{name}.bias"] = 0.2 * random.normal(size=c)

    linear("patch_embed.proj", WIDTH, 3, *PATCH)
    norm("patch_embed.norm", WIDTH)
    for stage, depth in enumerate(DEPTHS):
        c = WIDTH * 2**stage
        for block in range(depth):
            name = f"layers.{stage}.blocks.{block}"
            norm(f"{name}.norm1", c)
            norm(f"{name}.norm2", c)
            linear(f"{name}.mlp.fc1", 4 * c, c)
            linear(f"{name}.mlp.fc2", c, 4 * c)
            name += ".modulation"
            linear(f"{name}.f", 2 * c + LEVELS + 1, c)
            linear(f"{name}.h", c, c, 1, 1)
            linear(f"{name}.f_temporal", c + LEVELS + 1, c)
            linear(f"{name}.h_temporal", c, c, 1)
            linear(f"{name}.proj", c, c)
            for level in range(LEVELS):
                k = 3 + 2 * level
                layer = f"{name}.focal_layers.{level}.0"
                linear(layer, c, 1, k, k, bias=False)
                layer = f"{name}.focal_layers_temporal.{level}.0"
                linear(layer, c, c, k, bias=False)
        if stage + 1 < len(DEPTHS):
            linear(f"layers.{stage}.downsample.proj", 2 * c, c, 2, 2)
            norm(f"layers.{stage}.downsample.norm", 2 * c)
    norm("norm", WIDTH * 2 ** (len(DEPTHS) - 1))
    linear("head", 5, WIDTH * 2 ** (len(DEPTHS) - 1))
    return {name: array.astype(np.float16) for name, array in made.items()}


class Net:
    """The network of one clip ``[c t h w]``."""

    def __init__(self, arrays):
        self.arrays = {name: x.astype(np.float64) for name, x in arrays.items()}

    def linear(self, name, x):
        weight = self.arrays[f"{name}.weight"]
        weight = weight.reshape(weight.shape[:2])
        bias = self.arrays[f"{name}.bias"]
        return np.einsum("oi,ithw->othw", weight, x) + bias[:, None, None, None]

    def norm(self, name, x):
        mean, var = x.mean(axis=0), x.var(axis=0)
        x = (x - mean) / np.sqrt(var + 1e-5)
        scale, bias = (self.arrays[f"{name}.{leaf}"] for leaf in ("weight", "bias"))
        return x * scale[:, None, None, None] + bias[:, None, None, None]

    def cut(self, name, x, patch):
        """A convolution whose stride is its window."""
        p, q, r = patch
        c, t, h, w = x.shape
        weight = self.arrays[f"{name}.weight"].reshape(-1, c, p, q, r)
        x = x.reshape(c, t // p, p, h // q, q, w // r, r)
        x = np.einsum("cipjqkr,ocpqr->oijk", x, weight)
        return x + self.arrays[f"{name}.bias"][:, None, None, None]

    def in_frames(self, name, x):
        weight = self.arrays[f"{name}.weight"][:, 0]
        k = weight.shape[-1]
        c, t, h, w = x.shape
        wide = np.pad(x, ((0, 0), (0, 0), (k // 2, k // 2), (k // 2, k // 2)))
        return sum(
            weight[:, i, j, None, None, None] * wide[:, :, i : i + h, j : j + w]
            for i in range(k)
            for j in range(k)
        )

    def over_time(self, name, x):
        weight = self.arrays[f"{name}.weight"]
        k, t = weight.shape[-1], x.shape[1]
        wide = np.pad(x, ((0, 0), (k // 2, k // 2), (0, 0), (0, 0)))
        return sum(
            np.einsum("oi,ithw->othw", weight[:, :, i], wide[:, i : i + t])
            for i in range(k)
        )

    def modulation(self, name, x):
        c = len(x)
        parts = self.linear(f"{name}.f", x)
        query, context, gates = parts[:c], parts[c : 2 * c], parts[2 * c :]
        space = 0
        for level in range(LEVELS):
            layer = f"{name}.focal_layers.{level}.0"
            context = gelu(self.in_frames(layer, context))
            space = space + gates[level] * context
        space = space + gates[LEVELS] * gelu(context.mean(axis=(2, 3), keepdims=True))
        parts = self.linear(f"{name}.f_temporal", x)
        context, gates = parts[:c], parts[c:]
        time = 0
        for level in range(LEVELS):
            layer = f"{name}.focal_layers_temporal.{level}.0"
            context = gelu(self.over_time(layer, context))
            time = time + gates[level] * context
        time = time + gates[LEVELS] * gelu(context.mean(axis=1, keepdims=True))
        space, time = (
            self.linear(f"{name}.h", space),
            self.linear(f"{name}.h_temporal", time),
        )
        return self.linear(f"{name}.proj", query * space * time)

    def __call__(self, x):
        x = self.norm("patch_embed.norm", self.cut("patch_embed.proj", x, PATCH))
        for stage, depth in enumerate(DEPTHS):
            for block in range(depth):
                name = f"layers.{stage}.blocks.{block}"
                x = x + self.modulation(
                    f"{name}.modulation", self.norm(f"{name}.norm1", x)
                )
                y = self.linear(f"{name}.mlp.fc1", self.norm(f"{name}.norm2", x))
                x = x + self.linear(f"{name}.mlp.fc2", gelu(y))
            if stage + 1 < len(DEPTHS):
                name = f"layers.{stage}.downsample"
                x = self.norm(f"{name}.norm", self.cut(f"{name}.proj", x, (1, 2, 2)))
        return self.norm("norm", x)


def main() -> None:
    random = np.random.default_rng(3)
    arrays = weights(random)
    net = Net(arrays)
    video = random.normal(size=(2, 10, 24, 16, 3)).astype(np.float16)
    features = np.stack(
        [net(clip.transpose(3, 0, 1, 2).astype(np.float64)) for clip in video]
    ).transpose(0, 2, 3, 4, 1)
    golden = {f"weights/{name}": array for name, array in arrays.items()}
    golden |= {"video": video, "features": features.astype(np.float32)}
    np.savez_compressed(HERE / "video_focalnet.npz", **golden)


if __name__ == "__main__":
    main()
