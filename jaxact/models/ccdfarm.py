"""CC-DFARM: I3D on colour video and HCN on skeletons, joined at three depths.

Its baseline (MMTM), its ablations (the paper's Tables 4-6) and both streams alone are
settings of the same config.
"""

import dataclasses
from typing import Any, Literal

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxact import errors
from jaxact.backbones import i3d
from jaxact.backbones.hcn import HCN, HCNConfig
from jaxact.backbones.i3d import I3D
from jaxact.backbones.protocol import Walk
from jaxact.batch import PRESENT, Batch
from jaxact.config import ConfigError, ModelConfig
from jaxact.layers.cross_modal import DSFM, MFFM, MMTM, TIAM, MMTMVariant
from jaxact.layers.fusions import mean_of_present
from jaxact.layers.head import Head
from jaxact.layers.joint_map import joint_map
from jaxact.losses import CrossEntropy
from jaxact.models.streams import normalized, stream_of, zero_if_missing
from jaxact.out import JOINTS_SEEN

STREAMS = (("rgb", "skeleton"), ("rgb",), ("skeleton",))
PLACES = (1, 2)


@dataclasses.dataclass
class CCDFARMConfig(ModelConfig):
    """CC-DFARM; the defaults are the paper's whole model, the last row of Table 5."""

    streams: tuple[str, ...] = ("rgb", "skeleton")  # or one of them alone
    # Colour video, for I3D.
    frames: int = 32
    image_size: int = 224
    width: float = 1.0  # of all of I3D's channels
    norm_momentum: float = 0.99  # of I3D's running statistics
    conv3d: Literal["auto", "native", "taps"] = "auto"  # see jaxact.layers.conv3d
    remat: bool = False  # recompute I3D's activations in the backward pass
    # Skeletons, for HCN.
    skeleton_frames: int = 32  # the official HCN's other choice is 64
    persons: int = 2
    joints: int = 25
    origin: tuple[int, ...] = (1,)  # joints whose mean is the origin, from 0
    fc7: int = 512
    dropout: float = 0.5
    # Between the streams: after Mixed_5b and conv5 (1), after Mixed_5c and fc7 (2).
    transfer: Literal["dsfm", "mmtm", "none"] = "dsfm"  # "mmtm" is the baseline
    places: tuple[int, ...] = (1, 2)  # the rows of Table 4
    blocks: tuple[int, ...] = (64, 256)  # DSFM: channels of a block at the two places
    dsfm_standardised: bool = False  # DSFM's readings, see jaxact.layers.cross_modal
    dsfm_masked: bool = False
    mmtm_variant: MMTMVariant = "paper"
    # The switches of Tables 5 and 6, with transfer="dsfm".
    tiam: bool = True
    mffm: bool = True  # False: the mean of the streams' logits
    # MFFM reads where the video shows the joints, a reading of our own; the batches
    # must say it (data.joints_seen), and the data set know its lenses.
    mffm_joints: bool = False
    tiam_scaled: bool = False  # see jaxact.layers.cross_modal.TIAM
    head_dropout: float = 0.5
    # Cross-entropy of each stream's own head besides the fused one; the paper has one
    # loss (0 is literal), the public MMTM and MSAF train both streams' heads.
    branch_weight: float = 0.5

    def inputs(self) -> dict[str, jax.ShapeDtypeStruct]:
        if tuple(self.streams) not in STREAMS:
            raise ConfigError(
                f"Got model.streams={self.streams}; expected one of {STREAMS}."
            )
        rgb = (self.frames, self.image_size, self.image_size, 3)
        found = {
            "rgb": jax.ShapeDtypeStruct(rgb, jnp.uint8),
            "skeleton": self._skeletons().input(),
        }
        return {name: found[name] for name in self.streams}

    def _skeletons(self) -> HCNConfig:
        return HCNConfig(
            frames=self.skeleton_frames,
            persons=self.persons,
            joints=self.joints,
            origin=self.origin,
            fc7=self.fc7,
            dropout=self.dropout,
        )

    def reads(self) -> tuple[str, ...]:
        return (JOINTS_SEEN,) if self.mffm_joints else ()

    def build(self) -> "CCDFARM":
        self.inputs()  # raises what it cannot do
        if self.mffm_joints and not (self.mffm and len(self.streams) == 2):
            raise ConfigError(
                f"Got model.mffm_joints=True with model.mffm={self.mffm} and "
                f"model.streams={self.streams}; there are joints in the map of MFFM "
                "alone, which joins two streams. Set it to False."
            )
        if not set(self.places) <= set(PLACES) or len(self.blocks) != len(PLACES):
            raise ConfigError(
                f"Got model.places={self.places} and model.blocks={self.blocks}; "
                f"expected places among {PLACES} and one number for each in blocks."
            )
        if min(self.blocks) < DSFM.reduction:
            raise ConfigError(
                f"Got model.blocks={self.blocks}; expected {DSFM.reduction} channels "
                "or more, since DSFM squeezes so many into one."
            )
        dtype = jnp.dtype(self.dtype)
        return CCDFARM(
            num_classes=self.num_classes,
            streams=tuple(self.streams),
            video=I3D(self.width, self.norm_momentum, self.conv3d, self.remat, dtype),
            skeleton=self._skeletons().build(dtype),
            transfer=self.transfer,
            places=tuple(self.places),
            split_attention=tuple(
                DSFM(
                    block,
                    standardised=self.dsfm_standardised,
                    masked=self.dsfm_masked,
                )
                for block in self.blocks
            ),
            mmtm_variant=self.mmtm_variant,
            tiam=self.tiam,
            tiam_scaled=self.tiam_scaled,
            mffm=self.mffm,
            mffm_joints=self.mffm_joints,
            head_dropout=self.head_dropout,
            dtype=dtype,
        )

    def losses(self) -> tuple[Any, ...]:
        terms = [CrossEntropy()]
        if self.branch_weight and len(self.streams) > 1:
            terms += [
                CrossEntropy(
                    name=f"{stream}_cross_entropy",
                    weight=self.branch_weight,
                    logits=f"{stream}_logits",
                )
                for stream in self.streams
            ]
        return tuple(terms)


class CCDFARM(nn.Module):
    """The model; `CCDFARMConfig` explains its fields."""

    num_classes: int
    streams: tuple[str, ...]
    video: I3D
    skeleton: HCN
    transfer: str
    places: tuple[int, ...]
    split_attention: tuple[DSFM, ...]  # at the two places
    mmtm_variant: MMTMVariant
    tiam: bool
    tiam_scaled: bool
    mffm: bool
    mffm_joints: bool
    head_dropout: float
    dtype: DTypeLike

    @nn.compact
    def __call__(
        self, batch: dict[str, jax.Array], *, train: bool = False
    ) -> dict[str, jax.Array]:
        """Recognises a batch.

        Args:
          batch: ``rgb`` uint8 ``[b t h w 3]`` and ``skeleton`` float32
            ``[b m t v 3]``, or the one that the model has. Of a clip that lacks a
            stream by ``present``, its features are 0 wherever they are joined, and the
            mean of the logits is that of the other: what the joining modules do then
            must be learned, by training with streams left out.
          train: turns on dropout (rng "dropout") and batch statistics.

        Returns:
          ``logits`` ``[b y]``; of two streams also ``rgb_logits`` and
          ``skeleton_logits``, of the streams' own heads, and with ``mffm`` the
          ``fused`` map ``[b t h w c]``. Of each stream the features that are joined:
          ``mixed_5b`` and ``mixed_5c`` ``[b t h w c]``; ``conv5`` ``[b m t w c]`` and
          ``fc7`` ``[b c]``, besides ``positions`` and ``motion`` ``[b m t v 3]``. What
          a module between the streams has scaled is meant.
        """

        def there(x: jax.Array, stream: str) -> jax.Array:
            return zero_if_missing(x, batch, stream, self.streams)

        for name in self.streams:  # a missing one is said before anything is computed
            stream_of(batch, name, self.streams)
        out: dict[str, jax.Array] = {}
        has_video, has_skeleton = ("rgb" in self.streams, "skeleton" in self.streams)
        if has_video:
            video_net = self.video.clone(name="backbone_rgb", parent=self)
            video = normalized(
                batch, "rgb", self.streams, i3d.MEAN, i3d.STD, self.dtype
            )
            video_walk = Walk(video_net, [video], train)
            out["mixed_5b"] = there(video_walk.to(2), "rgb")
        if has_skeleton:
            skeleton_net = self.skeleton.clone(
                interaction=self._interaction(train),
                name="backbone_skeleton",
                parent=self,
            )
            skeleton = there(stream_of(batch, "skeleton", self.streams), "skeleton")
            skeleton_walk = Walk(skeleton_net, [skeleton], train)
            out["conv5"] = there(skeleton_walk.to(2), "skeleton")
        self._join(out, 1, "mixed_5b", "conv5", train)
        if has_video:
            video_walk.x = out["mixed_5b"]
            out["mixed_5c"] = there(video_walk.to(1), "rgb")
        if has_skeleton:
            skeleton_walk.x = out["conv5"]
            out["fc7"] = there(skeleton_walk.to(1), "skeleton")
            within = skeleton_walk.end()
            out |= {name: within[name] for name in ("positions", "motion")}
        self._join(out, 2, "mixed_5c", "fc7", train)
        return out | self._heads(out, batch, train)

    def _interaction(self, train: bool) -> Any:
        """Returns TIAM as HCN's `Interaction`, or None."""
        if not self.tiam:
            return None
        tiam = TIAM(scaled=self.tiam_scaled, dtype=self.dtype, name="tiam")
        return lambda a, b: tiam(a, b, train=train)

    def _join(
        self, out: dict[str, jax.Array], place: int, video: str, body: str, train: bool
    ) -> None:
        """Lets the streams scale each other's features, where the config says so.

        MMTM squeezes all persons into one vector and scales them alike; DSFM takes
        each for a stream of its own, as the paper does: there their order counts.
        """
        if len(self.streams) < 2 or place not in self.places:
            return
        if self.transfer == "mmtm":
            mmtm = MMTM(variant=self.mmtm_variant, name=f"mmtm_{place}")
            out[video], out[body] = mmtm(out[video], out[body])
        elif self.transfer == "dsfm":
            features = out[body]
            persons = [features]
            if place == 1:
                persons = list(einops.rearrange(features, "b m t w c -> m b t w c"))
            dsfm = self.split_attention[place - 1]
            dsfm = dsfm.clone(name=f"dsfm_{place}", parent=self)
            out[video], *persons = dsfm(out[video], *persons, train=train)
            out[body] = jnp.stack(persons, axis=1) if place == 1 else persons[0]

    def _heads(
        self, out: dict[str, jax.Array], batch: Batch, train: bool
    ) -> dict[str, jax.Array]:
        """Returns the logits, and the fused map if there is one."""

        def head(name: str, dropout: float = 0.0) -> Any:
            module = Head(self.num_classes, dropout, name=name)
            return lambda x: module(x, train=train)

        if self.streams == ("rgb",):
            feature = i3d.pooled(out["mixed_5c"])
            return {"logits": head("head", self.head_dropout)(feature)}
        if self.streams == ("skeleton",):
            return {"logits": head("head")(out["fc7"])}  # fc7 has its own dropout
        video = i3d.pooled(out["mixed_5c"])
        logits = {
            "rgb_logits": head("rgb_head", self.head_dropout)(video),
            "skeleton_logits": head("skeleton_head")(out["fc7"]),
        }
        if not self.mffm:
            both = jnp.stack([logits[f"{name}_logits"] for name in self.streams], 1)
            return {"logits": mean_of_present(both, batch.get(PRESENT)), **logits}
        places = self._places(batch, out["mixed_5c"]) if self.mffm_joints else None
        fused = MFFM(self.dtype, name="mffm")(out["mixed_5c"], out["fc7"], places)
        feature = einops.reduce(fused.astype(jnp.float32), "b t h w c -> b c", "mean")
        fused_logits = head("head", self.head_dropout)(feature)
        return {"logits": fused_logits, **logits, "fused": fused}

    def _places(self, batch: Batch, video: jax.Array) -> jax.Array:
        """Returns where the joints are in the video's map, ``[b t h w v]``."""
        if JOINTS_SEEN not in batch:
            if self.is_initializing():
                return jnp.zeros((*video.shape[:-1], batch["skeleton"].shape[3]))
            raise errors.UserError(
                "The model reads where the video shows the joints (model.mffm_joints), "
                "but the batch does not say it. In training set "
                "--config.data.joints_seen=True, with a data set that knows its "
                "cameras' lenses, such as NTU; of other clips nobody knows it, and "
                "they need a model with mffm_joints=False."
            )
        seen = batch[JOINTS_SEEN]
        if len(seen) != len(video):
            raise errors.UserError(
                "The model reads where the video shows the joints (model.mffm_joints), "
                f"which is known of {len(seen)} clips, but there are {len(video)} "
                "views of them: of several only the first has it. Set "
                "data.eval_views_time and eval_views_space to 1, eval_flip to False."
            )
        return joint_map(seen, *video.shape[1:4])
