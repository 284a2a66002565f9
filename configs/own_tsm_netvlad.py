"""TSM-NetVLAD on one's own clips, colour or infrared.

Command:  python train.py --config configs/own_tsm_netvlad.py:dataset=mine
          python train.py --config configs/own_tsm_netvlad.py:dataset=mine,differences
          python train.py --config configs/own_tsm_netvlad.py:dataset=mine,size=base
          python -m jaxact fuse runs/mine_tsm_rgb_small runs/mine_tsm_rgb_diff_small
Hardware: size=small: 2 CPU cores; size=base: as `configs/ucf101_tsm_netvlad.py`.
Metric:   none: the data are yours.

Arguments: those of `configs/own_stafusion.py`; `differences` reads the changes from
frame to frame of the colour video in place of it. The paper trains both by themselves
and averages their scores, as the last command does.
"""

from configs import demo_tsm_netvlad, own, ucf101_tsm_netvlad
from jaxact.config import Experiment


def get_config(arg: str = "") -> Experiment:
    given = own.read("own_tsm_netvlad", arg, differences=False)
    streams = given.streams if given.args["streams"] else given.streams[:1]
    if given.args["differences"]:
        own.need("own_tsm_netvlad", given, ("rgb",))
        streams = ("rgb_diff",)
    small = given.args["size"] == "small"
    made = (demo_tsm_netvlad if small else ucf101_tsm_netvlad).get_config()
    made.model.streams = streams  # type: ignore[attr-defined]
    return given.fit(made, f"tsm_{'_'.join(streams)}")
