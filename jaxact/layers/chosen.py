"""Which frames and regions STAFusion's student sees: chosen by scores, or given.

Given frames and regions say what a choice can be worth at all: those that the truth
names are the ceiling, fixed positions are what one gets without looking.

Alphabet: b batch, t frames of all streams together, n patches of a frame, d width.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import einops
import jax
import jax.numpy as jnp
import numpy as np

from jaxact import errors
from jaxact.batch import PROGRESS
from jaxact.layers import selection
from jaxact.layers.fusions import only_present
from jaxact.layers.salience import RAW_SCORES
from jaxact.out import ACTOR_BOX, ACTOR_VISIBLE, KEY, SECONDARY, patch_grid

FramesFrom = Literal["scores", "truth", "positions"]
RegionsFrom = Literal["rollout", "truth"]
# What a batch must say where the truth chooses.
GIVEN = (ACTOR_VISIBLE, ACTOR_BOX)


class Chosen(NamedTuple):
    """What was chosen.

    Attributes:
      scores: of frames ``[b t]``, by which they were chosen.
      marks: ``[b t]``, see `selection.select_frames`.
      region_scores: ``[b t n]``, by which regions were chosen.
      keep: ``[b t n]`` bool.
      weights: ``[b t]``, see `selection.frame_weights`.
      places: ``[b k t]``, the indicator that gathers frames into k places, of which
        marks, keep and weights then are; None: they are of the frames.
      more: what losses read besides.
    """

    scores: jax.Array
    marks: jax.Array
    region_scores: jax.Array
    keep: jax.Array
    weights: jax.Array
    places: jax.Array | None = None
    more: Mapping[str, jax.Array] = MappingProxyType({})


def everything(region_scores: jax.Array, present: jax.Array | None) -> Chosen:
    """Chooses all regions of all frames that are ``present [b t]`` (None: all)."""
    shape = region_scores.shape
    ones = jnp.ones(shape[:2])
    marks = jnp.full(shape[:2], KEY, jnp.int32)
    keep = only_present(jnp.ones(shape, bool), present)
    return Chosen(
        only_present(ones, present),
        only_present(marks, present),
        region_scores,
        keep,
        ones,
    )


@dataclasses.dataclass(frozen=True)
class Choice:
    """How frames and regions are chosen; `STAFusionConfig` explains the fields.

    With frames that are given the scorer is not asked: it then has no parameters, and
    the estimators have nothing to estimate.

    Raises:
      ValueError: positions are given and not asked for.
    """

    frame_fractions: tuple[float, float]
    region_fractions: tuple[float, float]
    scorer: str = "linear"
    estimator: str = "straight_through"
    sigma: float = 0.1
    mark_noise: float = 0.0
    frames_from: str = "scores"
    positions: tuple[int, ...] = ()
    regions_from: str = "rollout"
    groups: int = 1
    ranked: bool = False

    def __post_init__(self) -> None:
        if self.positions and self.frames_from != "positions":
            raise ValueError(
                f"Got positions={self.positions} with frames_from="
                f"{self.frames_from!r}, which does not ask for them; set "
                "frames_from='positions'."
            )

    def frame_counts(self, frames: int) -> tuple[int, int]:
        """Returns the numbers of key and secondary key frames among ``frames``."""
        of_each = selection.frame_counts(frames // self.groups, *self.frame_fractions)
        return of_each[0] * self.groups, of_each[1] * self.groups

    def __call__(
        self,
        patches: jax.Array,
        region_scores: jax.Array,
        batch: Mapping[str, Any],
        size: tuple[int, ...],
        *,
        present: jax.Array | None,
        train: bool,
        rng: Callable[[], jax.Array],
        initializing: bool = False,
    ) -> Chosen:
        """Chooses; to be called in a compact module, of which the scorer is a part.

        Args:
          patches: features ``[b t n d]``.
          region_scores: ``[b t n]``, of the rollout.
          batch: for ``progress`` and the truth.
          size: height and width of a frame.
          present: bool ``[b t]``, the frames that there are; None: all.
          train: whether the estimators' noise is on.
          rng: a fresh key for noise.
          initializing: there is no truth yet; nothing is then seen of anybody.

        Raises:
          UserError: the truth is to choose, and the batch has none of these clips.
        """
        truth = None
        if "truth" in (self.frames_from, self.regions_from):
            truth = _truth(batch, patches.shape[:2], initializing)
        if truth is not None and self.regions_from == "truth":
            visible, box = truth
            near = nearness(box, patch_grid(patches.shape[2], *size))
            region_scores = jnp.where(visible[..., None], near, region_scores)
        if self.frames_from == "scores":
            progress = batch.get(PROGRESS, 1.0)
            return self._by_scores(
                patches, region_scores, present, train, progress, rng
            )
        fixed = preference(patches.shape[1], self.positions)
        scores = jnp.broadcast_to(jnp.asarray(fixed), patches.shape[:2])
        if truth is not None and self.frames_from == "truth":
            scores = (scores + truth[0]) / 2
        scores = only_present(scores, present)
        marks, keep = self._best(scores, region_scores, present)
        return Chosen(scores, marks, region_scores, keep, jnp.ones(marks.shape))

    def _grouped(self, x: jax.Array) -> jax.Array:
        return selection.in_groups(x, self.groups)

    def _best(
        self,
        scores: jax.Array,
        region_scores: jax.Array,
        present: jax.Array | None,
    ) -> tuple[jax.Array, jax.Array]:
        there = None if present is None else self._grouped(present)
        marks = selection.select_frames(
            self._grouped(scores), *self.frame_fractions, there
        ).reshape(scores.shape)
        keep = selection.select_regions(region_scores, marks, *self.region_fractions)
        return marks, keep

    def _by_scores(
        self,
        patches: jax.Array,
        region_scores: jax.Array,
        present: jax.Array | None,
        train: bool,
        progress: float | jax.Array,
        rng: Callable[[], jax.Array],
    ) -> Chosen:
        scorer = selection.FrameScorer(
            self.scorer == "gelu", self.groups, self.scorer == "centred", name="scorer"
        )
        scores = scorer(patches, present)
        counts = self.frame_counts(scores.shape[1])
        grouped = self._grouped(scores)
        there = None if present is None else self._grouped(present)
        of_each = (counts[0] // self.groups, counts[1] // self.groups)
        more: dict[str, jax.Array] = {}
        if self.ranked and train:
            more[RAW_SCORES] = scorer.raw(patches, present)
        # The noise ends at 1 %, not at 0, where its gradient is not defined.
        left = jnp.maximum(1.0 - jnp.asarray(progress), 0.01)
        if train and self.estimator == "gathered":
            if present is not None:
                raise ValueError(
                    "estimator='gathered' has no place for clips that lack a stream "
                    "(data.allow_missing, data.stream_dropout); choose another."
                )
            places = selection.perturbed_gather(
                rng(), grouped, of_each, self.sigma * left
            )
            places = side_by_side(
                einops.rearrange(places, "(b g) k t -> b g k t", g=self.groups)
            )
            order = ([KEY] * of_each[0] + [SECONDARY] * of_each[1]) * self.groups
            marks = jnp.array(order, jnp.int32)
            marks = jnp.broadcast_to(marks, (len(scores), sum(counts)))
            keep = selection.select_regions(
                gather(places, region_scores), marks, *self.region_fractions
            )
            ones = jnp.ones(marks.shape)
            return Chosen(scores, marks, region_scores, keep, ones, places, more)
        noisy = scores
        if train and self.estimator == "score_function":
            noise = jax.random.gumbel(rng(), scores.shape)
            noisy = scores + self.sigma * noise
        elif train and self.mark_noise:
            noise = jax.random.normal(rng(), scores.shape)
            noisy = scores + self.mark_noise * left * noise
        marks, keep = self._best(noisy, region_scores, present)
        inclusion = None
        if self.estimator == "score_function":
            likely = selection.log_choice(
                grouped, self._grouped(noisy), self._grouped(marks), self.sigma, there
            )
            more["log_choice"] = likely.reshape(-1, self.groups).sum(axis=1)
        if train and self.estimator == "perturbed":
            inclusion = selection.perturbed_top_k(
                rng(), grouped, sum(of_each), self.sigma * left
            ).reshape(scores.shape)
        weights = selection.frame_weights(scores, self.estimator, inclusion=inclusion)
        return Chosen(scores, marks, region_scores, keep, weights, None, more)


def gather(places: jax.Array, x: jax.Array) -> jax.Array:
    """Fills places ``[b k t]`` from frames ``[b t ...]``: ``[b k ...]``.

    As a product of two matrices a clip, of real numbers: export formats have no other.
    Where an indicator says one frame a place the values stay as they are, on TPU too.
    """
    real = x.dtype if jnp.issubdtype(x.dtype, jnp.floating) else jnp.float32
    flat = x.reshape(*x.shape[:2], -1).astype(real)
    exactly = jax.lax.Precision.HIGHEST
    filled = jnp.einsum("bkt,btx->bkx", places.astype(real), flat, precision=exactly)
    return filled.reshape(*filled.shape[:2], *x.shape[2:]).astype(x.dtype)


def side_by_side(places: jax.Array) -> jax.Array:
    """Makes one indicator of those of groups, ``[b g k t]``: ``[b g*k g*t]``."""
    groups = places.shape[1]
    apart = jnp.einsum("bgkt,gh->bgkht", places, jnp.eye(groups))
    return einops.rearrange(apart, "b g k h t -> b (g k) (h t)")


def preference(frames: int, positions: tuple[int, ...] = ()) -> np.ndarray:
    """Returns the order in which frames are taken without looking, in (0, 1].

    ``positions`` come first, in their order; then, or without any, frames such that
    the first few of them are spread over the whole clip, however many are taken:
    multiples of the golden ratio, of which the fraction counts.

    Raises:
      ValueError: a position is named twice, or is none of the frames.
    """
    if len({*positions}) < len(positions) or max(positions, default=0) >= frames:
        raise ValueError(
            f"Got positions={positions}; expected different numbers from 0 to "
            f"{frames - 1}, of the {frames} frames of all streams, one stream behind "
            "the other."
        )
    golden = (math.sqrt(5) - 1) / 2
    spread = np.argsort(-((np.arange(frames) + 0.5) * golden % 1), kind="stable")
    order = [*positions, *(x for x in spread if x not in positions)]
    values = np.empty(frames, np.float32)
    values[order] = 1 - np.arange(frames) / frames
    return values


def nearness(box: jax.Array, grid: tuple[int, int]) -> jax.Array:
    """Returns how near each patch's centre is to the middle of a box, in (0, 1].

    It is ``1 / (1 + d)``, d the distance in half sides of the box, the larger of the
    two directions: 1/2 on the box's edge, more within.

    Args:
      box: ``[... 4]`` as y0 x0 y1 x1, fractions of the image.
      grid: (rows, columns) of patches, n = rows * columns in row-major order.

    Returns:
      ``[... n]`` float32.
    """
    rows, columns = grid
    low, high = box[..., :2].astype(jnp.float32), box[..., 2:].astype(jnp.float32)
    middle, half = (low + high) / 2, jnp.maximum((high - low) / 2, 1e-6)

    def away(count: int, axis: int) -> jax.Array:
        centres = (np.arange(count, dtype=np.float32) + 0.5) / count
        centres = np.expand_dims(centres, tuple(range(box.ndim - 1)))
        return jnp.abs(centres - middle[..., [axis]]) / half[..., [axis]]

    far = jnp.maximum(away(rows, 0)[..., :, None], away(columns, 1)[..., None, :])
    return 1 / (1 + far.reshape(*far.shape[:-2], rows * columns))


def _truth(
    batch: Mapping[str, Any], shape: tuple[int, ...], initializing: bool
) -> tuple[jax.Array, jax.Array]:
    """Returns which frames ``[b t]`` show the actor, and the boxes ``[b t 4]``."""
    if initializing:
        return jnp.zeros(shape, bool), jnp.zeros((*shape, 4))
    if any(name not in batch for name in GIVEN):
        raise errors.UserError(
            "The truth is to choose what the model sees (model.frames_from or "
            "model.regions_from is 'truth'), but the batch does not carry it. In "
            "training set --config.data.truth=True, with a data set that has it, such "
            "as the synthetic one; a clip of which nothing is known needs a model that "
            "chooses by itself (frames_from=scores, regions_from=rollout)."
        )
    visible, box = batch[ACTOR_VISIBLE], batch[ACTOR_BOX]
    if visible.shape != shape:
        raise errors.UserError(
            "The truth is to choose what the model sees (model.frames_from or "
            f"model.regions_from is 'truth'), but it is of {visible.shape} clips and "
            f"frames, and the model reads {shape}: of several views that come together "
            "only the first has it. Add --config.data.eval_views_at_once=1."
        )
    return visible.astype(bool), box
