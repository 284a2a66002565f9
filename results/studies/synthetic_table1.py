"""STAFusion's Table 1 on the synthetic set: dual-stream networks, and what fails them.

    python -m results.studies.synthetic_table1    # trains what is not trained yet

Rows: the paper's nine rivals, tiny, over the visible and the infrared stream, their
features added, each in the layout that fits the paper's row; and STAFusion, as the
paper has it and with the scorer and the second look of `:ranked`. Each starts from what
its network learnt in another world, of other people and without the set's difficulties,
as the paper's rows start from public weights; heads and fusions are fresh. All are
trained alike: the same data, epochs, batches and frames, the rate that
`synthetic_table_rates` found for their kind. Each is then evaluated while one of its
streams fails, see `results.failing`. Some rows are trained once more with streams left
out at random, in both worlds; STAFusion also with a loss for each stream's own token.
"""

from results import failing
from results.studies import synthetic_table_rates as rates
from results.study import Network, Study, main

NETS = (*rates.CONVOLUTIONAL, *rates.TOKENS)


def row(given: Network, net: str) -> Network:
    """Returns a row that starts from what `net` learnt, with the rate of its kind."""
    return rates.from_pretrained(given, net, rates.rate(net))


# On the baseline's network.
STAFUSION: Network = ("configs/demo_stafusion.py", rates.STAFUSION)
RANKED: Network = ("configs/demo_stafusion.py:ranked", rates.STAFUSION)


def stafusion() -> dict[str, Network]:
    """Returns the rows of STAFusion."""
    given = {"stafusion": STAFUSION, "stafusion, ranked": RANKED}
    return {name: row(each, "timesformer") for name, each in given.items()}


def with_own_losses() -> dict[str, Network]:
    """Returns STAFusion with a cross-entropy on each stream's own token."""
    arg, changes = row(STAFUSION, "timesformer")
    return {"stafusion, own losses": (arg, {**changes, "model.stream_weight": 0.5})}


# Each stream of a clip is left out at times, never all: in the first world, too.
DROPPING = {"data.stream_dropout": 0.3}
DROPPED = ("tsm", "timesformer")


def dropping(given: Network, net: str) -> Network:
    """Returns a row that has learnt both worlds with streams left out."""
    arg, changes = row(given, net)
    return arg, {**changes, "train.init_from": started(net)[0], **DROPPING}


def started(net: str) -> tuple[str, Network]:
    """Returns where a network learns the first world so, and how."""
    _, (arg, changes) = rates.pretraining(net)
    return f"{rates.PRETRAINED}_dropping/{net}", (arg, {**changes, **DROPPING})


def dropping_here(given: Network, net: str) -> Network:
    """Returns a row that has learnt the first world with all streams."""
    arg, changes = row(given, net)
    return arg, {**changes, **DROPPING}


def with_streams_dropped() -> dict[str, Network]:
    """Returns the rows that are trained once more."""
    both = {"timesformer": rates.network("timesformer"), "stafusion": STAFUSION}
    return {
        "tsm, streams dropped": dropping(rates.network("tsm"), "tsm"),
        **{
            f"{name}, streams dropped": dropping(given, "timesformer")
            for name, given in both.items()
        },
        **{
            f"{name}, streams dropped here": dropping_here(given, "timesformer")
            for name, given in both.items()
        },
    }


STUDY = Study(
    name="synthetic_table1",
    config="configs/demo_infar.py",
    rows={
        **{net: row(rates.network(net), net) for net in NETS},
        **stafusion(),
        **with_streams_dropped(),
        **with_own_losses(),
    },
    recipe=rates.SETTING,
    pretraining={
        **dict(rates.pretraining(net) for net in NETS),
        **dict(started(net) for net in DROPPED),
    },
    measured=failing.measured,
    more=failing.lines,
)

if __name__ == "__main__":
    main(STUDY)
