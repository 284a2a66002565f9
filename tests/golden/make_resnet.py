"""Makes the golden files of ResNet: tiny random models of torchvision and timm.

Needs torch, torchvision and timm, which the project itself does not; the tests read
only what this script wrote:

    python tests/golden/make_resnet.py

Every parameter and statistic is random, so that no weight can be lost or turned without
notice. `benchmarks.against_torch` compares networks of full size in the same way.
"""

import pathlib

import numpy as np
import timm
import torch
import torchvision
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
WIDTH, LAYERS, CLASSES = 3, (1, 2, 1, 1), 7
IMAGES = (4, 3, 38, 45)


def randomize(model: torch.nn.Module) -> None:
    """Fills parameters and statistics: scales and variances around 1."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                for value, centre in (
                    (module.weight, 1.0),
                    (module.bias, 0.0),
                    (module.running_mean, 0.0),
                    (module.running_var, 1.5),
                ):
                    value.copy_(torch.rand(value.shape) - 0.5 + centre)
            elif isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
                for value in module.parameters():
                    spread = value[0].numel() ** -0.5
                    value.copy_(torch.randn(value.shape) * spread)


def tiny_torchvision() -> torch.nn.Module:
    """torchvision's ResNet with its own layers, made narrow."""
    block = torchvision.models.resnet.Bottleneck
    model = torchvision.models.ResNet(block, list(LAYERS))
    model.inplanes = WIDTH
    model.conv1 = torch.nn.Conv2d(3, WIDTH, 7, 2, 3, bias=False)
    model.bn1 = torch.nn.BatchNorm2d(WIDTH)
    for index, units in enumerate(LAYERS):
        stride = 1 if index == 0 else 2
        layer = model._make_layer(block, WIDTH * 2**index, units, stride)
        setattr(model, f"layer{index + 1}", layer)
    model.fc = torch.nn.Linear(WIDTH * 32, CLASSES)
    return model.eval()


def tiny_timm() -> torch.nn.Module:
    """timm's ResNet; its stem, always of 64 channels, is made narrow too."""
    model = timm.models.resnet.ResNet(
        timm.models.resnet.Bottleneck,
        layers=LAYERS,
        channels=tuple(WIDTH * 2**index for index in range(4)),
        num_classes=CLASSES,
    )
    model.conv1 = torch.nn.Conv2d(3, WIDTH, 7, 2, 3, bias=False)
    model.bn1 = torch.nn.BatchNorm2d(WIDTH)
    unit = model.layer1[0]
    unit.conv1 = torch.nn.Conv2d(WIDTH, WIDTH, 1, bias=False)
    unit.downsample[0] = torch.nn.Conv2d(WIDTH, WIDTH * 4, 1, bias=False)
    return model.eval()


def features(model: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    if hasattr(model, "forward_features"):
        return model.forward_features(images)
    head, model.avgpool, model.fc = model.fc, torch.nn.Identity(), torch.nn.Identity()
    shape = (len(images), WIDTH * 32, -(-images.shape[2] // 32), -1)
    result = model(images).reshape(shape)
    model.fc = head
    return result


def main() -> None:
    torch.manual_seed(0)
    images = torch.randn(IMAGES)
    golden = {"images": images.permute(0, 2, 3, 1)}
    for name, make in (("torchvision", tiny_torchvision), ("timm", tiny_timm)):
        model = make()
        randomize(model)
        with torch.no_grad():
            result = features(model, images)
            golden[name] = result.permute(0, 2, 3, 1)
            golden[f"{name}_logits"] = model.fc(result.mean(dim=(2, 3)))
        state = {key: value.contiguous() for key, value in model.state_dict().items()}
        if name == "timm":
            save_file(state, HERE / "resnet_timm.safetensors")
        else:
            torch.save(state, HERE / "resnet_torchvision.pth")
    arrays = {key: value.numpy() for key, value in golden.items()}
    np.savez_compressed(HERE / "resnet_tiny.npz", **arrays)


if __name__ == "__main__":
    main()
