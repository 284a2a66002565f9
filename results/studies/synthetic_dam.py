"""What directed attention, and a position in time, are worth on the synthetic set.

    python -m results.studies.synthetic_dam    # trains what is not trained yet

Rows: the trunk, with a non-local block, with directed ones, DAM x 3; each kind of block
without and with a position. Without one no row can tell a clip from its reversal: the
classes of which one is the other backwards in time stand in a column of their own. What
else makes the set difficult is left out. A row with a position is compared with the
same row without, one without with the trunk.
"""

from results.study import BY_ORDER, WITHOUT_DIFFICULTIES, Network, Study, main

PRETRAINED = "runs/synthetic_dam_pretrained"
TRUNK, POSITION = "ResNet-C2D", ", position"
ROWS = {
    TRUNK: "trunk",
    "+ NL": "nl",
    "+ DA-NL-1": "da_nl",
    "+ DA-DA": "da_da",
    "+ DA-Poly": "da_poly",
    "DAM x 3": "dam3",
}
# The rest of the paper's combinations, without a position alone.
MORE = {"+ DA-DP": "da_dp", "+ Poly-DA": "poly_da", "+ DP-DA": "dp_da"}


def rows() -> dict[str, Network]:
    """Returns each row's name and network; a trunk has nothing to tell a position."""
    table: dict[str, Network] = {}
    for name, row in ROWS.items():
        table[name] = f"row={row},position=none", {}
        if row != "trunk":
            table[f"{name}{POSITION}"] = f"row={row},position=sinusoidal", {}
    for name, row in MORE.items():
        table[name] = f"row={row},position=none", {}
    return table


def compared() -> dict[str, str]:
    """Returns by row the one that it is compared with."""
    return {
        row: row.removesuffix(POSITION) if row.endswith(POSITION) else TRUNK
        for row in rows()
        if row != TRUNK
    }


STUDY = Study(
    name="synthetic_dam",
    config="configs/demo_dam.py",
    rows=rows(),
    recipe={
        **WITHOUT_DIFFICULTIES,
        "train.epochs": 3.0,
        "train.init_from": PRETRAINED,
        "train.init_part": "backbone",
        "schedule.warmup_epochs": 0.5,
    },
    pretraining={PRETRAINED: ("row=trunk,position=none", WITHOUT_DIFFICULTIES)},
    classes=BY_ORDER,
    against=compared(),
)

if __name__ == "__main__":
    main(STUDY)
