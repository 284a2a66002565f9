"""Learning rates of `synthetic_table1` and `synthetic_table2`: on validation clips.

    python -m results.studies.synthetic_table_rates --seeds 1

A network of each of two kinds, convolutional and of tokens, with each of two rates,
trained on half of the training subjects and compared on the other half, for as many
steps as the rows of those tables. No test clip is looked at. A network has the rate of
its kind; all else of the recipe is the same for all.
"""

from results.study import Network, Study, best, main

# The smallest with which the baseline learns: a row takes a minute or two of one core.
EPOCHS = 10.0
SETTING = {
    "train.epochs": EPOCHS,
    "train.eval_every": 0.0,  # only at the end
    "eval.pictures": 0,
    "model.frames": 4,
    "model.image_size": 32,
    "data.resize_min": 34,
    "data.resize_max": 40,
    "data.test_resize": 36,
}
# The baseline's network; STAFusion's is the same, its fields one level higher.
TIMESFORMER = {"patch": 8, "depth": 2}
ATTENDING = {f"model.backbone.{key}": value for key, value in TIMESFORMER.items()}
STAFUSION = {f"model.{key}": value for key, value in TIMESFORMER.items()}
# Half of the clips, for as many steps.
VALIDATION = {
    "data.protocol": "xsub_dev",
    "eval.split": "val",
    "train.epochs": 2 * EPOCHS,
    "schedule.warmup_epochs": 2.0,
}
# The network that stands for each kind.
KINDS: dict[str, Network] = {
    "convolutional": ("net=tsm", {}),
    "tokens": ("net=timesformer", ATTENDING),
}
RATES = (2e-3, 5e-3)


def name(kind: str, rate: float) -> str:
    """Returns the name of a row."""
    return f"{kind}, {rate:g}"


def rate(kind: str) -> float:
    """Returns the rate of a kind that was best on validation clips, by mean.

    Of equals, and where none was compared, the first.
    """
    by_row = {name(kind, x): x for x in RATES}
    return by_row[best(STUDY, list(by_row))]


STUDY = Study(
    name="synthetic_table_rates",
    config="configs/demo_infar.py",
    rows={
        name(kind, x): (arg, {**changes, "optim.lr": x})
        for kind, (arg, changes) in KINDS.items()
        for x in RATES
    },
    recipe={**SETTING, **VALIDATION},
)

if __name__ == "__main__":
    main(STUDY)
