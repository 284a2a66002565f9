"""What a batch teaches: clips mixed in pairs, softened labels, weights of classes.

Inside the compiled step, on the whole batch wherever its rows lie: a function of the
seed, the step and the batch, whatever the number of devices and hosts. Alphabet: b
batch, s streams, t frames, h w height and width, m persons, v joints, y classes.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxact import config as config_lib
from jaxact import errors
from jaxact.batch import FARTHEST, PRESENT, STREAMS, TARGET, WEIGHT
from jaxact.out import JOINTS_SEEN, TRUTH
from jaxact.state import Inputs

# What a mixture of two clips has not: one label, and a row of the index.
OF_ONE_CLIP = ("label", "id")


@dataclasses.dataclass(frozen=True)
class Teaching:
    """(key, batch) -> the batch as it is taught.

    Attributes:
      mix: how clips are mixed.
      inputs: the streams.
      classes: how many there are.
      smoothing: the share of a label that is spread over all classes.
      weights: of an example's losses by its label [y]; (): all 1.
    """

    mix: config_lib.MixConfig
    inputs: Inputs
    classes: int
    smoothing: float = 0.0
    weights: Sequence[float] = ()

    def __post_init__(self) -> None:
        """Refuses what cannot be done."""
        mix = self.mix
        for name, value, most in (
            ("mix.mixup", mix.mixup, float("inf")),
            ("mix.cutmix", mix.cutmix, float("inf")),
            ("mix.probability", mix.probability, 1.0),
            ("train.label_smoothing", self.smoothing, 0.999),
        ):
            if not 0 <= value <= most:
                raise config_lib.ConfigError(
                    f"{name} is {value:g}; expected 0 or more"
                    + (f", and at most {most:g}." if most <= 1 else ".")
                )
        joints = [name for name in self.inputs if STREAMS[name].kind == "joints"]
        if joints and (mix.mixup or mix.cutmix and mix.along == "space"):
            raise config_lib.ConfigError(
                f"The model reads {', '.join(joints)}: joints half way between two "
                "people are nobody's, and no box cuts them. Set mix.mixup to 0, and "
                "mix.along to time: cutmix then takes a part of the clip's time from "
                "the other clip, in all streams alike."
            )

    @property
    def mixes(self) -> bool:
        """Whether clips are mixed."""
        return bool(self.mix.mixup or self.mix.cutmix)

    def __call__(self, key: jax.Array, batch: Any) -> dict[str, Any]:
        """Returns the batch with `TARGET` [b y] and, of weighted classes, `WEIGHT` [b].

        Mixed clips have no label and no id any more.
        """
        target = jax.nn.one_hot(batch["label"], self.classes)
        batch = dict(batch)
        if self.mixes:
            if told := [name for name in (*TRUTH, JOINTS_SEEN) if name in batch]:
                raise errors.UserError(
                    f"The batches have {', '.join(told)}, which a mixture of two clips "
                    "has not. Set data.truth and data.joints_seen to False, or "
                    "mix.mixup and cutmix to 0."
                )
            streams, share = mixed(key, batch, self.mix, self.inputs)
            batch |= streams
            share = share[:, None]
            target = share * target + (1 - share) * jnp.flip(target, 0)
            batch = {k: v for k, v in batch.items() if k not in OF_ONE_CLIP}
        if self.weights:
            batch[WEIGHT] = target @ jnp.asarray(self.weights, jnp.float32)
        smooth = self.smoothing
        return batch | {TARGET: (1 - smooth) * target + smooth / self.classes}


def mixed(
    key: jax.Array, batch: Any, mix: config_lib.MixConfig, inputs: Inputs
) -> tuple[dict[str, jax.Array], jax.Array]:
    """Mixes every clip with its partner: row i with row b - 1 - i.

    mixup (Zhang et al., 2018): ``l x + (1 - l) x'``, l of Beta(a, a). CutMix (Yun et
    al., 2019) in space: a box of ``sqrt(1 - l)`` of height and width, its centre
    anywhere, cut off at the border, is the partner's in all frames; in time: a stretch
    of ``1 - l`` of the clip, anywhere. Where both are on, either is as likely. A clip's
    draws are its own, and the same for all of its streams: partner, l, and box or
    stretch in fractions of the frame or of the clip. Clips that lack other streams than
    their partners are left as they are, as is one without a partner.

    Returns:
      The streams, of the types they had, and the share [b] of each that is its own: l,
      or the share of the pixels or frames, mean of the streams.
    """
    rows = batch["mask"].shape[0]
    keys = jax.random.split(key, 6)
    cut = jnp.full(rows, bool(mix.cutmix))
    if mix.mixup and mix.cutmix:
        cut = jax.random.uniform(keys[0], (rows,)) < 0.5
    applies = jax.random.uniform(keys[1], (rows,)) < mix.probability
    applies &= batch["mask"] & jnp.flip(batch["mask"], 0)
    if PRESENT in batch:
        there = batch[PRESENT]
        applies &= (there == jnp.flip(there, 0)).all(axis=1)
    kept = jnp.ones(rows)
    if mix.mixup:
        kept = jax.random.beta(keys[2], mix.mixup, mix.mixup, (rows,))
    blend = jnp.where(applies & ~cut, kept, 1.0)
    gone = jnp.zeros(rows)
    if mix.cutmix:
        gone = 1 - jax.random.beta(keys[3], mix.cutmix, mix.cutmix, (rows,))
    gone = jnp.where(applies & cut, gone, 0.0)
    place = jax.random.uniform(keys[4], (rows, 2))
    streams, shares = {}, []
    for name in inputs:
        x = batch[name]
        partner = jnp.flip(x, 0)
        y = _blended(name, x, partner, 1 - blend) if mix.mixup else x
        taken = jnp.zeros((rows, *(1,) * (x.ndim - 1)), bool)
        if mix.cutmix:
            taken = _cut(name, x.shape, mix.along, gone, place)
            y = jnp.where(taken, partner, y)
        streams[name] = y
        shares.append(taken.mean(axis=tuple(range(1, x.ndim)), dtype=jnp.float32))
    return streams, blend - jnp.stack(shares).mean(axis=0)


def _blended(
    name: str, x: jax.Array, partner: jax.Array, share: jax.Array
) -> jax.Array:
    """Returns ``(1 - share) x + share partner``, in the nearest values of its type.

    Depth that was not measured is far away, as it is to the model.
    """
    weight = share.reshape(-1, *(1,) * (x.ndim - 1))
    own, other = x.astype(jnp.float32), partner.astype(jnp.float32)
    if STREAMS[name].dtype == "uint16":
        far = 1000 * FARTHEST
        own, other = (jnp.where(d > 0, jnp.minimum(d, far), far) for d in (own, other))
    y = jnp.round(own + weight * (other - own)).astype(x.dtype)
    return jnp.where(weight > 0, y, x)


def _cut(
    name: str,
    shape: tuple[int, ...],
    along: str,
    gone: jax.Array,
    place: jax.Array,
) -> jax.Array:
    """Returns where a stream is the partner's, bool, to be broadcast over its axes."""
    if along == "time":
        axis = 2 if STREAMS[name].kind == "joints" else 1
        start = (1 - gone) * place[:, 0]
        inside = _inside(shape[axis], start, start + gone)
        return _to(inside, axis, len(shape))
    half = jnp.sqrt(gone) / 2
    rows, columns = (
        _inside(size, place[:, i] - half, place[:, i] + half)
        for i, size in enumerate(shape[2:4])
    )
    return _to(rows, 2, len(shape)) & _to(columns, 3, len(shape))


def _inside(size: int, start: jax.Array, end: jax.Array) -> jax.Array:
    """Returns which of ``size`` parts of a whole have their middle in it, [b size]."""
    middle = (jnp.arange(size)[None] + 0.5) / size
    return (start[:, None] <= middle) & (middle < end[:, None])


def _to(x: jax.Array, axis: int, ndim: int) -> jax.Array:
    """Puts the second axis of [b n] where it belongs."""
    shape = [1] * ndim
    shape[0], shape[axis] = x.shape
    return x.reshape(shape)


def class_weights(counts: Sequence[int], balance: float) -> tuple[float, ...]:
    """Returns the weights of classes with so many training clips, [y]; (): all 1.

    In proportion to ``n ** -balance``; the mean over all training clips is 1. A class
    without a clip has 0.

    Raises:
      ConfigError: the balance is no fraction.
    """
    if not 0 <= balance <= 1:
        raise config_lib.ConfigError(
            f"train.class_balance is {balance:g}; expected 0 (all clips alike) to 1 "
            "(all classes alike)."
        )
    if not balance or not any(counts):
        return ()
    raw = [n**-balance if n else 0.0 for n in counts]
    mean = sum(n * w for n, w in zip(counts, raw, strict=True)) / sum(counts)
    return tuple(w / mean for w in raw)
