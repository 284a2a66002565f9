"""STAFusion on one's own clips of two or more cameras; everything else is read.

Command:  python train.py --config configs/own_stafusion.py:dataset=mine
          python train.py --config configs/own_stafusion.py:dataset=mine,size=base
          python train.py --config configs/own_stafusion.py:dataset=mine,baseline
          python train.py --config configs/own_stafusion.py:dataset=mine,teacher=RUN
          python crossvalidate.py --config configs/own_stafusion.py:dataset=mine
Hardware: size=small: 2 CPU cores; size=base: as `configs/ntu_stafusion.py`.
Metric:   none: the data are yours.

Arguments, of all configs own_*: `dataset`, the name of the prepared set; `dir`, where
it lies (data); `protocol`; `size`, small (`configs/demo_stafusion.py`) or base (the
paper's); `streams`, for example rgb+ir (those that the set has); `image`, the side of
the model's image; `classes` (those of the set). Presets, as of
`configs/ntu_stafusion.py`: `ranked`, `teacher=RUN`, `literal` and `mmaction2`.
"""

from configs import common, demo_stafusion, ntu_stafusion, own
from jaxact.config import Experiment


def get_config(arg: str = "") -> Experiment:
    presets = common.STAFUSION_PRESETS
    given = own.read("own_stafusion", arg, baseline=False, **presets)
    small = given.args["size"] == "small"
    plain = "baseline" if given.args["baseline"] else ""
    made = (demo_stafusion if small else ntu_stafusion).get_config(plain)
    made.model.streams = given.streams  # type: ignore[attr-defined]
    fitted = given.fit(made, common.stafusion_or(bool(plain))[0])
    common.stafusion_presets(fitted, given.args)
    return fitted
