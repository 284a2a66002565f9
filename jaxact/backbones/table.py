"""All backbones by name, and which of them each stream has."""

import dataclasses
from typing import Any, ClassVar

from jaxact.backbones.csn import CSNConfig
from jaxact.backbones.hcn import HCNConfig
from jaxact.backbones.hiera import HieraConfig
from jaxact.backbones.i3d import I3DConfig
from jaxact.backbones.mvit import MViTConfig
from jaxact.backbones.protocol import BackboneConfig
from jaxact.backbones.resnet import TSMResNetConfig
from jaxact.backbones.slowfast import SlowFastConfig
from jaxact.backbones.tanet import TANetConfig
from jaxact.backbones.timesformer import TimeSformerConfig
from jaxact.backbones.video_focalnet import VideoFocalNetConfig
from jaxact.backbones.video_swin import VideoSwinConfig
from jaxact.backbones.videomae import VideoMAEConfig
from jaxact.batch import STREAMS
from jaxact.strict import Config, one_of


@dataclasses.dataclass
class SharedConfig(BackboneConfig):
    """No network of the stream's own: it has the model's ``backbone``."""

    mean: ClassVar[tuple[float, ...]] = ()
    std: ClassVar[tuple[float, ...]] = ()


# Of videos, and of joints.
NETWORKS: dict[str, dict[str, type[BackboneConfig]]] = {
    "video": {
        "shared": SharedConfig,
        "tsm": TSMResNetConfig,
        "slowfast": SlowFastConfig,
        "csn": CSNConfig,
        "tanet": TANetConfig,
        "video_focalnet": VideoFocalNetConfig,
        "video_swin": VideoSwinConfig,
        "mvit": MViTConfig,
        "timesformer": TimeSformerConfig,
        "hiera": HieraConfig,
        "videomae": VideoMAEConfig,
        "i3d": I3DConfig,
    },
    "joints": {"hcn": HCNConfig},
}

# What a stream has where nothing is said.
DEFAULTS = {"video": "shared", "joints": "hcn"}

# For each stream, under its name, one of `NETWORKS` with its fields.
OwnConfig: Any = dataclasses.make_dataclass(
    "OwnConfig",
    [
        (name, BackboneConfig, one_of(NETWORKS[stream.kind], DEFAULTS[stream.kind]))
        for name, stream in STREAMS.items()
    ],
    bases=(Config,),
    namespace={"__module__": __name__},  # by which a model folder names it
)
