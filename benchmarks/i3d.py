"""Speed of I3D (16 x 224 x 224, float32), forward and training, and of its forms.

    python -m benchmarks.i3d
    python -m benchmarks.i3d --torch_python OTHER_ENV/bin/python
    python -m benchmarks.i3d --forms taps native

With an interpreter that has torch it also runs the same network made of PyTorch's
layers: the same weights (converted, logits compared), the same batch, by turns in one
run. The ratio is the median of the turns' ratios; above 1 jaxact is the faster one.
`--forms` times both ways of computing 3-D convolutions (`jaxact.layers.conv3d`).
"""

import argparse
import functools
import pathlib
import tempfile
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks._turns import TorchSide, compare
from jaxact.backbones.i3d import I3D, pooled
from jaxact.backbones.public_weights import initialize_from
from jaxact.devices import platform
from jaxact.models.streams import Head

CLASSES = 400


class Classifier(nn.Module):
    """I3D and its head, on a normalised clip."""

    form: str = "auto"

    @nn.compact
    def __call__(self, video: jax.Array, *, train: bool = False) -> jax.Array:
        out = I3D(form=self.form, name="backbone_rgb")(video, train=train)
        return Head(CLASSES, name="head")(pooled(out["mixed_5c"]))


class Ours:
    """The jaxact side: calls that return when the result is there."""

    def __init__(self, batch: int, frames: int, form: str) -> None:
        model = Classifier(form)
        optimizer = optax.sgd(1e-4, momentum=0.9, nesterov=True)
        shape = (batch, frames, 224, 224, 3)
        random = np.random.default_rng(0)
        self.video = jnp.asarray(random.normal(size=shape), jnp.float32)
        label = jnp.arange(batch) % CLASSES
        shapes = jax.eval_shape(model.init, jax.random.key(0), self.video)
        values = jax.tree.map(lambda x: 0.05 * random.normal(size=x.shape), shapes)
        self._take(values["params"], jax.tree.map(np.abs, values["batch_stats"]))
        self.momentum = optimizer.init(self.params)

        def loss(params: Any, stats: Any, video: jax.Array) -> Any:
            logits, updated = model.apply(
                {"params": params, "batch_stats": stats},
                video,
                train=True,
                mutable="batch_stats",
            )
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, label)
            return losses.mean(), updated["batch_stats"]

        def step(params: Any, stats: Any, momentum: Any, video: jax.Array) -> Any:
            grads, stats = jax.grad(loss, has_aux=True)(params, stats, video)
            updates, momentum = optimizer.update(grads, momentum, params)
            return optax.apply_updates(params, updates), stats, momentum

        options = {"compiler_options": platform.compiler_options()}  # as the scripts do
        self._apply = jax.jit(model.apply, **options)
        self._step = jax.jit(step, donate_argnums=(0, 1, 2), **options)

    def _take(self, params: Any, stats: Any) -> None:
        self.params, self.stats = jax.tree.map(
            lambda x: jnp.asarray(x, jnp.float32), (params, stats)
        )

    def forward(self) -> jax.Array:
        variables = {"params": self.params, "batch_stats": self.stats}
        return self._apply(variables, self.video).block_until_ready()

    def train(self) -> None:
        self.params, self.stats, self.momentum = self._step(
            self.params, self.stats, self.momentum, self.video
        )
        jax.block_until_ready(self.params)

    def difference(self, folder: str) -> tuple[float, float]:
        """Takes the other side's weights; returns the largest difference and logit."""
        with np.load(f"{folder}/io.npz") as io:
            video, logits = io["video"], io["logits"]
        weights = pathlib.Path(folder, "weights.ckpt")
        self._take(*initialize_from(weights, self.params, self.stats)[:2])
        self.video = jnp.asarray(video)
        error = np.abs(np.asarray(self.forward()) - logits)
        return float(error.max()), float(np.abs(logits).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch_python", default="", help="interpreter with torch")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--forms", nargs="+", default=["auto"])
    parser.add_argument("--kinds", nargs="+", default=["forward", "train"])
    args = parser.parse_args()
    print(f"I3D, {args.batch} x {args.frames} x 224 x 224, float32; {jax.devices()}")
    theirs = None
    if args.torch_python:
        sizes = dict(batch=args.batch, frames=args.frames, classes=CLASSES)
        theirs = TorchSide(args.torch_python, "_torch_i3d.py", **sizes)
        print(f"  {theirs.versions}")
    for form in args.forms:
        ours = Ours(args.batch, args.frames, form)
        if theirs is not None:
            with tempfile.TemporaryDirectory() as folder:
                theirs.ask(f"save {folder}")
                error, scale = ours.difference(folder)
            print(f"  logits differ by {error:.1e} at most; the largest is {scale:.2f}")
        for kind in args.kinds:
            other = None if theirs is None else functools.partial(theirs.seconds, kind)
            compare(f"{kind} ({form})", getattr(ours, kind), other, args.turns)
    if theirs is not None:
        theirs.close()


if __name__ == "__main__":
    main()
