"""The torch side of `resnet.py`: ResNet50-C2D of torchvision's layers, driven by lines.

It runs in an environment with torch, torchvision and safetensors, as a process of its
own, and answers every line: "forward" or "train" with the seconds one call took, "save
FOLDER" by writing weights, video and logits there. Layout and compiler are as fast as
they get on a CPU: channels last, and with --compile torch.compile.
"""

import argparse
import sys
import time

import torch
import torchvision
from safetensors.torch import save_file


class C2D(torch.nn.Module):
    """The image network on every frame, with DAM's Table 2's pooling along time."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.net = torchvision.models.resnet50(num_classes=classes)

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--frames", type=int, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--classes", type=int, required=True)
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()

    torch.manual_seed(0)
    model = C2D(args.classes).to(memory_format=torch.channels_last)
    for module in model.modules():  # all random, so that equal logits mean equal models
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.8, 1.2)
            torch.nn.init.uniform_(module.weight, 0.5, 0.8)
            torch.nn.init.uniform_(module.bias, -0.1, 0.1)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=1e-4, momentum=0.9, nesterov=True
    )
    run = torch.compile(model) if args.compile else model
    video = torch.randn(args.batch, args.frames, 3, args.size, args.size)
    label = torch.arange(args.batch) % args.classes

    def forward() -> torch.Tensor:
        with torch.inference_mode():
            return run(video)

    def train() -> None:
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(run(video), label).backward()
        optimizer.step()

    print(f"torchvision {torchvision.__version__}, torch {torch.__version__}")
    sys.stdout.flush()
    for line in sys.stdin:
        command, _, folder = line.strip().partition(" ")
        model.train(command == "train")
        if command == "save":
            state = {k: v.contiguous() for k, v in model.net.state_dict().items()}
            save_file(state, f"{folder}/weights.safetensors")
            save_file({"video": video, "logits": forward()}, f"{folder}/io.safetensors")
            print("saved", flush=True)
            continue
        start = time.perf_counter()
        train() if command == "train" else forward()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
