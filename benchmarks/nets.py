"""The nets of `benchmarks.against_torch`, of published sizes; `torch/nets.py` has the
same names."""

import dataclasses

from jaxact.backbones.csn import CSNConfig
from jaxact.backbones.hiera import HieraConfig
from jaxact.backbones.i3d import I3DConfig
from jaxact.backbones.mvit import MViTConfig
from jaxact.backbones.protocol import BackboneConfig
from jaxact.backbones.resnet import C2D_TIME_STRIDES, VARIANTS, TSMResNetConfig
from jaxact.backbones.slowfast import SlowFastConfig
from jaxact.backbones.tanet import TANetConfig
from jaxact.backbones.timesformer import TimeSformerConfig
from jaxact.backbones.video_swin import VideoSwinConfig
from jaxact.backbones.videomae import VideoMAEConfig


@dataclasses.dataclass(frozen=True)
class Net:
    """One network: what it is for people, its fields, and the frames of its clips.

    No drop path on either side: what is timed is the whole network.
    """

    about: str
    config: BackboneConfig
    frames: int

    def of_form(self, form: str) -> BackboneConfig:
        """Returns the fields with this form of 3-D convolutions, if it has any."""
        if not hasattr(self.config, "conv3d"):
            return self.config
        return dataclasses.replace(self.config, conv3d=form)


_C2D = TSMResNetConfig(shift_fraction=0.0, time_strides=C2D_TIME_STRIDES)
_R50 = VARIANTS["resnet50"]

NETS = {
    "i3d": Net("I3D", I3DConfig(), 16),
    "resnet": Net("ResNet50-C2D", _C2D, 32),
    "tsm": Net("TSM-ResNet50", TSMResNetConfig(), 8),
    "tanet": Net("TANet-50", TANetConfig(), 8),
    "slowfast": Net("SlowFast R50 8x8", SlowFastConfig(lateral_norm=True), 32),
    "ir_csn": Net("ir-CSN-50", CSNConfig(blocks=_R50, preserved=False), 32),
    "ip_csn": Net("ip-CSN-50", CSNConfig(blocks=_R50), 32),
    "timesformer": Net("TimeSformer-B, 10 layers", TimeSformerConfig(depth=10), 8),
    "video_swin": Net("Video Swin-T", VideoSwinConfig(drop_path=0.0), 32),
    "mvit": Net("MViTv2-S", MViTConfig(drop_path=0.0), 16),
    "hiera": Net("Hiera-B", HieraConfig(), 16),
    "videomae": Net("VideoMAE ViT-B", VideoMAEConfig(drop_path=0.0), 16),
}
