"""The torch side of `timesformer.py`: Hugging Face's model, driven by lines on stdin.

It runs in an environment with torch, transformers and safetensors, as a process of its
own, and answers every line: "forward" or "train" with the seconds one call took, "peak"
with the multiply-accumulates a second of its fastest matrix product, "save FOLDER" by
writing weights, video and logits there.
"""

import argparse
import sys
import time

import torch
import transformers
from safetensors.torch import save_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--depth", type=int, required=True)
    parser.add_argument("--classes", type=int, required=True)
    args = parser.parse_args()

    torch.manual_seed(0)
    config = transformers.TimesformerConfig(
        num_hidden_layers=args.depth, num_frames=8, num_labels=args.classes
    )
    model = transformers.TimesformerForVideoClassification(config)
    with torch.no_grad():  # all random, so that equal logits mean equal models
        for name, value in model.named_parameters():
            is_scale = "norm" in name and name.endswith("weight")
            value.copy_(torch.randn(value.shape) * 0.02 + float(is_scale))
    optimizer = torch.optim.SGD(
        model.parameters(), lr=1e-4, momentum=0.9, nesterov=True
    )
    video = torch.randn(args.batch, 8, 3, 224, 224)
    label = torch.arange(args.batch) % args.classes

    def forward() -> torch.Tensor:
        with torch.inference_mode():
            return model(video).logits

    def train() -> None:
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(model(video).logits, label).backward()
        optimizer.step()

    def peak() -> float:
        """The rate of the model's own matrix products, alone and at their best."""
        best = 0.0
        for n in (768, 2304, 3072):
            a, b = torch.randn(args.batch * 1568, 768), torch.randn(768, n)
            out = torch.empty(len(a), n)
            for _ in range(10):
                start = time.perf_counter()
                torch.mm(a, b, out=out)
                best = max(best, a.numel() * n / (time.perf_counter() - start))
        return best

    print(f"transformers {transformers.__version__}, torch {torch.__version__}")
    sys.stdout.flush()
    for line in sys.stdin:
        command, _, folder = line.strip().partition(" ")
        if command == "save":
            save_file(model.state_dict(), f"{folder}/weights.safetensors")
            save_file({"video": video, "logits": forward()}, f"{folder}/io.safetensors")
            print("saved", flush=True)
            continue
        if command == "peak":
            print(peak(), flush=True)
            continue
        model.train(command == "train")
        start = time.perf_counter()
        train() if command == "train" else forward()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
