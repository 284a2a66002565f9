"""STAFusion, its baselines and its ablations on the synthetic set.

    python -m results.studies.synthetic_stafusion    # trains what is not trained yet

Rows: the single streams, average, concatenation and the baseline (the paper's Table 2),
the eight rows of Table 3, of which the last is STAFusion. As in the paper, all start
from one pretrained backbone, heads and fusion fresh: here the baseline's, trained on a
staged world of other people without any of the difficulties. Then each row is trained
with every seed, all alike: the same data, recipe, epochs and batches.
"""

from results.study import Network, Run, Study, main, spread

SWITCHES = ("selection", "fusion", "distillation")
# What is said of STAFusion's selection: the words, the metric, the metric by chance.
SELECTION = (
    ("frames showing the actor that are kept", "frame_recall", "frame_chance"),
    (
        "kept frames that show the actor",
        "frame_precision",
        "frame_precision_chance",
    ),
    ("the actor's regions that are kept", "region_recall", "region_chance"),
    (
        "the same, in kept frames only",
        "marked_region_recall",
        "marked_region_chance",
    ),
)
FULL = "STAFusion (all three)"
# `make results` prepares both data sets.
PRETRAINED = "runs/synthetic_pretrained"
PRETRAINING = {"data.dir": "data/pretraining", "train.epochs": 9.0}
RECIPE = {
    "train.init_from": PRETRAINED,
    "train.init_part": "backbone",
    "train.epochs": 3.0,
    "train.eval_every": 0.0,  # only at the end
    "schedule.warmup_epochs": 0.5,
    "optim.lr": 1e-3,
}


def rows() -> dict[str, Network]:
    """Returns each row's name, the config's argument and what it changes."""
    table: dict[str, Network] = {
        "visible only": ("baseline", {"model.streams": ("rgb",)}),
        "infrared only": ("baseline", {"model.streams": ("ir",)}),
        "average": ("baseline", {"model.fusion": "average"}),
        "concatenation": ("baseline", {"model.fusion": "concat"}),
        "baseline (add)": ("baseline", {}),
    }
    for bits in range(1, 8):
        on = {name: bool(bits >> i & 1) for i, name in enumerate(SWITCHES)}
        name = " + ".join(name for name in SWITCHES if on[name])
        changes = {f"model.{switch}": value for switch, value in on.items()}
        table[FULL if bits == 7 else name] = ("", changes)
    return table


def selection(runs: list[Run]) -> list[str]:
    """Returns a second table: how well STAFusion's selection finds the actor."""
    full = [entry for entry in runs if entry["row"] == FULL]
    if not full:
        return []
    lines = ["", "| STAFusion's selection | model % | chance % |", "|---|---|---|"]
    for what, key, chance in SELECTION:
        cells = [spread([entry[name] for entry in full]) for name in (key, chance)]
        lines.append(f"| {what} | {' | '.join(cells)} |")
    return lines


STUDY = Study(
    name="synthetic_stafusion",
    config="configs/demo_stafusion.py",
    rows=rows(),
    recipe=RECIPE,
    pretraining={PRETRAINED: ("baseline", PRETRAINING)},
    more=selection,
)

if __name__ == "__main__":
    main(STUDY)
