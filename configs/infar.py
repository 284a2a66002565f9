"""STAFusion's Tables 1 and 2 on visible and infrared clips: any network, any fusion.

Command:  python -m input_pipeline.prepare clips --manifest my/manifest.csv --out data
          python train.py --config configs/infar.py:net=video_swin
          python train.py --config configs/infar.py:net=hiera,classes=5,dataset=mine
          python train.py --config configs/infar.py:net=timesformer,fusion=tmc
          python train.py --config configs/infar.py:size=small,streams=rgb+ir+depth
          python train.py --config configs/infar.py:size=small,streams=rgb+ir+skeleton
          python -m jaxact table1    # size and cost of every row, next to the paper's
          python -m jaxact table2    # of every fusion
Hardware: `size=small`: one GPU of 24 GB with `--config.train.accumulate=4`; the paper's
          variants: 8 such GPUs or TPU devices. `configs/demo_infar.py` trains the same
          models, tiny, on two CPU cores.
Metric:   Top-1 / Top-5 on InfRA's 240 testing pairs (the paper's Table 1): tsm 49.58 /
          92.50, slowfast 58.33 / 93.33, csn 74.58 / 93.75, tanet 82.50 / 98.75,
          video_focalnet 86.25 / 96.25, video_swin 83.33 / 95.83, mvit 84.58 / 97.92,
          timesformer 85.42 / 97.08, hiera 87.50 / 97.08.
          Top-1 of Table 2, on timesformer: streams=ir 77.50, streams=rgb 81.67,
          fusion=average 84.58, concat 83.33, tmc 84.17, dynmm 85.42, pdf 87.92.
          Not trained by us: the paper's pairs are private, and it does not say from
          which weights a row started. i3d and videomae are in no table.

Arguments: `net`; `size`: paper (the variant that fits the table) or small; `fusion`,
see `jaxact.layers.fusions.table`; `streams`; `layout`: passes, time (the streams one
after the other as one clip) or unshared (a network each), by default the row's. The
network's fields are `--config.model.backbone.width=32` and so on, the fusion's
`--config.model.fusion.annealing=0.2`. Skeletons are seen by HCN, whose fields are
`--config.model.own.skeleton.frames=64` and so on; a stream has another network than
the others by `--config.model.own.ir=i3d`.

The recipe is the paper's for all rows (section 4.2), SGD; `recipe=own` is that of the
network's own authors, see `configs/recipes.py`: Video Swin, MViT and VideoMAE want
AdamW.
Start from public weights of the network with `--config.train.init_from=FILE`.
"""

from typing import Any

from configs import ntu_stafusion, recipes
from input_pipeline.config import DataConfig
from jaxact.config import Experiment, parse_arg
from jaxact.layers.fusions.table import FUSIONS
from jaxact.models.stafusion_tables import ROWS

STREAMS = ("rgb+ir", "rgb", "ir", "rgb+ir+depth", "rgb+ir+skeleton")
# "": the row's.
CHOICES: dict[str, Any] = dict(
    net=tuple(ROWS),
    fusion=tuple(FUSIONS),
    streams=STREAMS,
    layout=("", "passes", "time", "unshared"),
)


def get_config(arg: str = "") -> Experiment:
    sizes = ("paper", "small")
    args = parse_arg(
        arg,
        **CHOICES,
        size=sizes,
        recipe=("paper", "own"),
        dataset="clips",
        classes=12,
    )
    experiment = ntu_stafusion.get_config()
    experiment.name = f"{args['dataset']}_{named(args)}"
    experiment.model = ROWS[args["net"]].model(
        args["size"], num_classes=args["classes"], **fields(args)
    )
    experiment.data = DataConfig(name=args["dataset"])
    if args["recipe"] == "own":
        recipes.apply(experiment, args["net"])
        experiment.name += "_own_recipe"
    return experiment


def named(args: dict[str, Any]) -> str:
    """Returns the name of a run with these arguments."""
    words = (
        args[key]
        for key in ("net", "size", "fusion", "layout", "streams")
        if key in args
    )
    defaults = ("", "paper", "rgb+ir")
    return "_".join(word for word in words if word not in defaults)


def fields(args: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields of `DualStreamConfig` that the arguments say."""
    found = {"fusion": args["fusion"], "streams": tuple(args["streams"].split("+"))}
    return found | ({"layout": args["layout"]} if args["layout"] else {})
