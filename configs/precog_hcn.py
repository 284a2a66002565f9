"""HCN alone on a real skeleton set, PRECOG 2016: 20 joints of Kinect v1, 8 actions.

How any set of skeletons is brought in: a manifest, prepared (`--layout` says which
joint is which where their number does not), and a config of classes, `model.joints`,
`model.persons` and `model.origin`, a joint or two in the middle of the body. The set
(github.com/DavidJardim/precog_dataset_16, MIT) has 360 actions of 12 subjects; subjects
1 to 8 train, 9 to 12 test. Of the 120 test clips, 10 hold nothing but zeros (sequences
2 and 4 of subject 10) and are left out by the preparation, which therefore must be
allowed to lose 3 %.

Command:  python -m input_pipeline.conversions.precog --raw Dataset/CSV --out precog
          python -m input_pipeline.prepare clips --manifest precog/manifest.csv \\
              --name precog --min_frames 5 --max_failed 0.03 --out data
          python train.py --config configs/precog_hcn.py
          python evaluate.py --config configs/precog_hcn.py --checkpoint last
Hardware: 1 CPU core, some 5 minutes.
Metric:   Top-1 0.918 (five seeds, 0.873 to 0.964 of 110 clips, of which one is 0.009;
          last checkpoint; python -m results.studies.precog_hcn). An RBF-SVM on 20
          hip-centred frames has 0.909.
"""

from input_pipeline.config import DataConfig
from jaxact.config import (
    EvalConfig,
    Experiment,
    OptimConfig,
    ScheduleConfig,
    TrainConfig,
    parse_arg,
)
from jaxact.models.ccdfarm import CCDFARMConfig


def get_config(arg: str = "") -> Experiment:
    parse_arg(arg)
    return Experiment(
        name="precog_hcn",
        model=CCDFARMConfig(
            num_classes=8,
            dtype="float32",
            streams=("skeleton",),
            joints=20,
            persons=1,
            fc7=256,  # the official HCN's
            tiam=False,
        ),
        data=DataConfig(name="precog", flip=0.0, skeleton_turn=30.0),
        optim=OptimConfig(optimizer="adam", lr=1e-3, weight_decay=1e-4),
        schedule=ScheduleConfig(kind="cosine", warmup_epochs=2.0),
        train=TrainConfig(batch_size=16, epochs=80.0, eval_every=40.0),
        eval=EvalConfig(batch_size=64),
    )
