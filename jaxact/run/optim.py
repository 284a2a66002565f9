"""Optimisers and learning-rate schedules from their configs, through optax."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxact import config as config_lib
from jaxact.run.parts import scale_by_part


def learning_rate(optim: config_lib.OptimConfig, batch_size: int) -> float:
    """Returns the peak learning rate: lr, times batch_size / reference_batch if set.

    The linear scaling rule of Goyal et al., "Accurate, Large Minibatch SGD" (2017).
    """
    if optim.reference_batch > 0:
        return optim.lr * batch_size / optim.reference_batch
    return optim.lr


def make_schedule(
    schedule: config_lib.ScheduleConfig,
    peak: float,
    steps_per_epoch: float,
    total_steps: int,
) -> optax.Schedule:
    """Returns step -> learning rate.

    Warm-up multiplies by (step + 1) / warm-up steps, so that no step is lost at rate
    0 and the peak is reached on the last one. Milestones count from the start of
    training, warm-up included. Cosine falls to 0 from the end of the warm-up to
    ``total_steps``; "exponential" is decay ** epochs, continuously.

    Raises:
      ConfigError: the warm-up fills the whole training.
    """
    warmup = schedule.warmup_epochs * steps_per_epoch
    if warmup and warmup >= total_steps:
        raise config_lib.ConfigError(
            f"schedule.warmup_epochs = {schedule.warmup_epochs} is {warmup:.0f} steps, "
            f"but the training has only {total_steps}. Lower schedule.warmup_epochs "
            "or raise train.epochs."
        )
    milestones = [epoch * steps_per_epoch for epoch in schedule.milestones]

    def factor(step: jax.Array) -> jax.Array:
        if schedule.kind == "step":
            passed = sum(jnp.where(step >= m, 1.0, 0.0) for m in milestones)
            return jnp.asarray(schedule.decay**passed)
        if schedule.kind == "cosine":
            done = jnp.clip((step - warmup) / (total_steps - warmup), 0.0, 1.0)
            return 0.5 * (1 + jnp.cos(jnp.pi * done))
        if schedule.kind == "exponential":
            return schedule.decay ** (step / steps_per_epoch)
        return jnp.ones(())

    def rate(step: Any) -> jax.Array:
        step = jnp.asarray(step, jnp.float32)
        warm = jnp.minimum(1.0, (step + 1) / warmup) if warmup else 1.0
        return peak * warm * factor(step)

    return rate


_NO_DECAY = ("bias", "scale", "token", "position", "embedding", "centres", "assignment")


def decay_mask(params: Any) -> Any:
    """Says which parameters weight decay applies to, as a tree of bools.

    A leaf named ``kernel`` decays. Another one decays if it has two axes or more and
    no part of its path names a bias, scale, token, position, embedding, centre or
    assignment, nor is it a time embedding: class tokens, embeddings of place and time
    and NetVLAD's clusters are points, not maps, and must not be drawn to 0.
    """

    def decays(path: tuple[Any, ...], leaf: Any) -> bool:
        names = [name.lower() for name in _names(path)]
        if names[-1] == "kernel":
            return True
        marked = any(word in name for name in names for word in _NO_DECAY)
        marked = marked or names[-1] == "time"
        return len(leaf.shape) >= 2 and not marked

    return jax.tree_util.tree_map_with_path(decays, params)


# What stands in a backbone, by name: a block, by the number of its stage and its own;
# what takes a stage's maps to the next one; what follows all of them.
_BLOCK = re.compile(r"(?:blocks|stage(\d+)|res(\d+))_(\d+)")
_MERGING = re.compile(r"merging(?:_norm)?_(\d+)")
_LAST = "final_norm"


def layer_scales(params: Any, decay: float) -> Any:
    """Returns by what each parameter's rate is multiplied, as a tree of floats.

    ``decay ** (L + 1 - i)`` in block i of a backbone's L, counted from 1; i is 0 of
    what stands before them, L + 1 of all that stands behind them or outside of a
    backbone (layer-wise decay: Bao et al., "BEiT", 2022). What takes a stage's maps to
    the next stage belongs to its last block.

    Raises:
      ConfigError: there is no backbone, or one that is no row of blocks.
    """
    blocks: dict[tuple[str, ...], set[tuple[int, int]]] = {}
    for path, _ in jax.tree_util.tree_leaves_with_path(params):
        backbone, name = _in_backbone(path)
        if backbone:
            blocks.setdefault(backbone, set()).update(filter(None, [_block(name)]))
    without = ["/".join(backbone) for backbone, found in blocks.items() if not found]
    if without or not blocks:
        raise config_lib.ConfigError(
            f"optim.layer_decay is {decay}, but {', '.join(without) or 'the model'} is "
            "no row of blocks. Set it to 1."
        )

    def scale(path: tuple[Any, ...], _: Any) -> float:
        backbone, name = _in_backbone(path)
        if not backbone or name == _LAST:
            return 1.0
        order, layer = sorted(blocks[backbone]), 0
        if block := _block(name):
            layer = order.index(block) + 1
        elif merging := _MERGING.fullmatch(name):
            layer = sum(stage <= int(merging[1]) for stage, _ in order)
        return decay ** (len(order) + 1 - layer)

    return jax.tree_util.tree_map_with_path(scale, params)


def _in_backbone(path: tuple[Any, ...]) -> tuple[tuple[str, ...], str]:
    """Returns the backbone that a parameter is in, () if in none, and what is next."""
    names = _names(path)
    for end, name in enumerate(names[:-1], 1):
        if name.startswith("backbone"):
            return tuple(names[:end]), names[end]
    return (), names[-1]


def _names(path: tuple[Any, ...]) -> list[str]:
    return [str(getattr(key, "key", key)) for key in path]


def _block(name: str) -> tuple[int, int] | None:
    found = _BLOCK.fullmatch(name)
    return (int(found[1] or found[2] or 0), int(found[3])) if found else None


def scale_by_layer(decay: float) -> optax.GradientTransformation:
    """Multiplies updates by `layer_scales`."""

    def init(params: Any) -> optax.EmptyState:
        layer_scales(params, decay)  # raises what it cannot do
        return optax.EmptyState()

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        scales = layer_scales(updates, decay)
        return jax.tree.map(lambda u, s: u * s, updates, scales), state

    return optax.GradientTransformation(init, update)


def make_optimizer(
    optim: config_lib.OptimConfig, schedule: optax.Schedule
) -> optax.GradientTransformation:
    """Returns clip -> (L2) -> optimiser -> parts -> layers, as `OptimConfig` says.

    Raises:
      ConfigError: a decay by layer that is none.
    """
    if not 0.0 < optim.layer_decay <= 1.0:
        raise config_lib.ConfigError(
            f"optim.layer_decay is {optim.layer_decay}; expected above 0, at most 1."
        )
    l2 = optax.add_decayed_weights(optim.weight_decay, mask=decay_mask)
    if optim.optimizer == "sgd":
        parts = [l2, optax.sgd(schedule, optim.momentum or None, optim.nesterov)]
    elif optim.optimizer == "adam":
        parts = [l2, optax.adam(schedule)]
    else:  # adamw
        decay = optim.weight_decay
        parts = [optax.adamw(schedule, weight_decay=decay, mask=decay_mask)]
    if optim.clip_norm > 0:
        parts.insert(0, optax.clip_by_global_norm(optim.clip_norm))
    if optim.part_lr or optim.freeze:
        parts.append(scale_by_part(optim))
    if optim.layer_decay < 1.0:
        parts.append(scale_by_layer(optim.layer_decay))
    return optax.chain(*parts)
