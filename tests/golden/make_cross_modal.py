"""Makes the golden numbers of MMTM, DSFM, TIAM and MFFM: the equations, in torch.

Written from the equations with loops and explicit blocks, channels first, as little
alike to the project's modules as can be. Needs torch, which the project does not:

    python tests/golden/make_cross_modal.py
"""

import pathlib

import numpy as np
import torch
from torch import nn

HERE = pathlib.Path(__file__).parent


def average(x: torch.Tensor) -> torch.Tensor:
    """Over all axes but the first two, if there are any."""
    return x.reshape(*x.shape[:2], -1).mean(2)


class Mmtm(nn.Module):
    def __init__(self, channels: list[int], variant: str) -> None:
        super().__init__()
        self.variant = variant
        hidden = int(2 * sum(channels) / 4)
        self.squeeze = nn.Linear(sum(channels), hidden)
        self.excite = nn.ModuleList(nn.Linear(hidden, c) for c in channels)

    def forward(self, *streams):
        joint = torch.cat([average(x) for x in streams], 1)
        z = self.squeeze(joint)
        if self.variant == "code":
            z = z.relu()
        results = []
        for x, layer in zip(streams, self.excite, strict=True):
            gate = layer(z).sigmoid() * (2 if self.variant == "paper" else 1)
            results.append(x * gate.reshape(*gate.shape, *[1] * (x.ndim - 2)))
        return results


class Dsfm(nn.Module):
    def __init__(self, channels: list[int], block: int) -> None:
        super().__init__()
        self.block = block
        self.numbers = [int(np.ceil(c / block)) for c in channels]
        self.embed = nn.Linear(block, block // 4)
        self.norm = nn.BatchNorm1d(block // 4)
        self.attend = nn.ModuleList(
            nn.Linear(block // 4, block) for _ in range(sum(self.numbers))
        )

    def forward(self, *streams):
        blocks = []
        for x, number in zip(streams, self.numbers, strict=True):
            short = number * self.block - x.shape[1]
            filler = torch.zeros(x.shape[0], short, *x.shape[2:])
            blocks.append(torch.cat([x, filler], 1).split(self.block, 1))
        total = 0
        for own in blocks:
            total = total + average(sum(own))
        z = self.norm(self.embed(total)).relu()
        weights = torch.stack([layer(z) for layer in self.attend]).softmax(0)
        results, index = [], 0
        for x, own in zip(streams, blocks, strict=True):
            scaled = []
            for part in own:
                a = weights[index].reshape(*weights[index].shape, *[1] * (x.ndim - 2))
                scaled.append((0.5 + 0.5 * a) * part)
                index += 1
            results.append(torch.cat(scaled, 1)[:, : x.shape[1]])
        return results


class Tiam(nn.Module):
    """On [b c t s]."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.norm = nn.ModuleList(nn.BatchNorm2d(channels) for _ in "ab")
        self.shared = nn.Conv2d(channels, width, 1, bias=False)
        self.own = nn.ModuleList(
            nn.Conv2d(channels, width, 1, bias=False) for _ in "ab"
        )
        self.out = nn.ModuleList(
            nn.Conv2d(width, channels, 1, bias=False) for _ in "ab"
        )
        self.out_norm = nn.ModuleList(nn.BatchNorm2d(channels) for _ in "ab")

    def forward(self, a, b):
        x = [norm(p) for norm, p in zip(self.norm, (a, b), strict=True)]
        r = [self.shared(p) for p in x]
        e = [conv(p) for conv, p in zip(self.own, x, strict=True)]
        by_time = [p.transpose(1, 2).flatten(2) for p in e]  # [b t c*s]
        by_space = [p.permute(0, 3, 1, 2).flatten(2) for p in e]  # [b s c*t]
        y1 = torch.bmm(by_time[0], by_time[1].transpose(1, 2)).softmax(-1)
        y2 = torch.bmm(by_space[0], by_space[1].transpose(1, 2)).softmax(-1)
        z = [torch.zeros_like(p) for p in r]
        for c in range(r[0].shape[1]):  # matrix products [t t] [t s] [s s]
            z[0][:, c] = y1.transpose(1, 2) @ r[0][:, c] @ y2
            z[1][:, c] = y1 @ r[1][:, c] @ y2.transpose(1, 2)
        return [
            p + norm(conv(q))
            for p, q, conv, norm in zip((a, b), z, self.out, self.out_norm, strict=True)
        ]


class Mffm(nn.Module):
    """On [b c t h w] and [b d]."""

    def __init__(self, channels: int, other: int) -> None:
        super().__init__()
        self.project = nn.Linear(other, channels)
        self.channel_gate = nn.Conv3d(2 * channels, 2 * channels, 1)
        self.reduce = nn.Conv3d(2 * channels, channels, 1)
        self.place_gate = nn.ModuleList(nn.Conv3d(channels, 1, 1) for _ in "12")

    def forward(self, first, second):
        second = self.project(second)[..., None, None, None].expand_as(first)
        both = torch.cat([first, second], 1)
        w_ch = self.channel_gate(nn.functional.adaptive_avg_pool3d(both, 1)).sigmoid()
        f_ch = self.reduce(w_ch * both)
        w_sp = (self.place_gate[0](first) + self.place_gate[1](second)).sigmoid()
        return [w_sp * f_ch]


def randomize(model: nn.Module) -> None:
    with torch.no_grad():
        for name, value in model.named_parameters():
            is_scale = "norm" in name and name.endswith("weight")
            value.copy_(torch.randn(value.shape) * 0.3 + float(is_scale))
        for name, value in model.named_buffers():
            if name.endswith("running_mean"):
                value.copy_(torch.randn(value.shape) * 0.3)
            elif name.endswith("running_var"):
                value.copy_(torch.rand(value.shape) + 0.5)


def channels_last(x: torch.Tensor) -> np.ndarray:
    return x.detach().movedim(1, -1).contiguous().numpy()


def main() -> None:
    shapes = [(3, 13, 2, 5, 3), (3, 8, 7), (3, 5)]  # [b c t h w], [b c t], [b c]
    channels = [shape[1] for shape in shapes]
    pair = [(3, 7, 5, 11)] * 2  # [b c t s]
    cases = {
        "mmtm_paper": (Mmtm(channels[:2], "paper"), shapes[:2]),
        "mmtm_code": (Mmtm(channels[:2], "code"), shapes[:2]),
        "dsfm": (Dsfm(channels, 4), shapes),  # 13 and 5 are no multiples of 4
        "tiam": (Tiam(7, 3), pair),
        "mffm": (Mffm(13, 5), [shapes[0], shapes[2]]),
    }
    arrays = {}
    for name, (model, sizes) in cases.items():
        randomize(model)
        streams = [torch.randn(size) for size in sizes]
        for key, value in model.state_dict().items():
            if value.ndim:
                arrays[f"{name}/{key}"] = value.clone().numpy()
        for index, x in enumerate(streams):
            arrays[f"{name}/in/{index}"] = channels_last(x)
        for mode in ("eval", "train"):
            with torch.no_grad():
                results = model.train(mode == "train")(*streams)
            for index, x in enumerate(results):
                arrays[f"{name}/{mode}/{index}"] = channels_last(x)
    np.savez_compressed(HERE / "cross_modal.npz", **arrays)


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
