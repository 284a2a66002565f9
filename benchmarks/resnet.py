"""Speed of ResNet50-C2D (32 x 224 x 224, float32), forward and training.

    python -m benchmarks.resnet
    python -m benchmarks.resnet --torch_python OTHER_ENV/bin/python

With an interpreter that has torch and torchvision it also runs the same network made of
torchvision's layers, in channels-last layout: the same weights (converted, logits
compared: this is the check at full size), the same batch, by turns in one run. The
ratio is the median of the turns' ratios; above 1 jaxact is the faster one.
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
from jaxact.backbones.resnet import ResNet
from jaxact.devices import platform
from jaxact.devices.host_memory import keep_freed_memory
from jaxact.models.streams import Head

CLASSES = 400


class Classifier(nn.Module):
    """C2D and its head, on a normalised clip."""

    @nn.compact
    def __call__(self, video: jax.Array, *, train: bool = False) -> jax.Array:
        features = ResNet(name="backbone")(video, train=train)["features"]
        return Head(CLASSES, name="head")(features.mean(axis=(1, 2, 3)))


class Ours:
    """The jaxact side: calls that return when the result is there."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        model = Classifier()
        optimizer = optax.sgd(1e-4, momentum=0.9, nesterov=True)
        random = np.random.default_rng(0)
        self.video = jnp.asarray(random.normal(size=shape), jnp.float32)
        label = jnp.arange(shape[0]) % CLASSES
        shapes = jax.eval_shape(model.init, jax.random.key(0), self.video)
        self.state = jax.tree.map(
            lambda x: jnp.asarray(np.abs(0.05 * random.normal(size=x.shape)), x.dtype),
            shapes,
        )
        self.momentum = optimizer.init(self.state["params"])

        def loss(params: Any, stats: Any, video: jax.Array) -> Any:
            logits, updated = model.apply(
                {"params": params, "batch_stats": stats},
                video,
                train=True,
                mutable="batch_stats",
            )
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, label)
            return losses.mean(), updated["batch_stats"]

        def step(state: Any, momentum: Any, video: jax.Array) -> Any:
            params, stats = state["params"], state["batch_stats"]
            grads, stats = jax.grad(loss, has_aux=True)(params, stats, video)
            updates, momentum = optimizer.update(grads, momentum, params)
            params = optax.apply_updates(params, updates)
            return {"params": params, "batch_stats": stats}, momentum

        options = {"compiler_options": platform.compiler_options()}  # as the scripts do
        self._apply = jax.jit(model.apply, **options)
        self._step = jax.jit(step, donate_argnums=(0, 1), **options)

    def forward(self) -> jax.Array:
        return self._apply(self.state, self.video).block_until_ready()

    def train(self) -> None:
        self.state, self.momentum = self._step(self.state, self.momentum, self.video)
        jax.block_until_ready(self.state)

    def difference(self, folder: str) -> tuple[float, float]:
        """Takes the other side's weights; returns the largest difference and logit."""
        io = load_file(f"{folder}/io.safetensors")
        weights = f"{folder}/weights.safetensors"
        params, stats, _ = initialize_from(
            weights, self.state["params"], self.state["batch_stats"]
        )
        self.state = jax.device_put({"params": params, "batch_stats": stats})
        self.video = jax.device_put(io["video"].transpose(0, 1, 3, 4, 2))
        error = np.abs(np.asarray(self.forward()) - io["logits"])
        return float(error.max()), float(np.abs(io["logits"]).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch_python", default="", help="interpreter with torch")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--kinds", nargs="+", default=["forward", "train"])
    args = parser.parse_args()
    keep_freed_memory()  # as the scripts do
    shape = (args.batch, args.frames, args.size, args.size, 3)
    print(f"ResNet50-C2D, {shape}, float32; {jax.devices()}")
    ours, theirs = Ours(shape), None
    if args.torch_python:
        sizes = dict(batch=args.batch, frames=args.frames, size=args.size)
        theirs = TorchSide(
            args.torch_python, "_torch_resnet.py", **sizes, classes=CLASSES
        )
        print(f"  {theirs.versions}")
        with tempfile.TemporaryDirectory() as folder:
            theirs.ask(f"save {folder}")
            error, scale = ours.difference(folder)
        print(f"  logits differ by {error:.1e} at most; the largest is {scale:.2f}")
    for kind in args.kinds:
        other = None if theirs is None else functools.partial(theirs.seconds, kind)
        compare(kind, getattr(ours, kind), other, args.turns)
    if theirs is not None:
        theirs.close()


if __name__ == "__main__":
    main()
