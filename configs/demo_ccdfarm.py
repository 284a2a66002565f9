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

from configs import common, ntu_ccdfarm
from jaxact.config import Experiment, parse_arg
from jaxact.models.ccdfarm import CCDFARMConfig


def get_config(arg: str = "") -> Experiment:
    models = ntu_ccdfarm.MODELS
    args = parse_arg(arg, protocol="xsub", model=("ccdfarm", *models))
    return common.demo(
        args["model"],
        CCDFARMConfig,
        args["protocol"],
        image_size=48,
        frames=16,
        width=0.25,
        norm_momentum=0.9,
        fc7=128,
        dropout=0.2,
        head_dropout=0.2,
        blocks=(32, 64),
        tiam_scaled=True,
        **models[args["model"]],
    )
