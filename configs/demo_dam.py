"""DAM, small, on the synthetic set: what blocks and a position are worth, in minutes.

Command:  python -m input_pipeline.prepare synthetic --out data
          python train.py --config configs/demo_dam.py
          python train.py --config configs/demo_dam.py:row=da_nl,position=none
          python train.py --config configs/demo_dam.py:row=trunk
Hardware: 2 CPU cores, 4 GB of memory.
Metric:   none published: no paper has this set. Rows: trunk, nl, the six of the paper's
          Table 4 (da_nl, da_da, da_poly, da_dp, poly_da, dp_da), dam3. Without a
          position no row can tell "sit down" from "stand up" or "approach" from
          "leave": the network has no stride along time here, so that a clip and its
          reversal score exactly alike.

Every number that differs from `configs/sthv1_dam.py` is chosen for the size of the
synthetic set.
"""

from configs import common
from jaxact.backbones.resnet import FRAME_WISE
from jaxact.config import Experiment, parse_arg
from jaxact.models.dam import DAMConfig, dam_layout, spaced

BLOCKS = (1, 1, 2, 1)
KINDS = ("nl", "da_nl", "da_da", "da_poly", "da_dp", "poly_da", "dp_da")
# The rows of the table; single blocks stand before the last unit of Res3.
ROWS = {
    "trunk": (),
    **{kind: spaced(3, 1, BLOCKS[2], kind) for kind in KINDS},
    "dam3": dam_layout(3, BLOCKS),
}


def get_config(arg: str = "") -> Experiment:
    rows = ("dam3", *ROWS)
    args = parse_arg(arg, row=rows, position="sinusoidal", protocol="xsub")
    row = args["row"]
    return common.demo(
        f"dam_{row}_{args['position']}",
        DAMConfig,
        args["protocol"],
        image_size=56,
        frames=8,
        blocks=BLOCKS,
        width=16,
        time_strides=FRAME_WISE,
        layout=ROWS[row],
        position=args["position"],
        dropout=0.2,
    )
