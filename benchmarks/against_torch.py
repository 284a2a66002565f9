"""Speed of the backbones, forward and training, float32, alone or against PyTorch.

    python -m benchmarks.against_torch --net i3d video_swin
    python -m benchmarks.against_torch --torch_python OTHER_ENV/bin/python

With an interpreter that has torch, numpy, safetensors and the package that the net is
of (`torch/nets.py`) it also runs the public implementation of the same network: the
same weights (converted, logits compared: this is the check at full size), the same
batch, by turns in one run. Above 1 jaxact is the faster one.
"""

import argparse
import functools
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.arguments import at_least
from benchmarks.nets import NETS, Net
from benchmarks.turns import by_turns, row, timed
from jaxact.backbones.public_weights import initialize_from
from jaxact.devices import platform
from jaxact.devices.host_memory import keep_freed_memory
from jaxact.layers.conv3d import FORMS
from jaxact.layers.head import Head
from jaxact.ledger import multiply_accumulates

CLASSES = 400
PASSES = {"forward": 1, "train": 3}  # calls, and their products by those of the first


class Classifier(nn.Module):
    """A backbone and its head, on a normalised clip."""

    backbone: nn.Module

    @nn.compact
    def __call__(self, video: jax.Array, *, train: bool = False) -> jax.Array:
        out = self.backbone(video, train=train)
        return Head(CLASSES, name="head")(out["token"])


class Ours:
    """The jaxact side: calls, and the state they work on."""

    def __init__(self, net: Net, shape: tuple[int, ...], form: str) -> None:
        model = Classifier(net.of_form(form).build(jnp.float32))
        optimizer = optax.sgd(1e-4, momentum=0.9, nesterov=True)
        random = np.random.default_rng(0)
        self.video = jnp.asarray(random.normal(size=shape), jnp.float32)
        label = jnp.arange(shape[0]) % CLASSES
        shapes = jax.eval_shape(model.init, jax.random.key(0), self.video)
        self.state = jax.tree.map(  # a variance must not be negative
            lambda x: jnp.asarray(np.abs(0.05 * random.normal(size=x.shape)), x.dtype),
            dict(shapes),
        )
        self.momentum = optimizer.init(self.state["params"])
        self.macs = multiply_accumulates(model.apply, shapes, self.video)

        def loss(params: Any, state: Any, video: jax.Array) -> Any:
            logits, updated = model.apply(
                {**state, "params": params}, video, train=True, mutable=["batch_stats"]
            )
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, label)
            return losses.mean(), updated

        def step(state: Any, momentum: Any, video: jax.Array) -> Any:
            grads, updated = jax.grad(loss, has_aux=True)(state["params"], state, video)
            updates, momentum = optimizer.update(grads, momentum, state["params"])
            params = optax.apply_updates(state["params"], updates)
            return {**state, **updated, "params": params}, momentum

        options = {"compiler_options": platform.compiler_options()}  # as the scripts do
        self._apply = jax.jit(model.apply, **options)
        self._step = jax.jit(step, donate_argnums=(0, 1), **options)

    def forward(self) -> jax.Array:
        return self._apply(self.state, self.video)

    def train(self) -> Any:
        self.state, self.momentum = self._step(self.state, self.momentum, self.video)
        return self.state

    def difference(self, folder: pathlib.Path) -> tuple[float, float]:
        """Takes the other side's weights; returns the largest difference and logit."""
        (weights,) = folder.glob("weights.*")
        with np.load(folder / "io.npz") as io:
            video, logits = io["video"], io["logits"]
        params, stats, _ = initialize_from(
            weights, self.state["params"], self.state.get("batch_stats")
        )
        self.state = {"params": params} | ({"batch_stats": stats} if stats else {})
        self.state = jax.device_put(self.state)
        self.video = jnp.asarray(video.transpose(0, 1, 3, 4, 2))
        error = np.abs(np.asarray(self.forward()) - logits)
        return float(error.max()), float(np.abs(logits).max())


class Theirs:
    """`torch/serve.py` in an interpreter with torch, driven by lines on stdin.

    It answers its start with versions and every line with one line.
    """

    def __init__(self, python: str, *options: str) -> None:
        script = pathlib.Path(__file__).parent / "torch" / "serve.py"
        self._process = subprocess.Popen(
            [python, str(script), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.versions = self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            sys.exit(
                "The torch side ended without an answer, see above. --torch_python must"
                " name an interpreter with torch, numpy, safetensors and the net's "
                "package, see benchmarks/torch/nets.py."
            )
        return line

    def ask(self, command: str) -> str:
        """Returns the answer to a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._answer()

    def seconds(self, kind: str) -> float:
        """Returns how long a call took."""
        return float(self.ask(kind))

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def compare(name: str, args: argparse.Namespace) -> None:
    """Times one network and prints its rows."""
    net = NETS[name]
    shape = (args.batch, args.frames or net.frames, args.size, args.size, 3)
    print(f"{net.about}, {' x '.join(map(str, shape))}, float32; {jax.devices()}")
    ours, theirs = Ours(net, shape, args.form), None
    if args.torch_python:
        sizes = dict(batch=shape[0], frames=shape[1], size=shape[2], classes=CLASSES)
        options = {"net": name, "clock": args.clock, **sizes}.items()
        options = [f"--{key}={value}" for key, value in options]
        if args.torch_compile:
            options.append("--compile")
        theirs = Theirs(args.torch_python, *options)
        print(f"  {theirs.versions}")
        with tempfile.TemporaryDirectory() as folder:
            theirs.ask(f"save {folder}")
            error, scale = ours.difference(pathlib.Path(folder))
        print(f"  logits differ by {error:.1e} at most; the largest is {scale:.2f}")
    for kind in args.calls:
        sides = {"jaxact": timed(getattr(ours, kind), getattr(time, args.clock))}
        if theirs is not None:
            sides = {"torch": functools.partial(theirs.seconds, kind), **sides}
        print(row(kind, by_turns(sides, args.turns)), flush=True)
        if theirs is not None:
            least = PASSES[kind] * ours.macs / float(theirs.ask("peak"))
            print(f"    if all were its fastest matrix products: {least * 1e3:.1f} ms")
    if theirs is not None:
        theirs.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--net", nargs="+", default=list(NETS), choices=list(NETS))
    parser.add_argument("--torch_python", default="", help="interpreter with torch")
    parser.add_argument("--torch_compile", action="store_true", help="torch.compile")
    parser.add_argument("--batch", type=at_least(1), default=1)
    parser.add_argument("--frames", type=at_least(0), default=0, help="0: as published")
    parser.add_argument("--size", type=at_least(1), default=224)
    parser.add_argument("--turns", type=at_least(1), default=5)
    parser.add_argument(
        "--form", default="auto", choices=FORMS, help="of 3-D convolutions"
    )
    parser.add_argument("--calls", nargs="+", default=list(PASSES), choices=PASSES)
    parser.add_argument(
        "--clock",
        default="perf_counter",
        choices=("perf_counter", "process_time"),
        help="process_time: seconds of CPU, on a machine that does other things too",
    )
    args = parser.parse_args()
    keep_freed_memory()  # as the scripts do
    for name in args.net:
        compare(name, args)


if __name__ == "__main__":
    main()
