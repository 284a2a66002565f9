"""Keyframe selection and salient-region selection (STAFusion, sections 3.2 and 3.3).

Alphabet: b batch, t frames of all streams together, n patches of a frame, d width.
What is kept is a fixed number of frames and regions, so every shape is static.
"""

import functools
import typing
from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxact.devices import platform
from jaxact.layers.fusions import mean_of_present, only_present
from jaxact.layers.mlp import gelu

Estimator = Literal[
    "straight_through", "perturbed", "gathered", "score_function", "none"
]
ESTIMATORS = typing.get_args(Estimator)


class FrameScorer(nn.Module):
    """Scores all frames of both streams against each other (Eq. 1-4).

    ``f_loc = FC1(mean over patches)``, ``f_glo = mean of f_loc over frames``,
    ``s' = FC2([f_loc, f_glo])``, ``s = (s' - min) / (max - min)`` over all frames.

    Takes ``[b t n d]`` and returns scores in [0, 1], ``[b t]`` float32; all scores
    equal gives zeros. All of it is float32: in bfloat16 neighbouring scores swap, and
    other frames are kept. `raw` returns s'.

    As printed FC2 is linear, so that ``f_glo`` adds the same to every frame's score and
    the min-max takes it away again: what the clip shows as a whole cannot matter.

    Attributes:
      nonlinear: local and overall features meet in a hidden layer, with a GELU behind
        it and behind FC1, as in the scorer of STTS (Wang et al. 2022): then it can.
      centred: what it reads of a frame is where it differs from the mean of the clip's
        frames (of its group), brought to one scale by a LayerNorm. Frames of a clip are
        alike, and a layer on what they have in common learns slowly.
      groups: min and max are those of each of this many equal parts of the frames, such
        as streams, so that every part has a frame of 1 and one of 0.
    """

    nonlinear: bool = False
    groups: int = 1
    centred: bool = False

    def __call__(
        self, patches: jax.Array, present: jax.Array | None = None
    ) -> jax.Array:
        """Scores the frames that are ``present [b t]`` (None: all); others get 0."""
        raw = in_groups(self.raw(patches, present), self.groups)
        there = True if present is None else in_groups(present, self.groups)
        low = jnp.where(there, raw, jnp.inf).min(-1, keepdims=True)
        high = jnp.where(there, raw, -jnp.inf).max(-1, keepdims=True)
        if present is not None:  # a row of padding, or a missing stream, has none
            low, high = (jnp.where(jnp.isfinite(x), x, 0) for x in (low, high))
        scores = (raw - low) / jnp.maximum(high - low, 1e-6)  # equal scores: no 0/0
        return only_present(scores.reshape(patches.shape[:2]), present)

    @nn.compact
    def raw(self, patches: jax.Array, present: jax.Array | None = None) -> jax.Array:
        """Returns ``s' [b t]`` of Eq. 3, before it is brought to [0, 1]."""
        width = patches.shape[-1]
        frames = patches.mean(axis=-2, dtype=jnp.float32)
        if self.centred:
            grouped = in_groups(frames, self.groups)
            there = None if present is None else in_groups(present, self.groups)
            apart = grouped - mean_of_present(grouped, there)[:, None]
            frames = nn.LayerNorm(dtype=jnp.float32, name="norm")(apart)
            frames = frames.reshape(*patches.shape[:2], width)
        local = nn.Dense(width // 2, dtype=jnp.float32, name="fc1")(frames)
        if self.nonlinear:
            local = gelu(local)
        overall = mean_of_present(local, present)[:, None]
        overall = jnp.broadcast_to(overall, local.shape)
        both = jnp.concatenate([local, overall], axis=-1)
        if self.nonlinear:
            hidden = nn.Dense(width // 2, dtype=jnp.float32, name="hidden")(both)
            both = gelu(hidden)
        return nn.Dense(1, dtype=jnp.float32, name="fc2")(both)[..., 0]


def in_groups(x: jax.Array, groups: int) -> jax.Array:
    """Makes of each of ``[b t ...]`` as many rows: ``[b*groups t/groups ...]``."""
    return x.reshape(-1, x.shape[1] // groups, *x.shape[2:])


def count(fraction: float, total: int) -> int:
    """Returns how many of ``total`` a config's fraction means: round half up."""
    return int(fraction * total + 0.5)


def frame_counts(frames: int, k1: float, k2: float) -> tuple[int, int]:
    """Returns the numbers of key and secondary key frames among ``frames``.

    Raises:
      ValueError: a fraction is negative, or the two are more than all frames.
    """
    key, secondary = count(k1, frames), count(k2, frames)
    if k1 < 0 or k2 < 0 or key + secondary > frames:
        raise ValueError(
            f"Got k1={k1} and k2={k2}: {key} + {secondary} of {frames} frames. Both "
            "are fractions of the frames of all streams together; k1 + k2 must be "
            "<= 1."
        )
    return key, secondary


def region_counts(patches: int, r1: float, r2: float) -> tuple[int, int]:
    """Returns how many of a frame's patches a key and a secondary key frame keep."""
    if not (0 <= r1 <= 1 and 0 <= r2 <= 1):
        raise ValueError(f"Got r1={r1} and r2={r2}; both must be in [0, 1].")
    return count(r1, patches), count(r2, patches)


def _descending_rank(scores: jax.Array) -> jax.Array:
    """Returns each entry's place in descending order; ties break by index."""
    if platform.is_portable():  # counted: how many are larger, or equal and before it
        here, other = scores[..., :, None], scores[..., None, :]
        count = scores.shape[-1]
        before = np.arange(count)[None, :] < np.arange(count)[:, None]
        before = np.broadcast_to(before, (1,) * (scores.ndim - 1) + before.shape)
        larger = (other > here) | ((other == here) & before)
        return larger.astype(jnp.int32).sum(axis=-1)
    order = jnp.argsort(-scores, axis=-1, stable=True)
    return jnp.argsort(order, axis=-1)


def select_frames(
    scores: jax.Array, k1: float, k2: float, present: jax.Array | None = None
) -> jax.Array:
    """Marks the best ``k1`` of the frames as key, the next ``k2`` as secondary.

    Args:
      scores: ``[b t]``, all streams' frames; see `FrameScorer`.
      k1, k2: fractions of t.
      present: bool ``[b t]``, the frames that there are: the fractions are of their
        number, and no other is chosen. None: all.

    Returns:
      Marks ``[b t]`` int32: 2 key frame, 1 secondary key frame, 0 background.
    """
    key: Any
    secondary: Any
    key, secondary = frame_counts(scores.shape[-1], k1, k2)
    scores = jax.lax.stop_gradient(scores)
    if present is not None:
        scores = jnp.where(present, scores, -jnp.inf)
        number = present.sum(axis=-1, keepdims=True)
        key, secondary = (jnp.floor(k * number + 0.5) for k in (k1, k2))
        # Rounded up apart, both may be more than there are.
        secondary = jnp.minimum(secondary, number - key)
    rank = _descending_rank(scores)
    marks = (rank < key).astype(jnp.int32) + (rank < key + secondary)
    return marks.astype(jnp.int32)


def select_regions(
    scores: jax.Array, marks: jax.Array, r1: float, r2: float
) -> jax.Array:
    """Keeps the best regions of each frame, as many as its mark allows (Eq. 8).

    Args:
      scores: region scores ``[b t n]``.
      marks: frame marks ``[b t]`` of `select_frames`.
      r1, r2: fractions of n kept in key and in secondary key frames.

    Returns:
      keep ``[b t n]`` bool; nothing of a background frame is kept.
    """
    key, secondary = region_counts(scores.shape[-1], r1, r2)
    allowed = jnp.array([0, secondary, key])[marks]
    return _descending_rank(jax.lax.stop_gradient(scores)) < allowed[..., None]


Choose = Callable[[jax.Array], jax.Array]  # ranks [m b t] to what is chosen [m b ...]


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _perturbed(
    scores: jax.Array, noise: jax.Array, choose: Choose, sigma: jax.Array
) -> jax.Array:
    """Returns the mean choice over samples of noise ``[m b t]``."""
    return _choices(scores, noise, choose, sigma).mean(axis=0)


def _choices(
    scores: jax.Array, noise: jax.Array, choose: Choose, sigma: jax.Array
) -> jax.Array:
    return choose(_descending_rank(scores[None] + sigma * noise)).astype(jnp.float32)


def _perturbed_forward(
    scores: jax.Array, noise: jax.Array, choose: Choose, sigma: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array, jax.Array]]:
    samples = _choices(scores, noise, choose, sigma)
    return samples.mean(axis=0), (samples, noise, sigma)


def _perturbed_backward(
    choose: Choose, residuals: tuple[jax.Array, jax.Array, jax.Array], grad: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    del choose
    samples, noise, sigma = residuals
    samples = samples.reshape(*samples.shape[:2], -1)
    along = jnp.einsum("mbx,bx->mb", samples, grad.reshape(grad.shape[0], -1))
    scores = jnp.einsum("mb,mbt->bt", along, noise) / (sigma * samples.shape[0])
    return scores, jnp.zeros_like(noise), jnp.zeros_like(sigma)


_perturbed.defvjp(_perturbed_forward, _perturbed_backward)


def perturbed_top_k(
    rng: jax.Array,
    scores: jax.Array,
    k: int,
    sigma: float | jax.Array,
    samples: int = 500,
) -> jax.Array:
    """Returns how often each frame is among the top k under Gaussian noise.

    ``E[top_k(s + sigma Z)]`` with the gradient ``E[top_k(s + sigma Z) Z^T] / sigma``,
    the perturbed-maximum estimator (Berthet et al. 2020; used for frame selection by
    STTS, Wang et al. 2022).

    Args:
      rng: key of the noise.
      scores: ``[b t]`` float32.
      k: how many are selected.
      sigma: standard deviation of the noise; greater than 0.
      samples: number of noise samples.

    Returns:
      Inclusion probabilities ``[b t]``; each row sums to k.
    """
    noise = jax.random.normal(rng, (samples, *scores.shape), jnp.float32)
    sigma = jnp.asarray(sigma, jnp.float32)
    return _perturbed(scores.astype(jnp.float32), noise, lambda r: r < k, sigma)


def perturbed_gather(
    rng: jax.Array,
    scores: jax.Array,
    counts: tuple[int, int],
    sigma: float | jax.Array,
    samples: int = 500,
) -> jax.Array:
    """Returns how often each place is filled by each frame under Gaussian noise.

    The indicator by which STTS (Wang et al. 2022) gathers frames in training: place j
    of all features is ``sum_t indicator_jt features_t``. A frame that is not among the
    best thus has a part, and the scorer learns what it would have brought.

    Args:
      rng, scores, sigma, samples: as in `perturbed_top_k`, as is the gradient.
      counts: numbers of key and secondary frames, see `frame_counts`.

    Returns:
      ``[b k t]``, k places: the key frames in their order in time, then the secondary
      ones; each row sums to 1.
    """
    noise = jax.random.normal(rng, (samples, *scores.shape), jnp.float32)
    key, secondary = counts

    def places(rank: jax.Array) -> jax.Array:
        parts = []
        for chosen, number in (
            (rank < key, key),
            ((rank >= key) & (rank < key + secondary), secondary),
        ):
            place = jnp.cumsum(chosen, axis=-1)[..., None, :] - 1
            at = place == jnp.arange(number)[None, None, :, None]
            parts.append(chosen[..., None, :] & at)
        return jnp.concatenate(parts, axis=-2)

    sigma = jnp.asarray(sigma, jnp.float32)
    return _perturbed(scores.astype(jnp.float32), noise, places, sigma)


def log_choice(
    scores: jax.Array,
    noisy: jax.Array,
    marks: jax.Array,
    sigma: float,
    present: jax.Array | None = None,
) -> jax.Array:
    """Returns the log-probability of the frames chosen, in the order of their scores.

    With ``noisy = scores + sigma * Gumbel noise`` the frames come one after another
    without replacement, each with probability softmax(scores / sigma) among those that
    are left (Plackett-Luce; Kool et al. 2019): the sum over the chosen of ``s_i / sigma
    - logsumexp(s / sigma of those left)``. Times the cost of the choice its gradient is
    the score-function estimator (Williams 1992).

    Args:
      scores: ``[b t]``; the gradient flows into them.
      noisy: ``[b t]``, by which ``marks [b t]`` were chosen.
      sigma: the temperature.
      present: as in `select_frames`.

    Returns:
      ``[b]`` float32.
    """
    logits = scores.astype(jnp.float32) / sigma
    if present is not None:
        logits, noisy = (jnp.where(present, x, -1e9) for x in (logits, noisy))
    order = jnp.argsort(-noisy, axis=-1, stable=True)
    logits = jnp.take_along_axis(logits, order, axis=-1)
    chosen = jnp.take_along_axis(marks, order, axis=-1) > 0
    left = jax.lax.cumlogsumexp(logits, axis=logits.ndim - 1, reverse=True)
    return jnp.where(chosen, logits - left, 0).sum(axis=-1)


def frame_weights(
    scores: jax.Array, estimator: str, *, inclusion: jax.Array | None = None
) -> jax.Array:
    """Returns the factors ``[b t]`` by which selected frames' features are multiplied.

    A hard choice gives the scorer no gradient; these factors carry it.

    Args:
      scores: ``[b t]`` of `FrameScorer`.
      estimator: "straight_through": the factor is exactly 1 in value and has the
        score's gradient; "perturbed": the factor is ``inclusion``, or 1 when that is
        None (testing); "gathered" and "score_function", whose gradient takes another
        way, and "none" (the paper as printed): exactly 1, no gradient.
      inclusion: result of `perturbed_top_k`, in training with "perturbed".
    """
    if estimator not in ESTIMATORS:
        raise ValueError(f"Got estimator {estimator!r}; expected one of {ESTIMATORS}.")
    if estimator == "straight_through":
        # scores - stop_gradient(scores) is exactly 0, so the factor is exactly 1.
        return 1.0 + (scores - jax.lax.stop_gradient(scores))
    if estimator == "perturbed" and inclusion is not None:
        return inclusion
    return jnp.ones_like(scores)
