"""Speed of TimeSformer-B (10 layers, 8 x 224 x 224, float32), forward and training.

    python -m benchmarks.timesformer
    python -m benchmarks.timesformer --torch_python OTHER_ENV/bin/python

With an interpreter that has torch and transformers it also runs Hugging Face's model:
the same weights (converted, logits compared), the same batch, by turns in one run, so
that a busy machine slows both alike. The ratio is the median of the turns' ratios.
"""

import argparse
import functools
import tempfile
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from safetensors.numpy import load_file

from benchmarks._turns import TorchSide, compare
from jaxact.backbones.public_weights import initialize_from
from jaxact.backbones.timesformer import TimeSformer
from jaxact.devices.host_memory import keep_freed_memory
from jaxact.models.streams import Head

CLASSES = 400
# Multiply-accumulates of a layer and a clip (`python -m jaxact table1`: 163.35 G in 10
# layers); training computes every product three times.
LAYER_MACS, PASSES = 16.33e9, {"forward": 1, "train": 3}


class Classifier(nn.Module):
    """TimeSformer-B and its head, on a normalised clip."""

    depth: int

    @nn.compact
    def __call__(self, video: jax.Array) -> jax.Array:
        out = TimeSformer(depth=self.depth, name="backbone")(video)
        return Head(CLASSES, name="head")(out["token"])


class Ours:
    """The jaxact side: calls that return when the result is there."""

    def __init__(self, batch: int, depth: int) -> None:
        model = Classifier(depth)
        optimizer = optax.sgd(1e-4, momentum=0.9, nesterov=True)
        self.video = jax.random.normal(jax.random.key(0), (batch, 8, 224, 224, 3))
        label = jnp.arange(batch) % CLASSES
        self.params = jax.jit(model.init)(jax.random.key(1), self.video)["params"]
        self.momentum = optimizer.init(self.params)

        def loss(params: Any, video: jax.Array) -> jax.Array:
            logits = model.apply({"params": params}, video)
            return optax.softmax_cross_entropy_with_integer_labels(logits, label).mean()

        def step(params: Any, momentum: Any, video: jax.Array) -> tuple[Any, Any]:
            updates, momentum = optimizer.update(
                jax.grad(loss)(params, video), momentum, params
            )
            return optax.apply_updates(params, updates), momentum

        self._apply = jax.jit(lambda p, v: model.apply({"params": p}, v))
        self._step = jax.jit(step, donate_argnums=(0, 1))

    def forward(self) -> jax.Array:
        return self._apply(self.params, self.video).block_until_ready()

    def train(self) -> None:
        self.params, self.momentum = self._step(self.params, self.momentum, self.video)
        jax.block_until_ready(self.params)

    def difference(self, folder: str) -> tuple[float, float]:
        """Takes the other side's weights; returns the largest difference and logit."""
        io = load_file(f"{folder}/io.safetensors")
        params, _, _ = initialize_from(f"{folder}/weights.safetensors", self.params)
        self.params = jax.device_put(params)
        self.video = jax.device_put(io["video"].transpose(0, 1, 3, 4, 2))
        error = np.abs(np.asarray(self.forward()) - io["logits"])
        return float(error.max()), float(np.abs(io["logits"]).max())


def print_bound(theirs: TorchSide, taken: float, macs: float) -> None:
    """Prints the ratio there would be if all of the time were matrix products."""
    peak = float(theirs.ask("peak"))
    least = macs / peak
    print(
        f"    at most {taken / least:.2f}, if all of it were products at "
        f"{peak / 1e9:.0f} GMAC/s ({least:.3f} s)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch_python", default="", help="interpreter with torch")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--depth", type=int, default=10)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--kinds", nargs="+", default=["forward", "train"])
    args = parser.parse_args()
    keep_freed_memory()  # as the scripts do
    print(
        f"TimeSformer-B, {args.depth} layers, 8 x 224 x 224, float32; {jax.devices()}"
    )
    for batch in args.batch:
        ours, theirs = Ours(batch, args.depth), None
        print(f"batch {batch}")
        if args.torch_python:
            theirs = TorchSide(
                args.torch_python,
                "_torch_timesformer.py",
                batch=batch,
                depth=args.depth,
                classes=CLASSES,
            )
            print(f"  {theirs.versions}")
            with tempfile.TemporaryDirectory() as folder:
                theirs.ask(f"save {folder}")
                error, scale = ours.difference(folder)
            print(f"  logits differ by {error:.1e} at most; the largest is {scale:.2f}")
        for kind in args.kinds:
            other = None if theirs is None else functools.partial(theirs.seconds, kind)
            taken = compare(kind, getattr(ours, kind), other, args.turns)
            if theirs is not None and taken is not None:
                macs = batch * args.depth * LAYER_MACS * PASSES[kind]
                print_bound(theirs, taken, macs)
        if theirs is not None:
            theirs.close()


if __name__ == "__main__":
    main()
