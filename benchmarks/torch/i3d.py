"""I3D of PyTorch's own layers; written under the public file's names."""

import pathlib
import pickle

import numpy as np
import torch
from torch import nn
from torch.nn import functional

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
POOLS = {
    "Mixed_3b": ((1, 3, 3), (1, 2, 2)),
    "Mixed_4b": ((3, 3, 3), (2, 2, 2)),
    "Mixed_5b": ((2, 2, 2), (2, 2, 2)),
}
HEAD = "Logits/Conv3d_0c_1x1"


def pool(x: torch.Tensor, window: tuple, strides: tuple) -> torch.Tensor:
    """Padding by (0, 1) where a window of 3 has stride 2; ReLU's zeros are least."""
    odd = [1 if k == 3 else 0 for k in reversed(window)]
    pads = [side for one in odd for side in (0, one)]
    return functional.max_pool3d(functional.pad(x, pads), window, strides)


class Unit(nn.Module):
    def __init__(self, inputs: int, outputs: int, window: int, stride: int = 1) -> None:
        super().__init__()
        # Public weights at stride 2 want (2, 3); a window of 1 or 3 is symmetric.
        self.pads = (2, 3) * 3 if stride == 2 else None
        padding = 0 if stride == 2 else window // 2
        self.conv = nn.Conv3d(inputs, outputs, window, stride, padding, bias=False)
        self.norm = nn.BatchNorm3d(outputs, eps=1e-3, momentum=0.01)
        self.norm.weight.requires_grad = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.pads:
            x = functional.pad(x, self.pads)
        return functional.relu(self.norm(self.conv(x)), inplace=True)


class Inception(nn.Module):
    def __init__(self, inputs: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        a, b, c, d, e, f = widths
        self.units = nn.ModuleDict(
            {
                "Branch_0/Conv3d_0a_1x1": Unit(inputs, a, 1),
                "Branch_1/Conv3d_0a_1x1": Unit(inputs, b, 1),
                "Branch_1/Conv3d_0b_3x3": Unit(b, c, 3),
                "Branch_2/Conv3d_0a_1x1": Unit(inputs, d, 1),
                "Branch_2/Conv3d_0b_3x3": Unit(d, e, 3),
                "Branch_3/Conv3d_0b_1x1": Unit(inputs, f, 1),
            }
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b0, b1a, b1b, b2a, b2b, b3 = self.units.values()
        pooled = functional.max_pool3d(x, 3, 1, 1)
        return torch.cat([b0(x), b1b(b1a(x)), b2b(b2a(x)), b3(pooled)], 1)


class Net(nn.Module):
    """Video [b t c h w] to logits [b y]."""

    def __init__(self, frames: int, size: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.ModuleDict(
            {
                "Conv3d_1a_7x7": Unit(3, 64, 7, 2),
                "Conv3d_2b_1x1": Unit(64, 64, 1),
                "Conv3d_2c_3x3": Unit(64, 192, 3),
            }
        )
        modules, inputs = {}, 192
        for name, widths in MODULES.items():
            modules[name] = Inception(inputs, widths)
            inputs = sum(widths[i] for i in (0, 2, 4, 5))
        self.mixed = nn.ModuleDict(modules)
        self.head = nn.Linear(inputs, classes)
        for module in self.modules():  # so that no bias can be lost without notice
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight)
            if isinstance(module, nn.BatchNorm3d):
                nn.init.normal_(module.bias, std=0.2)

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        x = video.transpose(1, 2).contiguous()
        first, second, third = self.stem.values()
        x = pool(first(x), (1, 3, 3), (1, 2, 2))
        x = third(second(x))
        for name, module in self.mixed.items():
            if name in POOLS:
                x = pool(x, *POOLS[name])
            x = module(x)
        x = functional.avg_pool3d(x, (2, *x.shape[3:]), 1)
        return self.head(x.mean((2, 3, 4)))

    def write(self, folder: str) -> None:
        """Writes the variables as the public file's pickle."""
        with pathlib.Path(folder, "weights.ckpt").open("wb") as file:
            pickle.dump(public(self), file, protocol=4)


def public(model: Net) -> dict:
    """The variables as the public file has them: channels last, nested dicts."""

    def array(value: torch.Tensor) -> np.ndarray:
        return value.detach().clone().numpy()

    def unit(layer: Unit) -> tuple[dict, dict]:
        kernel = array(layer.conv.weight.permute(2, 3, 4, 1, 0))
        bias = array(layer.norm.bias)
        stats = {
            "mean": array(layer.norm.running_mean)[None, None, None, None],
            "var": array(layer.norm.running_var)[None, None, None, None],
        }
        params = {"Conv_0": {"kernel": kernel}, "BatchNorm_0": {"bias": bias}}
        return params, {"BatchNorm_0": stats}

    params: dict = {}
    stats: dict = {}
    for name, layer in model.stem.items():
        params[name], stats[name] = unit(layer)
    for name, module in model.mixed.items():
        made = {branch: unit(layer) for branch, layer in module.units.items()}
        params[name] = {branch: both[0] for branch, both in made.items()}
        stats[name] = {branch: both[1] for branch, both in made.items()}
    kernel = array(model.head.weight.T)[None, None, None]
    params[HEAD] = {"Conv_0": {"kernel": kernel, "bias": array(model.head.bias)}}
    return {"params": params, "batch_stats": stats}
