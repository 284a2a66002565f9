"""DAM on UCF101 or HMDB51, started from a DAM trained on a larger set.

Command:  python -m input_pipeline.prepare ucf101 --raw RAW --out data
          python train.py --config configs/ucf101_dam.py
          python train.py --config configs/ucf101_dam.py:split=2
          python train.py --config configs/ucf101_dam.py:dataset=hmdb51,split=3
Hardware: one 8-device TPU host or 8 GPUs; a single GPU of 24 GB (the paper's) with
          `--config.train.accumulate=2`.
Metric:   mean class accuracy 95.7 (UCF101) and 71.8 (HMDB51), the mean of the three
          splits (the paper's Table 7; tolerance 0.5 points). Not trained by us yet.

Give the run of `configs/sthv1_dam.py` or of Kinetics as `--config.train.init_from`, as
the paper does, with `--config.train.init_part=all_but_heads`: the blocks are kept. As
there, "literal" is the paper, whose blocks do not know where a frame stands.
"""

from configs import common, sthv1_dam
from input_pipeline.config import DataConfig
from jaxact.config import Experiment, parse_arg
from jaxact.models.dam import DAMConfig

SETS = ("ucf101", "hmdb51")


def get_config(arg: str = "") -> Experiment:
    args = parse_arg(
        arg, dataset=("ucf101", *SETS), split=(1, 2, 3), **sthv1_dam.POSITION
    )
    dataset, split = args["dataset"], args["split"]
    experiment = sthv1_dam.get_config()  # the same recipe (section 4.2)
    experiment.name = f"{dataset}_split{split}_dam12" + "_literal" * args["literal"]
    experiment.model = DAMConfig(
        num_classes=common.CLASSES[dataset], position=sthv1_dam.position(args)
    )
    experiment.data = DataConfig(
        name=dataset, protocol=f"split{split}", window=64, crop="corners"
    )
    experiment.eval.best_metric = "mean_class_accuracy"
    return experiment
