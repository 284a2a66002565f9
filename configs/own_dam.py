"""DAM on one's own colour clips.

Command:  python train.py --config configs/own_dam.py:dataset=mine
          python train.py --config configs/own_dam.py:dataset=mine,position=none
          python train.py --config configs/own_dam.py:dataset=mine,size=base
Hardware: size=small: 2 CPU cores; size=base: as `configs/sthv1_dam.py`.
Metric:   none: the data are yours.

Arguments: those of `configs/own_stafusion.py`; `position`, without which a clip and its
reversal can hardly be told apart. Clips are mirrored in training; where left and right
are classes of their own, add `--config.data.flip=0`.
"""

from configs import demo_dam, own, sthv1_dam
from jaxact.config import Experiment


def get_config(arg: str = "") -> Experiment:
    given = own.read("own_dam", arg, position="sinusoidal")
    source = demo_dam if given.args["size"] == "small" else sthv1_dam
    made = source.get_config(f"position={given.args['position']}")
    made.data.flip = 0.5
    return given.fit(made, "dam")
