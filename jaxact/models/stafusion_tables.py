"""STAFusion's Tables 1 and 2 (Qing et al. 2025): their rows, and our counts.

Which variant of a network the paper means, how many frames it saw and whether its two
streams share weights is not said there: a row is the reading whose parameters, with a
head of 12 classes, and cost fit what is printed. The cost is what a common counter says
of a model in training, `Ledger.counted_gflops`: GMAC, and 5 for each element that
enters a norm.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

from jaxact.backbones import (
    hiera,
    mvit,
    resnet,
    slowfast,
    video_focalnet,
    video_swin,
    videomae,
)
from jaxact.backbones.csn import CSNConfig
from jaxact.backbones.i3d import I3DConfig
from jaxact.backbones.protocol import BackboneConfig
from jaxact.backbones.tanet import TANetConfig
from jaxact.backbones.timesformer import TimeSformerConfig
from jaxact.config import Experiment, ModelConfig
from jaxact.layers.fusions.table import FUSIONS
from jaxact.ledger import Ledger, ledger
from jaxact.models.dual_stream import DualStreamConfig
from jaxact.models.stafusion import STAFusionConfig

Size = Literal["paper", "small"]


@dataclasses.dataclass(frozen=True)
class Printed:
    """What the paper prints of a row of Table 1.

    Attributes:
      gflops, millions: "FLOPs" in G and parameters in M, of both streams.
      infra, ntu: top-1 and top-5 in %, on InfRA and on NTU RGB+D 60, cross-view.
    """

    gflops: float
    millions: float
    infra: tuple[float, float]
    ntu: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Row:
    """One network under both streams, their features added.

    Attributes:
      title: what the variant is called.
      backbone: makes the variant that fits what is printed.
      small: makes a published one that a single GPU trains.
      printed: None: the paper has no such row.
      fields: of `DualStreamConfig`, where they are not its defaults.
      note: where our count and the paper's part.
    """

    title: str
    backbone: Callable[[], BackboneConfig]
    small: Callable[[], BackboneConfig]
    printed: Printed | None = None
    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    note: str = ""

    def model(self, size: Size = "paper", **fields: Any) -> DualStreamConfig:
        """Returns the row's model; fields given win over its own."""
        backbone = self.backbone() if size == "paper" else self.small()
        return DualStreamConfig(backbone=backbone, **{**self.fields, **fields})


ROWS: dict[str, Row] = {
    "tsm": Row(
        "TSM-ResNet-50",
        resnet.TSMResNetConfig,
        resnet.TSMResNetConfig,
        Printed(66.3, 23.5, (49.58, 92.50), (73.94, 96.09)),
    ),
    "slowfast": Row(
        "SlowFast-R101 8x8",
        lambda: slowfast.SlowFastConfig(blocks=resnet.VARIANTS["resnet101"]),
        slowfast.SlowFastConfig,
        Printed(48.8, 61.9, (58.33, 93.33), (81.31, 98.08)),
        note="61.9 M are those of lateral kernels of 5, 48.8 G those of 7: these.",
    ),
    "csn": Row(
        "ip-CSN-152",
        CSNConfig,
        lambda: CSNConfig(blocks=resnet.VARIANTS["resnet50"], preserved=False),
        Printed(42.7, 32.2, (74.58, 93.75), (76.59, 97.22)),
    ),
    "tanet": Row(
        "TANet-R101, a network a stream",
        lambda: TANetConfig(blocks=resnet.VARIANTS["resnet101"]),
        TANetConfig,
        Printed(126, 89.8, (82.50, 98.75), (82.48, 99.17)),
        fields={"layout": "unshared"},
    ),
    "video_focalnet": Row(
        "Video-FocalNet-B, patches of two frames",
        lambda: video_focalnet.VideoFocalNetConfig(
            **video_focalnet.VARIANTS["base"], patch=(2, 4, 4)
        ),
        video_focalnet.VideoFocalNetConfig,
        Printed(221, 157, (86.25, 96.25), (85.73, 98.54)),
    ),
    "video_swin": Row(
        "Video Swin-L, 16 frames in one pass",
        lambda: video_swin.VideoSwinConfig(**video_swin.VARIANTS["large"]),
        video_swin.VideoSwinConfig,
        Printed(302, 196, (83.33, 95.83), (84.75, 98.75)),
        fields={"layout": "time"},
    ),
    "mvit": Row(
        "MViTv2-L, 16 frames in one pass",
        lambda: mvit.MViTConfig(**mvit.VARIANTS["v2_large"]),
        mvit.MViTConfig,
        Printed(362, 213, (84.58, 97.92), (83.59, 97.95)),
        fields={"layout": "time"},
    ),
    "timesformer": Row(
        "TimeSformer-B, 10 blocks (baseline)",
        lambda: TimeSformerConfig(depth=10),
        lambda: TimeSformerConfig(width=384, depth=10, heads=6),
        Printed(327, 101, (85.42, 97.08), (83.18, 97.33)),
    ),
    "hiera": Row(
        "Hiera-B, 16 frames of each stream",
        hiera.HieraConfig,
        lambda: hiera.HieraConfig(**hiera.VARIANTS["tiny"]),
        Printed(203, 115, (87.50, 97.08), (86.52, 98.99)),
        fields={"frames": 16},
        note="does not agree: 115 M are no published variant's, shared or twice.",
    ),
    "videomae": Row(
        "VideoMAE's ViT-B, 16 frames of each stream",
        videomae.VideoMAEConfig,
        lambda: videomae.VideoMAEConfig(**videomae.VARIANTS["small"]),
        fields={"frames": 16},
    ),
    # I3D halves its frames three times.
    "i3d": Row(
        "I3D, 16 frames of each stream", I3DConfig, I3DConfig, fields={"frames": 16}
    ),
}
STAFUSION = Printed(360, 109, (89.17, 98.33), (86.67, 99.07))

# Table 2, on the baseline's network: top-1 on InfRA in %. QMF is cited, and in no row.
TABLE_2: dict[str, tuple[dict[str, Any], float]] = {
    "infrared alone": ({"streams": ("ir",)}, 77.50),
    "visible alone": ({"streams": ("rgb",)}, 81.67),
    "average": ({"fusion": "average"}, 84.58),
    "concat": ({"fusion": "concat"}, 83.33),
    "tmc": ({"fusion": "tmc"}, 84.17),
    "dynmm": ({"fusion": "dynmm"}, 85.42),
    "pdf": ({"fusion": "pdf"}, 87.92),
    "add": ({"fusion": "add"}, 85.42),
}


def table_1() -> str:
    """Returns our counts next to STAFusion's Table 1."""
    lines = [
        f"{'both streams, 12 classes':<44}{'parameters':>12}{'paper':>9}{'GMAC':>9}"
        f"{'+ 5 norm':>10}{'paper':>9}{'InfRA top-1/5':>15}"
    ]
    notes = []
    for name, row in ROWS.items():
        lines.append(_line(row.title, _counted(row.model()), row.printed))
        if row.note:
            notes.append(f"{name}: {row.note}")
    for title, packed in (("masks over all tokens", False), ("kept tokens only", True)):
        ours = _counted(STAFusionConfig(packed=packed))
        lines.append(_line(f"STAFusion, {title}", ours, STAFUSION))
    lines += [
        "",
        "+ 5 norm: GMAC, and 5 for each element entering a norm: the paper's counter.",
        *notes,
    ]
    return "\n".join(lines)


def table_2() -> str:
    """Returns our counts of all fusions, and what Table 2 prints of some."""
    head = f"{'TimeSformer-B, 10 blocks':<26}{'parameters':>12}{'GMAC':>9}"
    lines = [f"{head}{'InfRA top-1':>13}"]
    others = {name: {"fusion": name} for name in FUSIONS if name not in TABLE_2}
    for name, fields in ({k: x for k, (x, _) in TABLE_2.items()} | others).items():
        ours = _counted(ROWS["timesformer"].model(**fields))
        line = f"{name:<26}{ours.parameters:>12,}{ours.gmacs:>9.2f}"
        top1 = f"{TABLE_2[name][1]:>13.2f}" if name in TABLE_2 else ""
        lines.append(line + top1)
    return "\n".join(lines)


def _counted(model: ModelConfig) -> Ledger:
    model.num_classes = 12
    return ledger(Experiment("table", model, None))


def _line(title: str, ours: Ledger, printed: Printed | None) -> str:
    millions = gflops = accuracy = ""
    if printed is not None:
        millions, gflops = f"{printed.millions:g} M", f"{printed.gflops:g} G"
        accuracy = "{:.2f}/{:.2f}".format(*printed.infra)
    return (
        f"{title:<44}{ours.parameters:>12,}{millions:>9}{ours.gmacs:>9.2f}"
        f"{ours.counted_gflops:>10.2f}{gflops:>9}{accuracy:>15}"
    )
