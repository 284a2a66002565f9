"""ResNet50-C2D of torchvision's layers, in the layout that is fastest on a CPU."""

import oracles
import torch
from safetensors.torch import save_file


class Net(torch.nn.Module):
    """The image network on every frame, with DAM's Table 2's pooling along time."""

    def __init__(self, frames: int, size: int, classes: int) -> None:
        super().__init__()
        self.net = oracles.torchvision_models().resnet50(num_classes=classes)
        self.to(memory_format=torch.channels_last)
        for module in self.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
                torch.nn.init.uniform_(module.running_var, 0.8, 1.2)
                torch.nn.init.uniform_(module.weight, 0.5, 0.8)
                torch.nn.init.uniform_(module.bias, -0.1, 0.1)

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        net, batch = self.net, len(video)
        x = video[:, ::2].flatten(0, 1).contiguous(memory_format=torch.channels_last)
        x = net.relu(net.bn1(net.conv1(x)))
        x = net.maxpool(self.halve(x, batch))
        x = self.halve(net.layer1(x), batch)
        x = net.layer4(net.layer3(net.layer2(x)))
        x = x.unflatten(0, (batch, -1)).mean(dim=(1, 3, 4))
        return net.fc(x)

    @staticmethod
    def halve(x: torch.Tensor, batch: int) -> torch.Tensor:
        """Maxima of three neighbouring frames, every second one."""
        x = x.unflatten(0, (batch, -1))
        edge = torch.full_like(x[:, :1], -torch.inf)
        x = torch.cat([edge, x, edge], dim=1)
        x = torch.maximum(torch.maximum(x[:, :-2:2], x[:, 1:-1:2]), x[:, 2::2])
        return x.flatten(0, 1).contiguous(memory_format=torch.channels_last)

    def write(self, folder: str) -> None:
        """Writes the weights under torchvision's names."""
        state = {k: v.contiguous() for k, v in self.net.state_dict().items()}
        save_file(state, f"{folder}/weights.safetensors")
