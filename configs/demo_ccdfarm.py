"""CC-DFARM, small, on the synthetic set: colour video and skeletons in minutes.

Command:  python -m input_pipeline.prepare synthetic --out data
          python train.py --config configs/demo_ccdfarm.py
          python train.py --config configs/demo_ccdfarm.py:model=mmtm
          python train.py --config configs/demo_ccdfarm.py:model=skeleton
Hardware: 2 CPU cores, 4 GB of memory.
Metric:   none published: no paper has this set. Models: ccdfarm, mmtm, rgb, skeleton.

Every number that differs from `configs/ntu_ccdfarm.py` is chosen for the size of the
synthetic set (no paper states them).
"""

from configs import ntu_ccdfarm
from input_pipeline.config import DataConfig
from jaxact.config import (
    ConfigError,
    EvalConfig,
    Experiment,
    OptimConfig,
    ScheduleConfig,
    TrainConfig,
    parse_arg,
)
from jaxact.models.ccdfarm import CCDFARMConfig


def get_config(arg: str = "") -> Experiment:
    args = parse_arg(arg, protocol="xsub", model="ccdfarm")
    models = ntu_ccdfarm.MODELS
    if args["model"] not in models:
        raise ConfigError(
            f"Got model={args['model']}; expected one of {', '.join(models)}."
        )
    return Experiment(
        name=f"demo_{args['model']}",
        model=CCDFARMConfig(
            num_classes=16,
            dtype="float32",  # bfloat16 is emulated, and slow, on most CPUs
            frames=16,
            image_size=48,
            width=0.25,
            norm_momentum=0.9,
            fc7=128,
            dropout=0.2,
            head_dropout=0.2,
            blocks=(32, 64),
            tiam_scaled=True,
            **models[args["model"]],
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
