"""The state of training and the two compiled steps that every model family shares."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from jaxact.batch import PROGRESS
from jaxact.devices import distributed, platform
from jaxact.losses import Loss
from jaxact.out import BRANCH, SELECTION
from jaxact.state import Inputs, Metrics, State, rngs_at, stream_key


def _key_shape() -> Any:
    return jax.eval_shape(lambda: jax.random.key(0))


def _initializer(
    module: nn.Module, tx: optax.GradientTransformation, inputs: Inputs
) -> Callable[[jax.Array], State]:
    def init(key: jax.Array) -> State:
        batch = {
            name: jnp.zeros((1, *spec.shape), spec.dtype)
            for name, spec in inputs.items()
        }
        batch |= {"label": jnp.zeros(1, jnp.int32), "mask": jnp.ones(1, bool)}
        rngs = {"params": stream_key(key, "params"), **rngs_at(key, 0)}
        variables = dict(module.init(rngs, batch, train=False))
        params = variables.pop("params")
        batch_stats = variables.pop("batch_stats", {})
        if variables:
            raise ValueError(
                f"{type(module).__name__} has collections {sorted(variables)}; only "
                "params and batch_stats are kept in the state."
            )
        return State(jnp.zeros((), jnp.int32), params, batch_stats, tx.init(params))

    return init


def abstract_state(
    module: nn.Module, tx: optax.GradientTransformation, inputs: Inputs, mesh: Mesh
) -> State:
    """Returns the state's shapes, dtypes and shardings without computing anything."""
    shapes = jax.eval_shape(_initializer(module, tx, inputs), _key_shape())
    return jax.tree.map(
        lambda x, sharding: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding),
        shapes,
        distributed.state_shardings(shapes, mesh),
    )


def create_state(
    module: nn.Module,
    tx: optax.GradientTransformation,
    inputs: Inputs,
    mesh: Mesh,
    seed: int,
) -> State:
    """Initialises the state on the devices; equal for every number of devices."""
    init = _initializer(module, tx, inputs)
    shardings = distributed.state_shardings(jax.eval_shape(init, _key_shape()), mesh)
    return jax.jit(init, out_shardings=shardings)(jax.random.key(seed))


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
    shardings: State | None = None,
) -> Callable[[State, Mapping[str, jax.Array]], tuple[State, Metrics]]:
    """Returns the compiled step (state, batch) -> (state, metrics).

    The state is donated: use the returned one. The loss is the mean over examples
    whose mask is True of sum_i weight_i * loss_i. With ``accumulate`` = k the batch is
    cut into k micro-batches whose gradients are added before the one update; batch
    norm then sees micro-batches, one after another. The state stays as ``shardings``
    say, by default a copy on every device. ``.lower(state, batch)`` of what is returned
    takes shapes and is for compiling ahead of time.

    Metrics are sums over examples (``loss``, ``loss/NAME``, ``correct``) and their
    ``count``, then ``lr``, ``grad_norm`` and ``finite``. Where loss or gradient is not
    finite the state comes back unchanged, so that the last good one is not lost.
    """

    def loss_fn(
        params: Any, batch_stats: Any, batch: Any, rngs: Any, progress: Any, total: Any
    ) -> tuple[jax.Array, tuple[Metrics, Any]]:
        variables = {"params": params, "batch_stats": batch_stats}
        batch = {**batch, PROGRESS: progress}
        out, updated = module.apply(
            variables,
            batch,
            train=True,
            rngs=rngs,
            mutable=["batch_stats"],
        )
        mask = batch["mask"]
        terms = {}
        for loss in losses:
            values = jnp.where(mask, loss(out, batch), 0.0)  # padding may be anything
            terms[f"loss/{loss.name}"] = values.sum()
        weighted = sum(loss.weight * terms[f"loss/{loss.name}"] for loss in losses)
        right = out["logits"].argmax(axis=-1) == batch["label"]
        metrics = {"loss": weighted, **terms, "correct": (right & mask).sum()}
        return weighted / total, (metrics, updated.get("batch_stats", {}))

    grad_fn = jax.grad(loss_fn, has_aux=True)

    def step_fn(key: jax.Array, state: State, batch: Any) -> tuple[State, Metrics]:
        rngs = rngs_at(key, state.step)
        progress = state.step.astype(jnp.float32) / total_steps
        count = batch["mask"].sum()
        # Micro-batches are sums over one common count: k of them equal one large one.
        total = jnp.maximum(count, 1).astype(jnp.float32)

        if accumulate == 1:
            grads, (metrics, batch_stats) = grad_fn(
                state.params, state.batch_stats, batch, rngs, progress, total
            )
        else:

            def body(carry: Any, micro: Any) -> tuple[Any, None]:
                index, batch_stats, *sums = carry
                micro_rngs = {
                    name: jax.random.fold_in(rng, index) for name, rng in rngs.items()
                }
                grads, (metrics, batch_stats) = grad_fn(
                    state.params, batch_stats, micro, micro_rngs, progress, total
                )
                sums = jax.tree.map(jnp.add, sums, [grads, metrics])
                return (index + 1, batch_stats, *sums), None

            micro_batches = _split(batch, accumulate, mesh)
            first = jax.tree.map(lambda x: x[0], micro_batches)
            shapes = jax.eval_shape(
                grad_fn,
                state.params,
                state.batch_stats,
                first,
                rngs,
                progress,
                total,
            )
            zero_grads, (zero_metrics, _) = jax.tree.map(
                lambda x: jnp.zeros(x.shape, x.dtype), shapes
            )
            carry = (0, state.batch_stats, zero_grads, zero_metrics)
            (_, batch_stats, grads, metrics), _ = jax.lax.scan(
                body, carry, micro_batches
            )

        grad_norm = optax.tree.norm(grads)
        finite = jnp.isfinite(metrics["loss"]) & jnp.isfinite(grad_norm)
        updates, opt_state = tx.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        new = State(state.step + 1, params, batch_stats, opt_state)
        new = jax.tree.map(lambda n, o: jnp.where(finite, n, o), new, state)
        metrics |= {"count": count, "lr": schedule(state.step)}
        metrics |= {"grad_norm": grad_norm, "finite": finite}
        return new, metrics

    replicated = distributed.replicated(mesh)
    placed = replicated if shardings is None else shardings
    compiled = jax.jit(
        step_fn,
        in_shardings=(replicated, placed, distributed.batch_sharding(mesh)),
        out_shardings=(placed, replicated),
        donate_argnums=1,
        compiler_options=platform.compiler_options(),
    )

    # An argument, not a constant: another seed then finds the compiled step in cache.
    @functools.cache
    def key() -> jax.Array:
        with jax.transfer_guard("allow"):
            make = jax.jit(jax.random.key, out_shardings=replicated)
            return make(np.uint32(seed))

    def train_step(state: State, batch: Any) -> tuple[State, Metrics]:
        return compiled(key(), state, batch)

    def lower(state: State, batch: Any) -> Any:
        shape = _key_shape()
        return compiled.lower(
            jax.ShapeDtypeStruct(shape.shape, shape.dtype, sharding=replicated),
            state,
            batch,
        )

    train_step.compiled = compiled  # type: ignore[attr-defined]
    train_step.lower = lower  # type: ignore[attr-defined]
    return train_step


def _split(batch: Any, parts: int, mesh: Mesh) -> Any:
    """Cuts the rows into micro-batches [k b/k ...] without moving them across devices.

    Every k-th row goes together, so that each device keeps a share of each part.
    """
    sharding = distributed.batch_sharding(mesh, before=1)

    def split(value: jax.Array) -> jax.Array:
        value = einops.rearrange(value, "(b k) ... -> k b ...", k=parts)
        return jax.lax.with_sharding_constraint(value, sharding)

    return jax.tree.map(split, batch)


def make_eval_step(
    module: nn.Module, inputs: Inputs, *, mesh: Mesh
) -> Callable[[State, Mapping[str, jax.Array]], Metrics]:
    """Returns the compiled step (state, batch) -> what evaluation reads, by row.

    Streams may carry a view axis after the batch axis; the views' softmax scores are
    averaged. Returns ``scores`` [b y], ``scores/NAME`` [b y] for every ``NAME_logits``
    in ``out``, the batch's id, label and mask, and of the model's selection (see
    `SELECTION`) what there is, for the first view.
    """

    def step_fn(params: Any, batch_stats: Any, batch: Any) -> Metrics:
        rows = batch["label"].shape[0]
        views = 1
        flat = dict(batch)
        for name, spec in inputs.items():
            if batch[name].ndim == len(spec.shape) + 2:
                views = batch[name].shape[1]
                flat[name] = einops.rearrange(batch[name], "b u ... -> (b u) ...")
        variables = {"params": params, "batch_stats": batch_stats}
        out: Any = module.apply(variables, flat, train=False)

        def scores(name: str) -> jax.Array:
            of_views = jax.nn.softmax(out[name].astype(jnp.float32))
            return einops.reduce(of_views, "(b u) y -> b y", "mean", b=rows)

        result = {name: batch[name] for name in ("id", "label", "mask")}
        result["scores"] = scores("logits")
        for name in sorted(out):
            if name.endswith(BRANCH) and out[name].shape == out["logits"].shape:
                result[f"scores/{name.removesuffix(BRANCH)}"] = scores(name)
        for name in SELECTION:
            if name in out:
                result[name] = out[name].reshape(rows, views, *out[name].shape[1:])[
                    :, 0
                ]
        return result

    by_row = distributed.batch_sharding(mesh)
    # None: the state is taken as it lies, whole or divided.
    compiled = jax.jit(
        step_fn,
        in_shardings=(None, None, by_row),
        out_shardings=by_row,
        compiler_options=platform.compiler_options(),
    )

    def eval_step(state: State, batch: Any) -> Metrics:
        return compiled(state.params, state.batch_stats, batch)

    eval_step.compiled = compiled  # type: ignore[attr-defined]
    return eval_step
