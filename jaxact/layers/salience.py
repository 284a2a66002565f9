"""Scores of frames learned from the labels, as salience is in SCSampler.

A head tells how likely the label is by a single frame, which the backbone has seen
alone; the scorer learns to put frames in this order (Korbar et al. 2019). The student's
loss does not teach it: behind the time attention every frame's features know the whole
clip, and the student learns to read whichever are kept (measured: `docs/worlds.md`).

Alphabet: b batch, s streams, t frames of all of them together, d width, y classes.
"""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxact.batch import PRESENT, Batch
from jaxact.layers.fusions import mean_of_present
from jaxact.losses import at_label
from jaxact.out import Out

FRAME_CLASSES = "frame_classes"  # logits by each frame alone [b t y]
RAW_SCORES = "raw_scores"  # see `selection.FrameScorer.raw` [b t]


class FrameHeads(nn.Module):
    """A classifier of single frames for each stream, which trains nothing but itself.

    It is linear, on features standardised over the batch, as linear probes are (He et
    al. 2022, appendix A.1): class tokens of single frames differ so little from each
    other that without it a head learns nothing in ten epochs. It is asked in training
    alone, where there is a batch.
    """

    streams: tuple[str, ...]
    num_classes: int

    @nn.compact
    def __call__(self, tokens: jax.Array, present: jax.Array | None) -> jax.Array:
        """Takes class tokens of t frames of each stream, ``[b s t d]``.

        Returns:
          Logits ``[b s*t y]`` float32.
        """
        tokens = jax.lax.stop_gradient(tokens.astype(jnp.float32))
        there = jnp.ones(tokens.shape[:2]) if present is None else present
        weights = there[:, :, None, None] / jnp.maximum(
            there.sum(axis=0)[None, :, None, None] * tokens.shape[2], 1
        )
        mean = (tokens * weights).sum(axis=(0, 2), keepdims=True)
        spread = jnp.square(tokens - mean) * weights
        variance = spread.sum(axis=(0, 2), keepdims=True)
        tokens = (tokens - mean) * jax.lax.rsqrt(variance + 1e-6)
        # From 0: random weights say more of the label than single frames do, and the
        # scorer would learn to follow them.
        head = functools.partial(
            nn.Dense,
            self.num_classes,
            dtype=jnp.float32,
            kernel_init=nn.initializers.zeros_init(),
        )
        logits = [
            head(name=stream)(tokens[:, index])
            for index, stream in enumerate(self.streams)
        ]
        return jnp.concatenate(logits, axis=1)


@dataclasses.dataclass(frozen=True)
class FrameCrossEntropy:
    """The cross-entropy of `FRAME_CLASSES`, the mean over the frames that are there."""

    name: str = "frame_cross_entropy"
    weight: float = 1.0

    def __call__(self, out: Out, batch: Batch) -> jax.Array:
        log_p = jax.nn.log_softmax(out[FRAME_CLASSES].astype(jnp.float32))
        return -mean_of_present(at_label(log_p, batch), _frames(out, batch))


@dataclasses.dataclass(frozen=True)
class FrameRanking:
    """Frames are to be scored in the order in which they show the label.

    ``-sum_i q_i log softmax(s)_i``, s the scorer's raw scores and q_i the probability
    of the label by frame i alone, over their sum (ListNet, Cao et al. 2007, as a loss
    of the salience by which SCSampler, Korbar et al. 2019, ranks clips).

    Attributes:
      groups: frames are compared within each of this many equal parts; their mean.
    """

    name: str = "frame_ranking"
    weight: float = 1.0
    groups: int = 1

    def __call__(self, out: Out, batch: Batch) -> jax.Array:
        log_p = jax.nn.log_softmax(out[FRAME_CLASSES].astype(jnp.float32))
        salience = jax.lax.stop_gradient(at_label(log_p, batch))
        scores, frames = out[RAW_SCORES], _frames(out, batch)
        if frames is not None:
            scores, salience = (jnp.where(frames, x, -1e9) for x in (scores, salience))
        rows = len(scores)
        scores, salience = (
            x.reshape(rows, self.groups, -1) for x in (scores, salience)
        )
        each = -(jax.nn.softmax(salience) * jax.nn.log_softmax(scores)).sum(axis=-1)
        return each.mean(axis=-1)


def _frames(out: Out, batch: Batch) -> jax.Array | None:
    """Returns which of all streams' frames there are, ``[b t]``; None: all."""
    if PRESENT not in batch:
        return None
    present = batch[PRESENT]
    times = out[RAW_SCORES].shape[1] // present.shape[1]
    return jnp.repeat(present, times, axis=1)
