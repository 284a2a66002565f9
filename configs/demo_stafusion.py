"""STAFusion, small, on the synthetic set: the whole road in minutes on two cores.

Command:  make demo
          python train.py --config configs/demo_stafusion.py
          python train.py --config configs/demo_stafusion.py:baseline
          python train.py --config configs/demo_stafusion.py:ranked
Hardware: 2 CPU cores, 4 GB of memory.
Metric:   see the results table of the README.

Presets, as of `configs/ntu_stafusion.py`: "ranked", "teacher=RUN", "literal" and
"mmaction2".

Every number that differs from `configs/ntu_stafusion.py` is chosen for the size of the
synthetic set (no paper states them).
"""

from configs import common
from jaxact.config import Experiment, parse_arg


def get_config(arg: str = "") -> Experiment:
    args = parse_arg(arg, protocol="xsub", baseline=False, **common.STAFUSION_PRESETS)
    name, family = common.stafusion_or(args["baseline"])
    experiment = common.demo(
        name,
        family,
        args["protocol"],
        image_size=48,
        frames=8,
        patch=8,
        width=64,
        depth=3,
        heads=4,
        position_std=0.5,
        time_std=0.5,
    )
    common.stafusion_presets(experiment, args)
    return experiment
