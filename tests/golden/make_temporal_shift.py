"""Makes the golden file of the temporal shift: torch convolutions in its place.

Needs torch, which the project itself does not; the tests read only what this script
wrote:

    python tests/golden/make_temporal_shift.py

By the paper's Eq. 1-3 a shift is a convolution in time whose kernel is a 1 at the
previous, the present or the next frame: here it is one, channel by channel.
"""

import pathlib

import numpy as np
import torch

HERE = pathlib.Path(__file__).parent
SHAPE = (2, 5, 3, 2, 19)  # b t h w c; an eighth of 19 channels is 2


def shift(video: torch.Tensor, fraction: float) -> torch.Tensor:
    b, t, h, w, c = video.shape
    moved = int(c * fraction)
    kernel = torch.zeros(c, 1, 3)
    kernel[:moved, 0, 2] = 1.0  # the next frame
    kernel[moved : 2 * moved, 0, 0] = 1.0  # the previous one
    kernel[2 * moved :, 0, 1] = 1.0
    lines = video.permute(0, 2, 3, 4, 1).reshape(b * h * w, c, t)
    lines = torch.nn.functional.conv1d(lines, kernel, padding=1, groups=c)
    return lines.reshape(b, h, w, c, t).permute(0, 4, 1, 2, 3)


def main() -> None:
    torch.manual_seed(0)
    video = torch.randn(SHAPE, requires_grad=True)
    towards = torch.randn(SHAPE)
    arrays = {"video": video.detach(), "towards": towards}
    for name, fraction in (("eighth", 1 / 8), ("quarter", 1 / 4), ("half", 1 / 2)):
        shifted = shift(video, fraction)
        arrays[name] = shifted.detach()
        (grad,) = torch.autograd.grad((shifted * towards).sum(), video)
        arrays[f"{name}_grad"] = grad
    arrays = {key: value.numpy() for key, value in arrays.items()}
    np.savez_compressed(HERE / "temporal_shift.npz", **arrays)


if __name__ == "__main__":
    main()
