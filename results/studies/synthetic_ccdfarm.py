"""What fusion, and each module of CC-DFARM, are worth on the synthetic set.

    python -m results.studies.synthetic_ccdfarm    # trains what is not trained yet

Rows: each stream alone, the mean of both, the baseline MMTM, and the combinations of
TIAM, DSFM and MFFM in the paper's Table 5, of which the last is CC-DFARM. Dark clips,
and those with a noisy skeleton, stand in columns of their own: they show what each
stream brings. All rows start from the streams of one network trained on clips of other
people without difficulties.
"""

from results.study import WITHOUT_DIFFICULTIES, Network, Study, main

PRETRAINED = "runs/synthetic_ccdfarm_pretrained"


def fused(tiam: bool, dsfm: bool, mffm: bool) -> Network:
    """Returns the network with these modules; without any, its streams do not meet."""
    transfer = "dsfm" if dsfm else "none"
    switches = {"model.tiam": tiam, "model.transfer": transfer, "model.mffm": mffm}
    return "model=ccdfarm", switches


ROWS: dict[str, Network] = {
    "I3D alone": ("model=rgb", {}),
    "HCN alone": ("model=skeleton", {}),
    "mean of both": fused(tiam=False, dsfm=False, mffm=False),
    "MMTM": ("model=mmtm", {}),
    "DSFM": fused(tiam=False, dsfm=True, mffm=False),
    "DSFM + MFFM": fused(tiam=False, dsfm=True, mffm=True),
    "TIAM + DSFM": fused(tiam=True, dsfm=True, mffm=False),
    "CC-DFARM (all three)": fused(tiam=True, dsfm=True, mffm=True),
}


def pretraining() -> Network:
    """Returns the network whose streams all rows start from: both, not joined."""
    arg, changes = ROWS["mean of both"]
    return arg, {**changes, **WITHOUT_DIFFICULTIES}


STUDY = Study(
    name="synthetic_ccdfarm",
    config="configs/demo_ccdfarm.py",
    rows=ROWS,
    recipe={
        "train.epochs": 3.0,
        "train.eval_every": 0.0,  # only at the end
        "train.init_from": PRETRAINED,
        "train.init_part": "backbone",
        "schedule.warmup_epochs": 0.5,
        "optim.lr": 1e-3,
    },
    pretraining={PRETRAINED: pretraining()},
    difficulties=("dark_rgb", "noisy_skeleton"),
)

if __name__ == "__main__":
    main(STUDY)
