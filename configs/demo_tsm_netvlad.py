"""TSM-NetVLAD, small, on the synthetic set: what each of its parts is worth.

Command:  python -m input_pipeline.prepare synthetic --out data
          python train.py --config configs/demo_tsm_netvlad.py
          python train.py --config configs/demo_tsm_netvlad.py:stream=rgb_diff
          python train.py --config configs/demo_tsm_netvlad.py:row=average
          python train.py --config configs/demo_tsm_netvlad.py:row=shift,stream=both
          python -m jaxact fuse runs/demo_tsm_netvlad_rgb runs/demo_tsm_netvlad_rgb_diff
Hardware: 2 CPU cores, 4 GB of memory.
Metric:   none published: no paper has this set. Rows: average (pooling, no shift),
          shift, netvlad (with shift); each for one stream, whose reports are fused, or
          for both jointly. Without a shift and from single frames no network can tell
          "sit down" from "stand up" or "approach" from "leave".

Every number that differs from `configs/ucf101_tsm_netvlad.py` is chosen for the size of
the synthetic set and for training from random weights.
"""

from configs import common
from configs.ucf101_tsm_netvlad import STREAMS
from jaxact.config import Experiment, parse_arg
from jaxact.models.tsm_netvlad import TSMNetVLADConfig

ROWS = {
    "average": dict(shift_fraction=0.0, pooling="average"),
    "shift": dict(pooling="average"),
    "netvlad": dict(),
}


def get_config(arg: str = "") -> Experiment:
    rows, streams = ("netvlad", *ROWS), ("rgb", *STREAMS)
    args = parse_arg(arg, row=rows, stream=streams, protocol="xsub")
    row, stream = args["row"], args["stream"]
    return common.demo(
        f"tsm_{row}_{stream}",
        TSMNetVLADConfig,
        args["protocol"],
        image_size=56,
        streams=STREAMS[stream],
        blocks=(1, 1, 2, 1),
        width=16,
        frozen_norm="none",  # there are no statistics to freeze yet
        clusters=8,
        alpha=10.0,  # soft: the features are still to be learned
        dropout=0.2,
        **ROWS[row],
    )
