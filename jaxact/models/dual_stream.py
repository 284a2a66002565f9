"""Any backbone over any streams under any fusion: STAFusion's Tables 1 and 2.

Table 1's rows add both streams' features under one classifier; Table 2 compares single
streams, averaging and concatenation.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax

from jaxact import errors
from jaxact.backbones.protocol import BackboneConfig, last_map
from jaxact.backbones.table import OwnConfig, SharedConfig
from jaxact.backbones.timesformer import TimeSformerConfig
from jaxact.batch import PRESENT, STREAMS, check_streams
from jaxact.layers.fusions.table import FUSIONS, FusionConfig
from jaxact.layers.head import Head
from jaxact.models.streams import (
    Branches,
    Layout,
    StreamsConfig,
    TimeSformerStreamsConfig,
    video_inputs,
)
from jaxact.strict import ConfigError, one_of, part_name

# What a fusion may know of the clips in training.
OF_CLIPS = ("label", "id", "mask")


@dataclasses.dataclass
class DualStreamConfig(StreamsConfig):
    """Any backbone, over any number of streams, in any layout, under any fusion."""

    backbone: BackboneConfig = dataclasses.field(default_factory=TimeSformerConfig)
    # A stream's own network, by the stream's name; skeletons always have one.
    own: OwnConfig = dataclasses.field(default_factory=OwnConfig)
    layout: Layout = "passes"  # see `Branches`
    fusion: FusionConfig = one_of(FUSIONS, "add")
    head_dropout: float = 0.0

    def build(self) -> "DualStream":
        return dual_stream(
            self, self.branches_of(self.backbone, self.layout, self._own())
        )

    def inputs(self) -> dict[str, jax.ShapeDtypeStruct]:
        check_streams(self.streams, tuple(STREAMS))
        joints = {
            name: getattr(self.own, name).input()
            for name in self.streams
            if STREAMS[name].kind == "joints"
        }
        videos = tuple(name for name in self.streams if name not in joints)
        if videos:
            joints |= video_inputs(videos, self.frames, self.image_size)
        return {name: joints[name] for name in self.streams}

    def _own(self) -> dict[str, BackboneConfig]:
        own = {
            name: network
            for name in STREAMS
            if not isinstance(network := getattr(self.own, name), SharedConfig)
        }
        for name in own:  # joints always have one
            if name not in self.streams and STREAMS[name].kind != "joints":
                raise ConfigError(
                    f"Got model.own.{name}={part_name(self.own, name)!r}, a network of "
                    f"its own for a stream that is not read: the model has the streams "
                    f"{self.streams}. Add it to model.streams, or leave its network "
                    "out."
                )
        return {name: own[name] for name in self.inputs() if name in own}

    def losses(self) -> tuple[Any, ...]:
        return self.fusion.build().losses()

    def check_clips(self, count: int) -> None:
        check_history(self.fusion, count)


@dataclasses.dataclass
class BaselineConfig(TimeSformerStreamsConfig):
    """STAFusion's baselines: `DualStreamConfig` on its TimeSformer, fields flat.

    ``streams`` of one entry gives the single-modality rows.
    """

    fusion: FusionConfig = one_of(FUSIONS, "add")
    head_dropout: float = 0.0

    def build(self) -> "DualStream":
        return dual_stream(self, self.branches())

    def losses(self) -> tuple[Any, ...]:
        return self.fusion.build().losses()

    def check_clips(self, count: int) -> None:
        check_history(self.fusion, count)


def dual_stream(
    config: DualStreamConfig | BaselineConfig, branches: Branches
) -> "DualStream":
    """Returns the model of networks that are built.

    Raises:
      ConfigError: the fusion stands between the networks' stages, and they have no such
        stages, or there are no two networks.
    """
    fusion = config.fusion.build()
    stages = getattr(fusion, "stages", ())
    networks: list[Any] = [one.network for one in branches.own]
    if len(networks) < len(branches.streams):
        networks.append(branches.backbone)
    count = min(network.stage_count for network in networks)
    if stages and (len(branches.streams) < 2 or branches.layout == "time"):
        raise ConfigError(
            f"Got streams {branches.streams} in the layout {branches.layout!r}; the "
            f"fusion {part_name(config, 'fusion')!r} stands between the networks of "
            "two streams or more, each with a pass of its own. Choose "
            "layout='passes' or 'unshared' and two streams, or another fusion."
        )
    if hasattr(fusion, "stages") and not (
        stages
        and set(stages) <= set(range(1, count + 1))
        and len(set(stages)) == len(stages)
    ):
        raise ConfigError(
            f"Got model.fusion.stages={stages} and networks of {count} stages; "
            "expected one or more different numbers from 1, the last stage, to "
            f"{count}, the first."
        )
    return DualStream(config.num_classes, branches, fusion, config.head_dropout)


def check_history(fusion: FusionConfig, count: int) -> None:
    """Refuses a history that has no place for every clip of the data set.

    Raises:
      UserError: it is shorter than their number.
    """
    if 0 < (history := getattr(fusion, "history", 0)) < count:
        raise errors.UserError(
            f"The fusion remembers {history} clips (model.fusion.history), but the "
            f"data set has {count}. Add --config.model.fusion.history={count}."
        )


def patches_of(features: Mapping[str, Any]) -> tuple[jax.Array, ...]:
    """Returns every stream's last map as ``[b n d]``, d the width of ``tokens``.

    Raises:
      ValueError: a backbone has none of this width.
    """
    tokens = features["tokens"]
    found = features.get("places")
    if found is None and (stacked := last_map(features, tokens)) is not None:
        found = tuple(stacked[:, index] for index in range(tokens.shape[1]))
    if found is None or any(x is None for x in found):
        raise ValueError(
            f"Got a backbone whose features are {sorted(features)}: it has no one map "
            f"as wide as its vectors ({tokens.shape[-1]}), which this fusion reads. "
            "Choose another backbone, or a fusion of vectors or scores."
        )
    return found


class DualStream(nn.Module):
    """Any number of streams, fused before one classifier or after one each.

    Attributes:
      fusion: see `jaxact.layers.fusions.Fusion`.
    """

    num_classes: int
    branches: Branches
    fusion: nn.Module
    head_dropout: float = 0.0

    @nn.compact
    def __call__(
        self, batch: Mapping[str, jax.Array], *, train: bool = False
    ) -> dict[str, Any]:
        """Returns ``logits [b y]`` and what the fusion returns; of a fusion of scores
        also ``stream_logits [b s y]`` and ``NAME_logits [b y]`` of each stream."""
        fusion: Any = self.fusion
        features = self.branches(
            batch,
            between=getattr(fusion, "between", None),
            after=getattr(fusion, "stages", ()),
            train=train,
        )
        tokens = features["tokens"]
        present, names = batch.get(PRESENT), self.branches.streams
        if tokens.shape[1] < len(names):  # one pass over all of them
            names = ("all",)
            present = None if present is None else present.any(axis=1, keepdims=True)
        streams: dict[str, Any] = {"tokens": tokens}
        out: dict[str, Any] = {}
        if train:
            streams |= {name: batch[name] for name in OF_CLIPS if name in batch}
        if getattr(fusion, "of_patches", False):
            streams["patches"] = patches_of(features)
        if fusion.of_scores:
            heads = {
                name: Head(self.num_classes, self.head_dropout, name=f"head_{name}")
                for name in names
            }
            each = {
                name: head(tokens[:, index], train=train)
                for index, (name, head) in enumerate(heads.items())
            }
            streams["logits"] = jax.numpy.stack(list(each.values()), axis=1)
            out = {f"{name}_logits": logits for name, logits in each.items()}
            out["stream_logits"] = streams["logits"]
        out |= fusion(streams, present, train=train)
        if "logits" not in out:
            head = Head(self.num_classes, self.head_dropout, name="head")
            out["logits"] = head(out["token"], train=train)
        return out
