"""How strong each training option should be: compared on validation clips alone.

    python -m results.studies.synthetic_option_strengths --seeds 1

Rows: the baseline, and each option of `docs/training.md` at two strengths, trained on
some of the training subjects of the staged set and compared on the others, all from one
backbone that was trained in a world of other people (the intruders' study's). No test
clip is looked at; `synthetic_training_options` takes the better ones there. The last
rows train four times as long: what keeps a network from learning its clips by heart
shows its worth where it has the time to.
"""

from results.studies import synthetic_intruding_tuning as intruding
from results.study import Network, Study, main

RECIPE = {
    **intruding.SIZE,
    "train.init_from": intruding.PRETRAINED,
    "train.init_part": "backbone",
    "train.epochs": 4.0,
    "train.eval_every": 0.0,
    "schedule.warmup_epochs": 0.5,
    "optim.lr": 1e-3,
}
PLAIN = "baseline"
LONGER = 16.0
IN_LONGER = ("mixup 0.2", "cutmix 0.5", "cutmix in time 0.5", "RandAugment 3")
# By option and strength, what it changes.
OPTIONS: dict[str, dict[str, dict[str, object]]] = {
    "averaged weights": {d: {"train.ema_decay": float(d)} for d in ("0.99", "0.998")},
    "label smoothing": {e: {"train.label_smoothing": float(e)} for e in ("0.1", "0.2")},
    "mixup": {a: {"mix.mixup": float(a)} for a in ("0.2", "0.8")},
    "cutmix": {a: {"mix.cutmix": float(a)} for a in ("0.5", "1")},
    "cutmix in time": {
        a: {"mix.cutmix": float(a), "mix.along": "time"} for a in ("0.5", "1")
    },
    "RandAugment": {
        m: {"data.rand_ops": 2, "data.rand_magnitude": float(m)} for m in ("3", "7")
    },
    "random erasing": {p: {"data.erase": float(p)} for p in ("0.25", "0.5")},
    "repeated augmentation": {n: {"data.repeats": int(n)} for n in ("2", "4")},
    "layer-wise decay": {d: {"optim.layer_decay": float(d)} for d in ("0.75", "0.9")},
    "backbone's rate": {
        f: {"optim.part_lr": (("backbone", float(f)),)} for f in ("0.3", "3")
    },
    "mirrored views": {"": {"data.eval_flip": True}},
}


def longer(row: str) -> str:
    """Returns the name of a row that is trained longer."""
    return f"{row}, {LONGER:g} epochs"


def rows() -> dict[str, Network]:
    """Returns each row's name and network."""
    table: dict[str, Network] = {PLAIN: ("baseline", {})}
    for option, strengths in OPTIONS.items():
        for strength, changes in strengths.items():
            table[f"{option} {strength}".strip()] = ("baseline", changes)
    for row in (PLAIN, *IN_LONGER):
        arg, changes = table[row]
        table[longer(row)] = (arg, {**changes, "train.epochs": LONGER})
    return table


STUDY = Study(
    name="synthetic_option_strengths",
    config="configs/demo_stafusion.py",
    rows=rows(),
    recipe={**RECIPE, **intruding.VALIDATION},
    pretraining=intruding.STUDY.pretraining,
)

if __name__ == "__main__":
    main(STUDY)
