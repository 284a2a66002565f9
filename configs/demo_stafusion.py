"""STAFusion, small, on the synthetic set: the whole road in minutes on two cores.

Command:  make demo
          python train.py --config configs/demo_stafusion.py
          python train.py --config configs/demo_stafusion.py:baseline
Hardware: 2 CPU cores, 4 GB of memory.
Metric:   see the results table of the README.

Every number that differs from `configs/ntu_stafusion.py` is chosen for the size of the
synthetic set (no paper states them).
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
from jaxact.models.dual_stream import BaselineConfig
from jaxact.models.stafusion import STAFusionConfig


def get_config(arg: str = "") -> Experiment:
    args = parse_arg(arg, protocol="xsub", baseline=False)
    family = BaselineConfig if args["baseline"] else STAFusionConfig
    return Experiment(
        name="demo_" + ("baseline" if args["baseline"] else "stafusion"),
        model=family(
            num_classes=16,
            dtype="float32",  # bfloat16 is emulated, and slow, on most CPUs
            frames=8,
            image_size=48,
            patch=8,
            width=64,
            depth=3,
            heads=4,
            position_std=0.5,
            time_std=0.5,
        ),
        data=DataConfig(
            name="synthetic",
            protocol=args["protocol"],
            resize_min=50,
            resize_max=58,
            test_resize=52,
        ),
        optim=OptimConfig(optimizer="adamw", lr=2e-3, weight_decay=0.05, clip_norm=1.0),
        schedule=ScheduleConfig(kind="cosine", warmup_epochs=1.0),
        train=TrainConfig(batch_size=16, epochs=12.0, eval_every=4.0),
        eval=EvalConfig(batch_size=32),
    )
