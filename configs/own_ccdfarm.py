"""CC-DFARM on one's own clips: colour video and skeletons of any joints, or one alone.

Command:  python train.py --config configs/own_ccdfarm.py:dataset=mine
          python train.py --config configs/own_ccdfarm.py:dataset=mine,model=mmtm
          python train.py --config configs/own_ccdfarm.py:dataset=mine,model=skeleton
          python train.py --config configs/own_ccdfarm.py:dataset=mine,size=base
Hardware: size=small: 2 CPU cores; size=base: as `configs/ntu_ccdfarm.py`.
Metric:   none: the data are yours.

Arguments: those of `configs/own_stafusion.py`; `model` ccdfarm, mmtm, rgb or skeleton
(by default what the set's streams allow). Joints, persons and the middle of the body
are those of the prepared skeletons; where their layout is not known (`prepare
--layout`), nothing is mirrored in training, and joint 0 is the middle.
"""

from configs import demo_ccdfarm, ntu_ccdfarm, own
from jaxact.config import Experiment


def get_config(arg: str = "") -> Experiment:
    given = own.read("own_ccdfarm", arg, model=("", *ntu_ccdfarm.MODELS))
    model = given.args["model"] or (
        "ccdfarm" if len(given.streams) > 1 else given.streams[0]
    )
    fields = ntu_ccdfarm.MODELS[model]
    own.need("own_ccdfarm", given, fields.get("streams", ("rgb", "skeleton")))
    source = demo_ccdfarm if given.args["size"] == "small" else ntu_ccdfarm
    made = source.get_config(f"model={model}")
    for key, value in given.body().items():
        setattr(made.model, key, value)
    return given.fit(made, model)
