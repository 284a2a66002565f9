"""Any network under any fusion on one's own clips, of one camera or several.

Command:  python train.py --config configs/own_dual_stream.py:dataset=mine
          python train.py --config configs/own_dual_stream.py:dataset=mine,net=tsm
          python train.py --config configs/own_dual_stream.py:dataset=mine,fusion=tmc
          python train.py --config configs/own_dual_stream.py:dataset=mine,size=base
          python train.py --config \
              configs/own_dual_stream.py:dataset=mine,streams=rgb+ir+skeleton
Hardware: size=small: 2 CPU cores; size=base: as `size=small` of `configs/infar.py`.
Metric:   none: the data are yours.

Arguments: those of `configs/own_stafusion.py`; `net`, `fusion` and `layout` as those of
`configs/infar.py`, whose networks size=base has; size=small has those of
`configs/demo_infar.py`. Skeletons, which have a network of their own, are read where
`streams` names them, or where there is nothing else; joints, persons and the middle of
the body are those of the prepared ones.
"""

from typing import Any

from configs import demo_infar, infar, own
from jaxact.config import Experiment

CHOICES = {key: infar.CHOICES[key] for key in ("fusion", "layout")}


def get_config(arg: str = "") -> Experiment:
    nets = ("timesformer", *demo_infar.NETS)
    given = own.read("own_dual_stream", arg, net=nets, **CHOICES)
    args = given.args
    words = [f"{key}={args[key]}" for key in ("net", *CHOICES) if args[key]]
    small = args["size"] == "small"
    made = (demo_infar if small else infar).get_config(
        ",".join([*words, *([] if small else ["size=small"])])
    )
    model: Any = made.model
    images = [name for name in given.streams if name in own.IMAGES]
    named = bool(args["streams"]) or not images
    model.streams = given.streams if named else tuple(images)
    for key, value in given.body().items():
        setattr(model.own.skeleton, key, value)
    others = [args[key] for key in CHOICES if args[key] not in ("", "add")]
    return given.fit(made, "_".join([args["net"], *others]))
