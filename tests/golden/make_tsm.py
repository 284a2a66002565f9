"""Makes the golden files of TSM: a tiny torchvision ResNet with shifts before conv1.

Needs torch and torchvision, which the project itself does not; the tests read only what
this script wrote:

    python tests/golden/make_tsm.py

Names and wrappers are those of the public TSM checkpoints: the shifted convolutions lie
inside a module that keeps them as ``net``, the network in ``base_model``, everything in
DataParallel's ``module``, and the classifier is ``new_fc``. The shift itself is a
convolution in time (`make_temporal_shift`).
"""

import pathlib

import make_resnet
import make_temporal_shift
import numpy as np
import torch

HERE = pathlib.Path(__file__).parent
FRACTION = 1 / 3  # of three channels one, each way
CLASSES = 11
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
VIDEO = (2, 5, 38, 45, 3)  # b t h w c


class Shifted(torch.nn.Module):
    """A convolution on [b*t c h w] behind a shift."""

    def __init__(self, net: torch.nn.Module, frames: int):
        super().__init__()
        self.net, self.frames = net, frames

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        video = x.unflatten(0, (-1, self.frames)).permute(0, 1, 3, 4, 2)
        video = make_temporal_shift.shift(video, FRACTION)
        return self.net(video.permute(0, 1, 4, 2, 3).flatten(0, 1))


class TSM(torch.nn.Module):
    """The mean over frames of the logits of each."""

    def __init__(self, frames: int):
        super().__init__()
        self.base_model = make_resnet.tiny_torchvision()
        self.new_fc = torch.nn.Linear(self.base_model.fc.in_features, CLASSES)
        self.base_model.fc = torch.nn.Identity()
        self.frames = frames
        for name, module in list(self.base_model.named_modules()):
            if name.startswith("layer") and name.count(".") == 1:
                module.conv1 = Shifted(module.conv1, frames)

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        images = video.permute(0, 1, 4, 2, 3).flatten(0, 1)
        logits = self.new_fc(self.base_model(images))
        return logits.unflatten(0, (-1, self.frames)).mean(1)


def main() -> None:
    torch.manual_seed(0)
    model = TSM(frames=VIDEO[1])
    make_resnet.randomize(model)
    model.eval()
    wrapped = torch.nn.DataParallel(model)
    video = torch.randint(0, 256, VIDEO, dtype=torch.uint8)
    with torch.no_grad():
        logits = model((video / 255 - MEAN) / STD)
    state = {"epoch": 1, "arch": "resnet50", "state_dict": wrapped.state_dict()}
    torch.save(state, HERE / "tsm_tiny.pth")
    arrays = {
        "video": video.numpy(),
        "logits": logits.numpy(),
        "fc_weight": model.new_fc.weight.detach().numpy(),
        "fc_bias": model.new_fc.bias.detach().numpy(),
    }
    np.savez_compressed(HERE / "tsm_tiny.npz", **arrays)


if __name__ == "__main__":
    main()
