"""Makes the golden numbers of HCN: the network in torch, as its paper describes it.

Channels first, one person after another, the treatment of the skeleton in loops. The
weights are a formula, so that the file stays small. Needs torch, which the project does
not:

    python tests/golden/make_hcn.py
"""

import pathlib

import numpy as np
import torch
from torch import nn

HERE = pathlib.Path(__file__).parent
BATCH, PERSONS, FRAMES, JOINTS, FC7 = 3, 2, 16, 7, 11


def weights(number: int, shape: tuple[int, ...]) -> np.ndarray:
    """Returns the number-th parameter, of variance 2 / fan-in, in torch's layout."""
    index = np.arange(np.prod(shape), dtype=np.float64)
    fan_in = max(np.prod(shape[1:]), 2)
    values = 2 * np.sin(0.1 * index**2 + number) / np.sqrt(fan_in)
    return values.reshape(shape).astype(np.float32)


class Hcn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.position, self.motion = (
            nn.ModuleList(
                [
                    nn.Conv2d(3, 64, 1),
                    nn.Conv2d(64, 32, (3, 1), padding=(1, 0)),
                    nn.Conv2d(JOINTS, 32, 3, padding=1),
                    nn.Conv2d(32, 64, 3, padding=1),
                ]
            )
            for _ in range(2)
        )
        self.conv5 = nn.Conv2d(128, 128, 3, padding=1)
        self.conv6 = nn.Conv2d(128, 256, 3, padding=1)
        self.fc7 = nn.Linear(256 * 2 * (FRAMES // 16), FC7)
        self.pool = nn.MaxPool2d(2)

    def stream(self, layers: nn.ModuleList, x: torch.Tensor) -> torch.Tensor:
        """From [b 3 t v] to [b 64 t/4 8]."""
        x = layers[1](layers[0](x).relu())
        x = x.permute(0, 3, 2, 1)  # [b v t 32]
        x = self.pool(layers[2](x))
        return self.pool(layers[3](x))

    def forward(self, positions: torch.Tensor, motion: torch.Tensor):
        """Both [b m t v 3]."""
        conv5, ends = [], []
        for person in range(PERSONS):
            p, m = (x[:, person].permute(0, 3, 1, 2) for x in (positions, motion))
            x = [self.stream(self.position, p), self.stream(self.motion, m)]
            x = self.pool(self.conv5(torch.cat(x, 1)).relu())
            conv5.append(x)
            ends.append(self.pool(self.conv6(x).relu()))
        x = torch.maximum(*ends)  # [b c t w]; the feature is read frame by frame
        fc7 = self.fc7(x.permute(0, 2, 3, 1).flatten(1)).relu()
        return torch.stack(conv5, 1).permute(0, 1, 3, 4, 2), fc7


def treat(skeleton: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The origin at joint 1 of the first person; differences of successive frames."""
    positions = skeleton - skeleton[:, :1, :, 1:2]
    motion = np.zeros_like(positions)
    for t in range(1, FRAMES):
        motion[:, :, t] = positions[:, :, t] - positions[:, :, t - 1]
    return positions, motion


def main() -> None:
    model = Hcn()
    with torch.no_grad():
        for number, value in enumerate(model.parameters()):
            value.copy_(torch.from_numpy(weights(number, tuple(value.shape))))
    names = [name for name, _ in model.named_parameters()]
    skeleton = torch.randn(BATCH, PERSONS, FRAMES, JOINTS, 3).numpy()
    positions, motion = treat(skeleton)
    with torch.no_grad():
        conv5, fc7 = model(torch.from_numpy(positions), torch.from_numpy(motion))
    arrays = dict(
        names=np.array(names),
        skeleton=skeleton,
        positions=positions,
        motion=motion,
        conv5=conv5.numpy(),
        fc7=fc7.numpy(),
    )
    np.savez_compressed(HERE / "hcn.npz", **arrays)


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
