"""Any network under any fusion, tiny, on the synthetic set: see `configs/infar.py`.

Command:  python -m input_pipeline.prepare synthetic --out data
          python train.py --config configs/demo_infar.py
          python train.py --config configs/demo_infar.py:net=timesformer,fusion=tmc
          python train.py --config configs/demo_infar.py:net=hiera,fusion=bottleneck
          python train.py --config configs/demo_infar.py:streams=rgb+ir+skeleton
          python -m jaxact robustness --config configs/demo_infar.py:fusion=tmc
Hardware: 2 CPU cores, 4 GB of memory.
Metric:   none published: no paper has this set.

Arguments: `net`, `fusion`, `streams` and `layout` as those of `configs/infar.py`. Every
number that differs from it is chosen for the size of the synthetic set.
"""

from configs import common, infar
from jaxact.backbones.csn import CSNConfig
from jaxact.backbones.hcn import HCNConfig
from jaxact.backbones.hiera import HieraConfig
from jaxact.backbones.i3d import I3DConfig
from jaxact.backbones.mvit import MViTConfig
from jaxact.backbones.protocol import BackboneConfig
from jaxact.backbones.resnet import TSMResNetConfig
from jaxact.backbones.slowfast import SlowFastConfig
from jaxact.backbones.table import OwnConfig
from jaxact.backbones.tanet import TANetConfig
from jaxact.backbones.timesformer import TimeSformerConfig
from jaxact.backbones.video_focalnet import VideoFocalNetConfig
from jaxact.backbones.video_swin import VideoSwinConfig
from jaxact.backbones.videomae import VideoMAEConfig
from jaxact.config import Experiment, parse_arg
from jaxact.models.dual_stream import DualStreamConfig
from jaxact.models.stafusion_tables import ROWS

SIZE = 48
RESIDUAL = dict(blocks=(1, 1, 2, 1), width=16)
NETS: dict[str, BackboneConfig] = {
    "tsm": TSMResNetConfig(**RESIDUAL),  # type: ignore[arg-type]
    "slowfast": SlowFastConfig(**RESIDUAL, channel_ratio=4),  # type: ignore[arg-type]
    "csn": CSNConfig(**RESIDUAL),  # type: ignore[arg-type]
    "tanet": TANetConfig(**RESIDUAL),  # type: ignore[arg-type]
    "video_focalnet": VideoFocalNetConfig(width=16, depths=(1, 1, 2)),
    "video_swin": VideoSwinConfig(
        width=24, depths=(1, 1, 2), heads=(1, 2, 4), window=(4, 4, 4), bias_std=0.5
    ),
    "mvit": MViTConfig(width=16, depth=4, downscale=(1, 3), key_strides=(1, 4, 4)),
    "timesformer": TimeSformerConfig(
        patch=8, width=64, depth=3, heads=4, position_std=0.5, time_std=0.5
    ),
    "hiera": HieraConfig(width=24, depths=(1, 1, 2), mask_unit=(1, 4, 4)),
    "videomae": VideoMAEConfig(patch=(2, 8, 8), width=64, depth=3, heads=4),
    "i3d": I3DConfig(width=0.125, norm_momentum=0.9),
}


def get_config(arg: str = "") -> Experiment:
    args = parse_arg(arg, **infar.CHOICES, protocol="xsub")
    row = {k: v for k, v in ROWS[args["net"]].fields.items() if k != "frames"}
    return common.demo(
        f"infar_{infar.named(args)}",
        DualStreamConfig,
        args["protocol"],
        image_size=SIZE,
        frames=16 if args["net"] == "i3d" else 8,
        backbone=NETS[args["net"]],
        own=OwnConfig(skeleton=HCNConfig(fc7=128, dropout=0.2)),
        **(row | infar.fields(args)),
    )
