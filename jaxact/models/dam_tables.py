"""Our counts of parameters and multiply-accumulates next to DAM's tables."""

from typing import Any

from jaxact.config import Experiment
from jaxact.ledger import Ledger, ledger
from jaxact.models.dam import DAM_COUNTS, DAMConfig, Layout, dam_layout, spaced

# A block before the last unit of Res3 (DAM's Table 3), of our kind and fields.
TABLE_3: dict[str, tuple[str, dict[str, Any], tuple[float, float]]] = {
    "DP-NL": ("nl", {}, (25.56, 26.47)),
    "Poly-NL": ("poly", {"poly_reduction": 4}, (25.33, 26.20)),
    "... of eq. 19": ("poly", {}, (25.33, 26.20)),
    "DA-NL-1": ("da_nl", {}, (25.53, 27.02)),
    "DA-NL-2": ("da_nl_2", {}, (25.57, 27.04)),
    "... a matrix": ("da_nl_2_matrix", {}, (25.57, 27.04)),
}

# DAM (Li et al. 2024), 32 x 256 x 256, 400 classes: the trunk, and what a block before
# the last unit of a stage adds to it, in millions of parameters and in GMAC (Table 4).
# Its costs are those of relating positions alone: a block's matrices stand in none.
TRUNK_4 = (24.18, 26.19)
TABLE_4: dict[int, dict[str, tuple[float, float]]] = {
    1: {
        "da_nl": (24.27, 237.92),
        "da_da": (25.19, 52.72),
        "da_poly": (24.83, 26.26),
        "da_dp": (25.22, 35.08),
        "poly_da": (24.83, 52.66),
        "dp_da": (25.22, 52.68),
    },
    2: {
        "da_nl": (24.51, 32.81),
        "da_da": (26.23, 27.85),
        "da_poly": (26.08, 26.20),
        "da_dp": (26.25, 26.75),
        "poly_da": (26.08, 27.84),
        "dp_da": (26.25, 27.84),
    },
    3: {
        "da_nl": (25.53, 27.02),
        "da_da": (27.98, 26.40),
        "da_poly": (27.35, 26.19),
        "da_dp": (30.02, 26.26),
        "poly_da": (27.35, 26.39),
    },
    4: {
        "da_nl": (29.68, 26.29),
        "da_da": (36.18, 26.22),
        "da_poly": (35.82, 26.19),
        "da_dp": (36.24, 26.20),
        "poly_da": (35.82, 26.22),
        "dp_da": (36.24, 26.22),
    },
}
# The same of DAM x k: Table 6 prints x 12, figure 6 and section 3.3's sums the others.
TABLE_6 = {
    1: (25.53, 27.02),
    3: (28.23, 28.75),
    6: (32.28, 31.31),
    9: (36.33, 33.87),
    12: (40.38, 36.36),
}


def table_3() -> str:
    """Returns what each relation adds to ResNet50-C2D next to DAM's Table 3."""
    units = DAMConfig().blocks[2]
    table = _increments(
        [
            (name, spaced(3, 1, units, kind), theirs, fields)
            for name, (kind, fields, theirs) in TABLE_3.items()
        ]
    )
    return (
        f"{table}\nPoly-NL: model.poly_reduction=4. A matrix: kind da_nl_2_matrix, a "
        "scale for each pair of the\n1024 positions of 256 x 256. The paper's DA-NL-2 "
        "has .04 M more than its DA-NL-1: what a\nscale for each pair of places of a "
        "frame of 14 x 14 would have."
    )


def table_4() -> str:
    """Returns what each block adds to ResNet50-C2D next to DAM's Table 4."""
    units = DAMConfig().blocks
    return _increments(
        [
            (f"Res{stage} {kind}", spaced(stage, 1, units[stage - 1], kind), theirs, {})
            for stage, kinds in TABLE_4.items()
            for kind, theirs in kinds.items()
        ]
    )


def table_6() -> str:
    """Returns what DAM x k adds to ResNet50-C2D next to the paper's figures."""
    return _increments(
        [(f"DAM x {k}", dam_layout(k), TABLE_6[k], {}) for k in DAM_COUNTS]
    )


def _increments(
    rows: list[tuple[str, Layout, tuple[float, float], dict[str, Any]]],
) -> str:
    small, trunk = _dam((), 224), _dam((), 256)
    lines = [
        f"ResNet50-C2D, 32 frames, 400 classes: {trunk.parameters:,} parameters (the "
        f"paper: {TRUNK_4[0]} M), {small.gmacs:.2f} GMAC at 224 x 224, "
        f"{trunk.gmacs:.2f} at 256 x 256 (the paper: {TRUNK_4[1]}).",
        "More than that, with blocks:",
        "",
        f"{'':<14}{'parameters':>12}{'paper':>10}{'GMAC: 224':>12}{'256':>8}"
        f"{'quadratic':>11}{'paper':>9}",
    ]
    for name, layout, (millions, gmacs), fields in rows:
        ours = _dam(layout, 256, **fields)
        literal = _dam(layout, 256, order="quadratic", **fields)
        lines.append(
            f"{name:<14}{(ours.parameters - trunk.parameters) / 1e6:>10.2f} M"
            f"{millions - TRUNK_4[0]:>8.2f} M"
            f"{_dam(layout, 224, **fields).gmacs - small.gmacs:>12.2f}"
            f"{ours.gmacs - trunk.gmacs:>8.2f}"
            f"{literal.gmacs - trunk.gmacs:>11.2f}{gmacs - TRUNK_4[1]:>9.2f}"
        )
    lines += [
        "",
        "224, 256: the cheapest exact order of the products; quadratic: the paper's "
        "order, 256.",
        "Ours count the blocks' matrices too; the paper's are the relations alone.",
    ]
    return "\n".join(lines)


def _dam(layout: Layout, size: int, **fields: Any) -> Ledger:
    model = DAMConfig(num_classes=400, image_size=size, layout=layout, **fields)
    return ledger(Experiment("table", model, None))
