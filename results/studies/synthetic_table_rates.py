"""Learning rates of `synthetic_table1` and `synthetic_table2`: on validation clips.

    python -m results.studies.synthetic_table_rates --seeds 1

A network of each of two kinds, convolutional and of tokens, with each of some rates,
trained on half of the training subjects and compared on the other half, for as many
steps as the rows of those tables, from weights that it learnt in another world, as
theirs. No test clip is looked at. A network has the rate of its kind; all else of the
recipe is the same for all.
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
# Half of the clips, for as many steps.
VALIDATION = {
    "data.protocol": "xsub_dev",
    "eval.split": "val",
    "train.epochs": 2 * EPOCHS,
    "schedule.warmup_epochs": 2.0,
}
CONVOLUTIONAL = ("tsm", "slowfast", "csn", "tanet")
TOKENS = ("video_focalnet", "video_swin", "mvit", "timesformer", "hiera")
# The baseline's network; STAFusion's is the same, its fields one level higher.
TIMESFORMER = {"patch": 8, "depth": 2}
ATTENDING = {f"model.backbone.{key}": value for key, value in TIMESFORMER.items()}
STAFUSION = {f"model.{key}": value for key, value in TIMESFORMER.items()}
# Where all come from: other people, none of the set's difficulties.
PRETRAINED = "runs/synthetic_table_pretrained"
PRETRAINING = {**SETTING, "data.dir": "data/pretraining", "train.epochs": 12.0}
# The network that stands for each kind, and the rate it learns the first world with.
KINDS = {"convolutional": ("tsm", 5e-3), "tokens": ("timesformer", 2e-3)}
RATES = (1e-3, 2e-3, 5e-3)


def kind(net: str) -> str:
    """Returns which of the two kinds a network is."""
    return "convolutional" if net in CONVOLUTIONAL else "tokens"


def network(net: str, words: str = "") -> Network:
    """Returns a network of a table by its name, and more words of its argument."""
    return f"net={net}{words}", ATTENDING if net == "timesformer" else {}


def pretraining(net: str) -> tuple[str, Network]:
    """Returns where a network learns the first world, and how."""
    arg, changes = network(net)
    rate = {"optim.lr": KINDS[kind(net)][1]}
    return f"{PRETRAINED}/{net}", (arg, {**PRETRAINING, **changes, **rate})


def from_pretrained(given: Network, net: str, rate: float) -> Network:
    """Returns a network that starts from what `net` learnt of the first world."""
    start = {
        "train.init_from": pretraining(net)[0],
        "train.init_part": "backbone",
        "optim.lr": rate,
    }
    return given[0], {**given[1], **start}


def name(kind: str, rate: float) -> str:
    """Returns the name of a row."""
    return f"{kind}, {rate:g}"


def rate(net: str) -> float:
    """Returns the rate of a network's kind that was best on validation clips, by mean.

    Of equals, and where none was compared, the first.
    """
    by_row = {name(kind(net), x): x for x in RATES}
    return by_row[best(STUDY, list(by_row))]


STUDY = Study(
    name="synthetic_table_rates",
    config="configs/demo_infar.py",
    rows={
        name(each, x): from_pretrained(network(net), net, x)
        for each, (net, _) in KINDS.items()
        for x in RATES
    },
    recipe={**SETTING, **VALIDATION},
    pretraining=dict(pretraining(net) for net, _ in KINDS.values()),
)

if __name__ == "__main__":
    main(STUDY)
