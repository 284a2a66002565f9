"""STAFusion: bimodal recognition by spatiotemporal adaptive fusion (Qing et al. 2025).

A TimeSformer run over both streams is the teacher. Keyframe and salient-region
selection decide what of its features the student sees; adaptive masked fusion makes
the student's class token of them; the student learns from labels and teacher.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxact.batch import PRESENT
from jaxact.config import Experiment, TrainConfig
from jaxact.devices import platform
from jaxact.layers import chosen as chosen_lib
from jaxact.layers import salience, selection
from jaxact.layers.chosen import Choice, FramesFrom, RegionsFrom
from jaxact.layers.distillation import PredictionDistillation, RegionDistillation
from jaxact.layers.fusion import AdaptiveMaskedFusion
from jaxact.layers.fusions import mean_of_scores
from jaxact.layers.head import Head
from jaxact.layers.joint_token import JointToken
from jaxact.layers.rollout import class_rollout
from jaxact.layers.selection import Estimator
from jaxact.losses import CrossEntropy, ScoreFunction
from jaxact.models import stafusion_checks
from jaxact.models.second_look import in_clip, look_again
from jaxact.models.streams import Branches, TimeSformerStreamsConfig, in_time
from jaxact.strict import free


@dataclasses.dataclass
class STAFusionConfig(TimeSformerStreamsConfig):
    """STAFusion; the defaults are the paper's best, Table 4's row 4."""

    # The switches of Table 3.
    selection: bool = True
    fusion: bool = True
    distillation: bool = True
    # Keyframe selection: fractions of all frames, of both streams together.
    k1: float = 0.25
    k2: float = 0.25
    # Which frames: those of the best scores; or, to measure what a choice can be worth,
    # those that show the actor ("truth", see data.truth), the ceiling; or the same in
    # every clip. No scorer is then there to learn.
    frames_from: FramesFrom = "scores"
    # "positions": these of all streams' frames, counted from 0, one stream behind the
    # other, the key frames first; (): spread over the clip.
    positions: tuple[int, ...] = ()
    # "linear" as printed; "gelu" and "centred": see `selection.FrameScorer`.
    scorer: Literal["linear", "gelu", "centred"] = "linear"
    # Among which frames scores compete: all of the clip, as in the paper; or those of
    # each "stream", of which then each keeps k1 and k2: a choice of moments alone.
    compete: Literal["clip", "stream"] = "clip"
    # How the scorer learns, see `selection`: "straight_through", the kept frames carry
    # the score's gradient; "perturbed", they are multiplied by how often they are kept
    # under noise; "gathered", as in STTS: all frames take part, as often as they would
    # be kept; "score_function": frames are drawn, and draws that cost less than the
    # other clips' are made likelier; "none": the paper as printed.
    estimator: Estimator = "straight_through"
    # Noise at the start of "perturbed" and "gathered", which decays linearly to 0; the
    # temperature of "score_function", which stays.
    sigma: float = 0.1
    # Gaussian noise on the scores by which "straight_through", "perturbed" and "none"
    # mark frames in training, at the start; decays linearly to 0.
    mark_noise: float = 0.0
    # What the student sees of the kept frames: the features that the backbone has of
    # them among the others, as in the paper; or "again": those that it has of them
    # alone, see `jaxact.models.second_look`. That is for compete="stream".
    look: Literal["once", "again"] = "once"
    # Whose answer an evaluation reads: the student's, as in the paper; or of "both" the
    # mean of the student's and the teacher's scores, which keeps what leaving frames
    # out brings and takes back what it costs where all matter (docs/results.md).
    answer: Literal["student", "both"] = free("student")
    # Salient regions: fractions of a frame's patches, in key and secondary frames.
    r1: float = 0.60
    r2: float = 0.35
    # > 0: weight of a ranking loss, by which the scorer also learns from the labels: in
    # training the backbone sees every frame alone, too, a head tells how likely the
    # label is by that frame, and frames are to be scored in this order, as clips are in
    # SCSampler (Korbar et al. 2019).
    ranking_weight: float = 0.0
    regions_from: RegionsFrom = "rollout"  # "truth": those nearest to the actor
    rollout: Literal["residual", "literal"] = "residual"  # "literal": Eq. 6's product
    # "mean": average the heads first, which is cheaper.
    rollout_heads: Literal["product", "mean"] = "product"
    # Adaptive masked fusion; the switches of Table 5.
    # What the heads read and the fusion starts from: the streams' class tokens' mean,
    # their sum as in the baseline, or a linear layer over all of them. "learned": the
    # fusion starts from a learned query, which has seen no frame, so that only what is
    # kept can reach the student; the teacher's head reads the sum.
    class_token: Literal["mean", "sum", "concat", "learned"] = "mean"
    fusion_depth: int = 1
    fusion_mlp_ratio: float = 2.0  # with two attentions 12 d^2: Table 1's + 8 M
    masked_attention: bool = True
    masked_mlp: bool = True
    packed: bool = True  # compute kept tokens only; False: masks over all tokens
    # Losses (Eq. 20).
    distill_lambda: float = 0.1  # Figure 4's lambda
    teacher_weight: float = 1.0  # cross-entropy of the teacher's head; 0 is literal
    # > 0: weight of a cross-entropy of each stream's own class token, under a head of
    # its own, so that neither stream may lean on the other.
    stream_weight: float = 0.0
    # False: the student's losses do not train the backbone, its teacher's do.
    student_gradient: bool = True

    def build(self) -> "STAFusion":
        stafusion_checks.check(self)
        total = self.frames * len(self.streams)
        choice = self._choice()
        kept = choice.frame_counts(total)  # raises what it cannot do
        if self.selection and not sum(kept):
            raise ValueError(
                f"Got k1={self.k1} and k2={self.k2}: none of {self.frames} frames of "
                f"{len(self.streams)} streams is kept. Give larger fractions, or more "
                "frames."
            )
        selection.region_counts((self.image_size // self.patch) ** 2, self.r1, self.r2)
        return STAFusion(
            num_classes=self.num_classes,
            branches=self.branches(),
            selection=self.selection,
            fusion=self.fusion,
            choice=choice,
            look_again=self.look == "again",
            residual_rollout=self.rollout == "residual",
            rollout_heads=self.rollout_heads,
            class_token=self.class_token,
            distillation=self.distillation,
            answer_of_both=self.answer == "both",
            student_gradient=self.student_gradient,
            stream_heads=bool(self.stream_weight),
            heads=self.heads,
            fusion_depth=self.fusion_depth,
            fusion_mlp_ratio=self.fusion_mlp_ratio,
            masked_attention=self.masked_attention,
            masked_mlp=self.masked_mlp,
            packed=self.packed,
            dropout=self.dropout,
            dtype=jnp.dtype(self.dtype),
        )

    def _choice(self) -> Choice:
        chosen_lib.preference(self.frames * len(self.streams), self.positions)
        return Choice(
            frame_fractions=(self.k1, self.k2),
            region_fractions=(self.r1, self.r2),
            scorer=self.scorer,
            estimator=self.estimator,
            sigma=self.sigma,
            mark_noise=self.mark_noise,
            frames_from=self.frames_from,
            positions=self.positions,
            regions_from=self.regions_from,
            groups=len(self.streams) if self.compete == "stream" else 1,
            ranked=bool(self.ranking_weight),  # there is a scorer, it is checked
        )

    def reads(self) -> tuple[str, ...]:
        given = self.selection and "truth" in (self.frames_from, self.regions_from)
        return chosen_lib.GIVEN if given else ()

    def check_training(self, train: TrainConfig) -> None:
        stafusion_checks.check_training(self, train)

    def notes(self, experiment: Experiment) -> list[str]:
        notes = super().notes(experiment)
        if experiment.train.init_part == "teacher" and self.class_token == "mean":
            notes.append(
                "the teacher's head was trained on the sum of the streams' tokens and "
                "will read their mean, so that it is less sure than it was: set "
                "--config.model.class_token=sum (or learned)."
            )
        return notes

    def losses(self) -> tuple[Any, ...]:
        """``CE + lambda L_distill + (1 - lambda) L_KL`` (Eq. 20), and the teacher's CE.

        Eq. 20 has one cross-entropy; on the student alone the teacher's head would
        never see a label, so the teacher gets one too unless its weight is 0. Without
        distillation there is no teacher.
        """
        terms: list[Any] = [CrossEntropy()]
        scored = self.selection and self.frames_from == "scores"
        if scored and self.estimator == "score_function":
            terms.append(ScoreFunction())
        if self.ranking_weight:
            terms.append(salience.FrameCrossEntropy())
            groups, weight = self._choice().groups, self.ranking_weight
            terms.append(salience.FrameRanking(weight=weight, groups=groups))
        if self.stream_weight:
            terms += [
                CrossEntropy(
                    name=f"{stream}_cross_entropy",
                    logits=f"{stream}_logits",
                    weight=self.stream_weight,
                    stream=index,
                )
                for index, stream in enumerate(self.streams)
            ]
        if self.distillation:
            if weight := self.teacher_weight:
                name, logits = "teacher_cross_entropy", "teacher_logits"
                terms.append(CrossEntropy(name=name, logits=logits, weight=weight))
            terms.append(RegionDistillation(weight=self.distill_lambda))
            terms.append(PredictionDistillation(weight=1.0 - self.distill_lambda))
        return tuple(terms)


class STAFusion(nn.Module):
    """The model; `STAFusionConfig` explains its fields.

    Without ``selection`` every region of every frame is kept. Without ``fusion`` the
    student's token is the class token, to which a selection adds the mean of the kept
    patch features: the plainest way in which it can reach a classifier. (Its control is
    a selection of everything, k1 = r1 = 1.) Student and teacher then have the same
    patch features: ``L_distill`` is 0. Without ``distillation`` there is no teacher.

    All three off and ``class_token`` "sum", it is the baseline: `BaselineConfig`'s
    parameters by the same names, and its logits.
    """

    num_classes: int
    branches: Branches
    selection: bool
    fusion: bool
    choice: Choice
    look_again: bool
    residual_rollout: bool
    rollout_heads: str
    class_token: str
    distillation: bool
    answer_of_both: bool
    student_gradient: bool
    stream_heads: bool
    heads: int
    fusion_depth: int
    fusion_mlp_ratio: float
    masked_attention: bool
    masked_mlp: bool
    packed: bool
    dropout: float
    dtype: DTypeLike

    @nn.compact
    def __call__(
        self, batch: dict[str, jax.Array], *, train: bool = False
    ) -> dict[str, jax.Array]:
        """Recognises a batch.

        Args:
          batch: uint8 streams ``[b t h w c]`` under their names; ``progress``, the
            fraction of the training that is done, for the noise's decay, 1 if it is
            not there; ``present``, which streams a clip has. The frames are then chosen
            among those of these streams, k1 and k2 of their number, the class token is
            the mean of theirs, and the fusion is masked, not packed.
          train: turns on dropout and the noise of the estimators (rngs "dropout" and
            "selection").

        Returns:
          ``logits`` and, with distillation, ``teacher_logits`` ``[b y]``, with a
          stream's loss ``NAME_logits``, and where ``logits`` are of both not in
          training ``student_logits``; ``teacher_patches`` and ``student_patches``
          ``[b s*t n d]``, ``frame_scores`` and ``frame_marks`` ``[b s*t]``, int32 in
          {0, 1, 2}, ``region_scores`` and bool ``keep`` ``[b s*t n]``. In training
          with a ranking loss `salience.FRAME_CLASSES` and `salience.RAW_SCORES`; with
          "gathered" marks, patches and keep are of the k places that frames are
          gathered to; with "score_function" there is ``log_choice [b]``.
        """
        features = self.branches(batch, train=train)
        tokens, teacher_patches = features["tokens"], in_time(features["patches"])
        present = batch.get(PRESENT)  # of the streams, and of all their frames
        frames = None
        if present is not None:
            of_stream = teacher_patches.shape[1] // present.shape[1]
            frames = jnp.repeat(present, of_stream, axis=1)
        join = JointToken(self.class_token, self.dtype, name="join_tokens")
        token = join(tokens, present)
        others = {}  # other heads' logits
        if self.distillation:
            head = Head(self.num_classes, name="teacher_head")
            others["teacher_logits"] = head(token)
        if self.stream_heads:
            for index, stream in enumerate(self.branches.streams):
                head = Head(self.num_classes, name=f"head_{stream}")
                others[f"{stream}_logits"] = head(tokens[:, index])
        patches = teacher_patches
        if not self.student_gradient:
            token, patches = jax.lax.stop_gradient((token, patches))
        if self.class_token == "learned":
            start = nn.initializers.normal(0.02)
            query = self.param("query_token", start, token.shape[-1:])
            token = jnp.broadcast_to(query.astype(token.dtype), token.shape)

        # No method: Flax would name a scope of it, and the ledger read that.
        rollout = functools.partial(_roll, self.residual_rollout, self.rollout_heads)
        region_scores = rollout(features)
        if self.selection:
            chosen = self.choice(
                patches,
                region_scores,
                batch,
                batch[self.branches.streams[0]].shape[-3:-1],
                present=frames,
                train=train,
                rng=lambda: self.make_rng("selection"),
                initializing=self.is_initializing(),
            )
        else:
            chosen = chosen_lib.everything(region_scores, frames)
        if self.choice.ranked and (train or self.is_initializing()):
            alone = self.branches(batch, alone=True)["tokens"]
            others[salience.FRAME_CLASSES] = salience.FrameHeads(
                self.branches.streams, self.num_classes, name="frame_heads"
            )(alone, present)
        counts = self.choice.frame_counts(teacher_patches.shape[1])
        seen = chosen  # what the student is given
        if self.look_again:
            again, patches, seen = look_again(
                self.branches, batch, chosen, self.choice, rollout, train=train
            )
            if self.class_token != "learned":
                token = join(again, present)
        elif chosen.places is not None:
            patches = chosen_lib.gather(chosen.places, patches)
            teacher_patches = chosen_lib.gather(chosen.places, teacher_patches)
        keep, weights = seen.keep, seen.weights
        if self.fusion:
            some = self.selection or present is not None
            fused = AdaptiveMaskedFusion(
                self.heads,
                counts,
                selection.region_counts(keep.shape[2], *self.choice.region_fractions),
                self.fusion_depth,
                self.fusion_mlp_ratio,
                masked_attention=some and self.masked_attention,
                masked_mlp=some and self.masked_mlp,
                # How many frames there are differs from clip to clip: masks.
                packed=self.packed and present is None and not platform.is_portable(),
                dropout=self.dropout,
                dtype=self.dtype,
                name="fusion",
            )
            token, student_patches = fused(
                token, patches, seen.marks, keep, weights, train=train
            )
        else:
            factors = weights[:, :, None, None].astype(patches.dtype)
            student_patches = jnp.where(keep[..., None], patches * factors, 0)
            if self.selection:
                number = jnp.maximum(keep.sum(axis=(1, 2)), 1)[:, None]
                pooled = student_patches.sum(axis=(1, 2), dtype=jnp.float32) / number
                token = token + pooled.astype(token.dtype)
        if self.look_again:
            student_patches, chosen = in_clip(student_patches, seen, chosen)
        logits = Head(self.num_classes, name="head")(token)
        if self.answer_of_both and not train:
            others["student_logits"] = logits
            both = jnp.stack([logits, others["teacher_logits"]], axis=1)
            logits = mean_of_scores(both, jnp.full(both.shape[:2], 0.5))
        return {
            "logits": logits,
            **others,
            "teacher_patches": teacher_patches,
            "student_patches": student_patches,
            **chosen.more,
            "frame_scores": chosen.scores,
            "frame_marks": chosen.marks,
            "region_scores": chosen.region_scores,
            "keep": chosen.keep,
        }


def _roll(residual: bool, heads: str, features: Mapping[str, Any]) -> jax.Array:
    """Scores the patches ``[b s*t n]`` by what the class token attends to."""
    queries, keys = ([in_time(x) for x in features[k]] for k in ("queries", "keys"))
    with jax.named_scope("rollout"):
        return class_rollout(queries, keys, residual, heads)
