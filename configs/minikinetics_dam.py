"""DAM's ablations on mini-Kinetics-400: one block, or any layout, in ResNet50-C2D.

Command:  python -m input_pipeline.prepare folders --raw RAW --name minikinetics
          python train.py --config configs/minikinetics_dam.py
          python train.py --config configs/minikinetics_dam.py:kind=da_poly,stage=2
          python train.py --config configs/minikinetics_dam.py:kind=none
          python train.py --config configs/minikinetics_dam.py:modules=12
          python evaluate.py --config configs/minikinetics_dam.py:views=30 --workdir RUN
Hardware: one 8-device TPU host or 8 GPUs; a single GPU of 24 GB (the paper's) with
          `--config.train.accumulate=2`.
Metric:   Top-1 71.76 without blocks, DA-NL before the last unit of Res3 73.21, DA-DA in
          Res2 72.94, DA-Poly in Res2 72.68 (the paper's Tables 3 and 4: three crops of
          256 x 256, ten clips; tolerance 0.5 points). Not trained by us: the paper does
          not say which 23,156 and 1,862 videos of Kinetics-400 it took.

Kinds (Table 3): nl, poly (of the paper's size with `--config.model.poly_reduction=4`),
da_nl, da_nl_2, da_nl_2_matrix; (Table 4): da_nl, da_da, da_poly, da_dp, poly_da, dp_da.

While it trains, a clip is one view of 224 x 224. The paper's thirty of 256 x 256 would
cost as much as the training itself if they were seen after every epoch: they are the
last command's, views=30, of a checkpoint.

The blocks know where in the clip a frame stands; "literal" is the paper, in which they
do not. Start from ImageNet weights with `--config.train.init_from=FILE`.
"""

from configs import common, sthv1_dam
from input_pipeline.config import DataConfig
from jaxact.config import Experiment, parse_arg
from jaxact.models.dam import DAM_COUNTS, KINDS, DAMConfig, dam_layout, spaced


def get_config(arg: str = "") -> Experiment:
    args = parse_arg(
        arg,
        kind=("da_nl", *KINDS, "none"),
        stage=(3, 1, 2, 4),
        modules=(0, *DAM_COUNTS),
        **sthv1_dam.POSITION,
        views=(1, 30),
    )
    model = DAMConfig(
        num_classes=common.CLASSES["minikinetics"], position=sthv1_dam.position(args)
    )
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
    experiment.name = f"minikinetics_{name}" + "_literal" * args["literal"]
    experiment.model = model
    experiment.data = DataConfig(
        name="minikinetics",
        window=64,
        crop="corners",
        flip=0.5,  # not stated; the classes are alike in a mirror
    )
    if args["views"] == 30:  # section 4.2: ten clips, three crops of 256 x 256
        model.image_size = 256
        experiment.data.eval_views_time = 10
        experiment.data.eval_views_space = 3
        experiment.data.eval_views_at_once = 3
    return experiment
