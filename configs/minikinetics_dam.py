"""DAM's ablations on mini-Kinetics-400: one block, or any layout, in ResNet50-C2D.

Command:  python -m input_pipeline.prepare folders --raw RAW --name minikinetics
          python train.py --config configs/minikinetics_dam.py
          python train.py --config configs/minikinetics_dam.py:kind=da_poly,stage=2
          python train.py --config configs/minikinetics_dam.py:kind=none
          python train.py --config configs/minikinetics_dam.py:modules=12
Hardware: one 8-device TPU host or 8 GPUs; a single GPU of 24 GB (the paper's) with
          `--config.train.accumulate=2`.
Metric:   Top-1 71.76 without blocks, DA-NL before the last unit of Res3 73.21, DA-DA in
          Res2 72.94, DA-Poly in Res2 72.68 (the paper's Tables 3 and 4: three crops of
          256 x 256, ten clips; tolerance 0.5 points). Not trained by us: the paper does
          not say which 23,156 and 1,862 videos of Kinetics-400 it took.

Start from ImageNet weights with `--config.train.init_from=FILE`.
"""

from configs import sthv1_dam
from input_pipeline.config import DataConfig
from jaxact.config import Experiment, parse_arg
from jaxact.models.dam import DAMConfig, dam_layout, spaced


def get_config(arg: str = "") -> Experiment:
    args = parse_arg(arg, kind="da_nl", stage=3, modules=0, position="none")
    model = DAMConfig(num_classes=400, position=args["position"])
    kind, stage = args["kind"], args["stage"]
    if args["modules"]:
        name = f"dam{args['modules']}"
        model.layout = dam_layout(args["modules"])
    elif kind == "none":
        name, model.layout = "trunk", ()
    else:
        name = f"{kind}_res{stage}"
        model.layout = spaced(stage, 1, model.blocks[stage - 1], kind)
    experiment = sthv1_dam.get_config()  # the same recipe (section 4.2)
    experiment.name = f"minikinetics_{name}"
    experiment.model = model
    experiment.data = DataConfig(
        name="minikinetics",
        window=64,
        crop="corners",
        flip=0.5,  # not stated; the classes are alike in a mirror
        # Section 4.2: three crops x ten clips. The crops are 256 x 256 there; a model
        # of that size is evaluated with --config.model.image_size=256.
        eval_views_time=10,
        eval_views_space=3,
        eval_views_at_once=3,
    )
    return experiment
