"""What fusion, and each module of CC-DFARM, are worth on the synthetic set.

    python -m results.synthetic_ccdfarm            # trains what is not trained yet
    python -m results.synthetic_ccdfarm --table    # only prints

Rows: each stream alone, the baseline MMTM, and every combination of TIAM, DSFM and MFFM
(the paper's Table 5), of which the last is CC-DFARM. Dark clips, and those with a noisy
skeleton, stand in columns of their own: they show what each stream brings. All rows
start from the streams of one network trained on clips of other people without
difficulties.
"""

from results.study import WITHOUT_DIFFICULTIES, Network, Study, main

MODULES = ("TIAM", "DSFM", "MFFM")
PRETRAINED = "runs/synthetic_ccdfarm_pretrained"


def rows() -> dict[str, Network]:
    """Returns each row's name and network."""
    table: dict[str, Network] = {
        "I3D alone": ("model=rgb", {}),
        "HCN alone": ("model=skeleton", {}),
        "MMTM": ("model=mmtm", {}),
    }
    for bits in range(8):
        tiam, dsfm, mffm = on = [bool(bits >> i & 1) for i in range(3)]
        names = [name for name, is_on in zip(MODULES, on, strict=True) if is_on]
        name = " + ".join(names) or "mean of both"
        table["CC-DFARM (all three)" if bits == 7 else name] = (
            "model=ccdfarm",
            {
                "model.tiam": tiam,
                "model.transfer": "dsfm" if dsfm else "none",
                "model.mffm": mffm,
            },
        )
    return table


def pretraining() -> Network:
    """Returns the network whose streams all rows start from: both, not joined."""
    arg, changes = rows()["mean of both"]
    return arg, {**changes, **WITHOUT_DIFFICULTIES}


STUDY = Study(
    path=__file__,
    config="configs/demo_ccdfarm.py",
    rows=rows(),
    recipe={
        "train.epochs": 3.0,
        "train.eval_every": 0.0,  # only at the end
        "train.init_from": PRETRAINED,
        "train.init_part": "backbone",
        "schedule.warmup_epochs": 0.5,
        "optim.lr": 1e-3,
    },
    pretraining=(pretraining(), PRETRAINED),
    difficulties=("dark_rgb", "noisy_skeleton"),
)

if __name__ == "__main__":
    main(STUDY)
