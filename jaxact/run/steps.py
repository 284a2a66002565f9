"""The two compiled steps that every model family shares: training and evaluation."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from jaxact import config as config_lib
from jaxact.batch import PRESENT, PROGRESS, TARGET, WEIGHT
from jaxact.devices import distributed, platform
from jaxact.losses import Loss
from jaxact.out import BRANCH, OF_ITSELF, SELECTION
from jaxact.run import parts
from jaxact.run.mixing import OF_ONE_CLIP, Teaching
from jaxact.state import Inputs, Metrics, State, key_shape, rngs_at, stream_key

Variables = Mapping[str, Any]  # "params" and "batch_stats"


@dataclasses.dataclass(frozen=True)
class TrainStep:
    """The compiled step (state, batch) -> (state, metrics), see `make_train_step`.

    Attributes:
      jitted: (key, state, batch) -> (state, metrics), as `jax.jit` returned it.
      mesh: the devices.
      seed: of the key, from 0 to 2**32 - 1.
    """

    jitted: Any
    mesh: Mesh
    seed: int

    # An argument, not a constant: another seed then finds the compiled step in cache.
    @functools.cached_property
    def _key(self) -> jax.Array:
        with jax.transfer_guard("allow"):
            at = distributed.replicated(self.mesh)
            return jax.jit(jax.random.key, out_shardings=at)(np.uint32(self.seed))

    def __call__(self, state: State, batch: Any) -> tuple[State, Metrics]:
        return self.jitted(self._key, state, batch)

    def trace(self, state: Any, batch: Any) -> Any:
        """Traces for these shapes; computes nothing."""
        return self.jitted.trace(self._abstract_key(), state, batch)

    def lower(self, state: Any, batch: Any) -> Any:
        """Lowers for these shapes, for compiling ahead of time."""
        return self.jitted.lower(self._abstract_key(), state, batch)

    def _abstract_key(self) -> jax.ShapeDtypeStruct:
        at, key = distributed.replicated(self.mesh), key_shape()
        return jax.ShapeDtypeStruct(key.shape, key.dtype, sharding=at)


@dataclasses.dataclass(frozen=True)
class EvalStep:
    """The compiled step (variables, batch) -> scores, see `make_eval_step`."""

    jitted: Any

    def __call__(self, variables: Variables, batch: Any) -> Metrics:
        return self.jitted(variables, batch)

    def trace(self, variables: Any, batch: Any) -> Any:
        """Traces for these shapes; computes nothing."""
        return self.jitted.trace(variables, batch)

    def lower(self, variables: Any, batch: Any) -> Any:
        """Lowers for these shapes, for compiling ahead of time."""
        return self.jitted.lower(variables, batch)


def make_train_step(
    module: nn.Module,
    losses: Sequence[Loss],
    tx: optax.GradientTransformation,
    schedule: optax.Schedule,
    *,
    mesh: Mesh,
    seed: int,
    total_steps: int,
    accumulate: int = 1,
    teaching: Teaching | None = None,
    freeze: Sequence[str] = (),
    shardings: State | None = None,
) -> TrainStep:
    """Returns the compiled step (state, batch) -> (state, metrics).

    The state is donated: use the returned one. The loss is the mean over examples
    whose mask is True of sum_i weight_i * loss_i. With ``accumulate`` = k the batch is
    cut into k micro-batches whose gradients are added before the one update; batch
    norm then sees micro-batches, one after another. ``teaching`` mixes clips and
    softens labels before that. Parts of the model named by ``freeze`` stand still, see
    `jaxact.run.parts`. The state stays as ``shardings``
    say, by default a copy on every device.

    Metrics are sums over examples (``loss``, ``loss/NAME``, ``correct``) and their
    ``count``, then ``lr``, ``grad_norm`` and ``finite``. Where loss or gradient is not
    finite the state comes back unchanged, so that the last good one is not lost.
    """
    gradients = _Gradients(
        module, losses, mesh, total_steps, accumulate, teaching, tuple(freeze)
    )

    def step(key: jax.Array, state: State, batch: Any) -> tuple[State, Metrics]:
        grads, metrics, batch_stats = gradients(key, state, batch)
        grad_norm = optax.tree.norm(grads)
        finite = jnp.isfinite(metrics["loss"]) & jnp.isfinite(grad_norm)
        updates, opt_state = tx.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        new = dataclasses.replace(
            state,
            step=state.step + 1,
            params=params,
            batch_stats=batch_stats,
            opt_state=opt_state,
        ).followed()
        new = jax.tree.map(lambda n, o: jnp.where(finite, n, o), new, state)
        metrics |= {"count": batch["mask"].sum(), "lr": schedule(state.step)}
        metrics |= {"grad_norm": grad_norm, "finite": finite}
        return new, metrics

    replicated = distributed.replicated(mesh)
    placed = replicated if shardings is None else shardings
    jitted = jax.jit(
        step,
        in_shardings=(replicated, placed, distributed.batch_sharding(mesh)),
        out_shardings=(placed, replicated),
        donate_argnums=1,
        compiler_options=platform.compiler_options(),
    )
    return TrainStep(jitted, mesh, seed)


@dataclasses.dataclass(frozen=True)
class _Gradients:
    """(key, state, batch) -> gradients, metrics, batch statistics after the batch."""

    module: nn.Module
    losses: Sequence[Loss]
    mesh: Mesh
    total_steps: int
    accumulate: int
    teaching: Teaching | None = None
    freeze: tuple[str, ...] = ()

    def __call__(
        self, key: jax.Array, state: State, batch: Any
    ) -> tuple[Any, Metrics, Any]:
        rngs = rngs_at(key, state.step)
        if self.teaching is not None:
            own = jax.random.fold_in(stream_key(key, "mix"), state.step)
            batch = self.teaching(own, batch)
        progress = state.step.astype(jnp.float32) / self.total_steps
        # Micro-batches are sums over one common count: k of them equal one large one.
        total = jnp.maximum(batch["mask"].sum(), 1).astype(jnp.float32)

        def gradients(batch_stats: Any, batch: Any, rngs: Any) -> Any:
            batch = {**batch, PROGRESS: progress}
            arguments = (state.params, batch_stats, batch, rngs, total)
            grads, (metrics, after) = jax.grad(self._loss, has_aux=True)(*arguments)
            return grads, metrics, after

        if self.accumulate == 1:
            return gradients(state.batch_stats, batch, rngs)

        def body(carry: Any, micro: Any) -> tuple[Any, None]:
            index, batch_stats, *sums = carry
            own = {name: jax.random.fold_in(rng, index) for name, rng in rngs.items()}
            grads, metrics, batch_stats = gradients(batch_stats, micro, own)
            sums = jax.tree.map(jnp.add, sums, [grads, metrics])
            return (index + 1, batch_stats, *sums), None

        micro_batches = _split(batch, self.accumulate, self.mesh)
        first = jax.tree.map(lambda x: x[0], micro_batches)
        shapes = jax.eval_shape(gradients, state.batch_stats, first, rngs)
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes[:2])
        carry = (0, state.batch_stats, *zeros)
        (_, batch_stats, grads, metrics), _ = jax.lax.scan(body, carry, micro_batches)
        return grads, metrics, batch_stats

    def _loss(
        self, params: Any, batch_stats: Any, batch: Any, rngs: Any, total: jax.Array
    ) -> tuple[jax.Array, tuple[Metrics, Any]]:
        """Returns sum / total of the weighted losses; metrics, new statistics."""
        with _of_mixtures(batch), parts.still(self.freeze):
            out, updated = self.module.apply(
                {
                    "params": parts.without_gradient(params, self.freeze),
                    "batch_stats": batch_stats,
                },
                batch,
                train=True,
                rngs=rngs,
                mutable=["batch_stats"],
            )
        mask = batch["mask"]
        terms = {}
        for loss in self.losses:
            with _of_mixtures(batch, f"The loss {loss.name!r}"):
                values = loss(out, batch)
            if WEIGHT in batch:
                values = values * batch[WEIGHT]
            values = jnp.where(mask, values, 0.0)  # padding may be anything
            terms[f"loss/{loss.name}"] = values.sum()
        weighted = sum(loss.weight * terms[f"loss/{loss.name}"] for loss in self.losses)
        label = batch["label"] if "label" in batch else batch[TARGET].argmax(axis=-1)
        right = out["logits"].argmax(axis=-1) == label
        metrics = {"loss": weighted, **terms, "correct": (right & mask).sum()}
        return weighted / total, (metrics, updated.get("batch_stats", {}))


@contextlib.contextmanager
def _of_mixtures(batch: Any, who: str = "The model") -> Iterator[None]:
    """Turns asking a mixture of two clips for its one label into an error to read."""
    try:
        yield
    except KeyError as error:
        (asked,) = error.args[:1] or ("",)
        if asked in batch or asked not in OF_ONE_CLIP:
            raise
        raise config_lib.ConfigError(
            f"{who} asks for the {asked} of a clip, which a mixture of two has not. "
            "Set mix.mixup and mix.cutmix to 0, or leave that part of the model out "
            "(of QMF: model.fusion.history=0)."
        ) from error


def _split(batch: Any, parts: int, mesh: Mesh) -> Any:
    """Cuts the rows into micro-batches [k b/k ...] without moving them across devices.

    Every k-th row goes together, so that each device keeps a share of each part.
    """
    sharding = distributed.batch_sharding(mesh, before=1)

    def split(value: jax.Array) -> jax.Array:
        value = einops.rearrange(value, "(b k) ... -> k b ...", k=parts)
        return jax.lax.with_sharding_constraint(value, sharding)

    return jax.tree.map(split, batch)


def make_eval_step(module: nn.Module, inputs: Inputs, *, mesh: Mesh) -> EvalStep:
    """Returns the compiled step (variables, batch) -> what evaluation reads, by row.

    Streams may carry a view axis after the batch axis; the views' softmax scores are
    averaged. Returns ``scores`` [b y], ``scores/NAME`` [b y] for every ``NAME_logits``
    in ``out``, the batch's id, label and mask, and of the model's selection (see
    `SELECTION`) what there is, for the first view.
    """

    def step(variables: Variables, batch: Any) -> Metrics:
        rows = batch["label"].shape[0]
        views = 1
        flat = dict(batch)
        for name, spec in inputs.items():
            if batch[name].ndim == len(spec.shape) + 2:
                views = batch[name].shape[1]
                flat[name] = einops.rearrange(batch[name], "b u ... -> (b u) ...")
        if PRESENT in batch:
            flat[PRESENT] = einops.repeat(batch[PRESENT], "b s -> (b u) s", u=views)
        out: Any = module.apply(variables, flat, train=False)

        def scores(name: str) -> jax.Array:
            of_views = jax.nn.softmax(out[name].astype(jnp.float32))
            return einops.reduce(of_views, "(b u) y -> b y", "mean", b=rows)

        result = {name: batch[name] for name in ("id", "label", "mask")}
        result["scores"] = scores("logits")
        for name in sorted(out):
            if name.endswith(BRANCH) and out[name].shape == out["logits"].shape:
                result[f"scores/{name.removesuffix(BRANCH)}"] = scores(name)
        for name in OF_ITSELF:
            if name in out:
                of_views = out[name].reshape(rows, views)
                result[name] = of_views.mean(axis=1)
        for name in SELECTION:
            if name in out:
                of_views = out[name].reshape(rows, views, *out[name].shape[1:])
                result[name] = of_views[:, 0]
        return result

    by_row = distributed.batch_sharding(mesh)
    # None: the variables are taken as they lie, whole or divided.
    jitted = jax.jit(
        step,
        in_shardings=(None, by_row),
        out_shardings=by_row,
        compiler_options=platform.compiler_options(),
    )
    return EvalStep(jitted)
