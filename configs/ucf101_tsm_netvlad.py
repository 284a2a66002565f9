"""TSM-NetVLAD on UCF101: colour video and RGB differences, one network each.

Command:  python -m input_pipeline.prepare ucf101 --raw RAW --out data
          python train.py --config configs/ucf101_tsm_netvlad.py
          python train.py --config configs/ucf101_tsm_netvlad.py:stream=rgb_diff,split=2
          python train.py --config configs/ucf101_tsm_netvlad.py:stream=both
          python -m jaxact fuse runs/ucf101_split1_tsm_netvlad_rgb \
              runs/ucf101_split1_tsm_netvlad_rgb_diff
Hardware: one GPU of 16 GB; a GTX 1080 Ti (the paper's) with
          `--config.train.accumulate=2`.
Metric:   top-1 95.2 of both streams fused (the paper's Table 1, which does not say of
          which splits; tolerance 0.5 points). Not trained by us yet.

The paper trains each stream by itself and averages their scores: evaluate both with
evaluate.py, then fuse as above. stream=both trains the average jointly. NetVLAD's
vector is 16 times as long before the classifier as the paper prints it
(`docs/results.md`); "literal" leaves it as it is.

Start from Kinetics weights, as the paper does, with `--config.train.init_from=FILE`: a
public ResNet-50 of TSM (.pth), or of torchvision's names. Batch norm is frozen; of
differences all but the first layer is, which sees other inputs than the weights were
made for (TSN's partial batch norm). From random weights add
`--config.model.frozen_norm=none`.
"""

from configs import common
from input_pipeline.config import DataConfig
from jaxact.config import (
    EvalConfig,
    Experiment,
    OptimConfig,
    ScheduleConfig,
    TrainConfig,
    parse_arg,
)
from jaxact.models.tsm_netvlad import TSMNetVLADConfig

STREAMS = {"rgb": ("rgb",), "rgb_diff": ("rgb_diff",), "both": ("rgb", "rgb_diff")}


def get_config(arg: str = "") -> Experiment:
    return make_experiment("ucf101", arg)


def make_experiment(dataset: str, arg: str) -> Experiment:
    """Returns the paper's recipe (section 3.1) on a data set with three splits."""
    args = parse_arg(arg, stream=tuple(STREAMS), split=(1, 2, 3), literal=False)
    stream, split = args["stream"], args["split"]
    name = f"{dataset}_split{split}_tsm_netvlad_{stream}"
    return Experiment(
        name=name + "_literal" * args["literal"],
        model=TSMNetVLADConfig(
            num_classes=common.CLASSES[dataset],
            streams=STREAMS[stream],
            head_scale=1.0 if args["literal"] else 0.0,
        ),
        data=DataConfig(
            name=dataset,
            protocol=f"split{split}",
            crop="corners",  # not stated; TSM's and TSN's
        ),
        optim=OptimConfig(
            lr=0.01,  # section 3.1, as are weight decay, batch and epochs
            weight_decay=1e-4,
            momentum=0.9,  # not stated, like what follows; TSM's public recipe
            nesterov=False,
            clip_norm=20.0,
        ),
        schedule=ScheduleConfig(kind="step", milestones=(20.0, 40.0), decay=0.1),
        train=TrainConfig(batch_size=16, epochs=50.0),
        eval=EvalConfig(batch_size=16),
    )
