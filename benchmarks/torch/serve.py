"""The torch side of `benchmarks.against_torch`: one net, driven by lines on stdin.

It runs in an environment with torch, as a process of its own, and answers every line:
"forward" or "train" with the seconds one call took, "peak" with the
multiply-accumulates a second of its fastest matrix product, "save FOLDER" by writing
weights, video [b t c h w] and logits there. All weights of its nets (`nets.NETS`) are
random, so that equal logits mean equal models.
"""

import argparse
import importlib.metadata
import logging
import pathlib
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from nets import NETS


def peak(rows: int, clock: Callable[[], float]) -> float:
    """Returns the rate of matrix products of a transformer's sizes, at their best."""
    best = 0.0
    for n in (768, 2304, 3072):
        a, b = torch.randn(rows, 768), torch.randn(768, n)
        out = torch.empty(rows, n)
        for _ in range(10):
            start = clock()
            torch.mm(a, b, out=out)
            best = max(best, a.numel() * n / (clock() - start))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--net", required=True, choices=list(NETS))
    for name in ("batch", "frames", "size", "classes"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--clock", default="perf_counter")  # of the module time
    args = parser.parse_args()
    clock = getattr(time, args.clock)
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries say is no answer
    logging.disable(logging.INFO)

    torch.manual_seed(0)
    net = NETS[args.net]
    model = net.build(args.frames, args.size, args.classes)
    trained = [value for value in model.parameters() if value.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=1e-4, momentum=0.9, nesterov=True)
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

    def save(folder: str) -> str:
        model.write(folder)
        io = {"video": video.numpy(), "logits": forward().numpy()}
        np.savez(pathlib.Path(folder, "io.npz"), **io)
        return "saved"

    def answer(command: str, argument: str) -> str | float:
        model.train(command == "train")
        if command == "save":
            return save(argument)
        if command == "peak":
            return peak(args.batch * 1568, clock)
        start = clock()
        train() if command == "train" else forward()
        return clock() - start

    about = f"{net.package} {importlib.metadata.version(net.package)}"
    threads = torch.get_num_threads()
    print(
        f"{about}, torch {torch.__version__}, {threads} threads",
        file=answers,
        flush=True,
    )
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        print(answer(command, argument), file=answers, flush=True)


if __name__ == "__main__":
    main()
