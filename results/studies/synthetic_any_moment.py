"""STAFusion and its baseline where any moment shows the action: what choosing costs.

    python -m results.studies.synthetic_any_moment    # trains what is not trained yet

The counterpart of `synthetic_intruding` on the demo's set, in the sizes and with the
rates of `synthetic_table2`: every row but the first is a second training, as long, from
the same first one, the baseline's, of the same seed; two with more of the frames kept.
Compared with the baseline clip by clip.
"""

from results.studies import synthetic_table1 as table1
from results.studies import synthetic_table_rates as rates
from results.study import BY_ORDER, Network, Study, going_on, main

FIRST = "baseline, 10 epochs"
AGAIN, TAUGHT = going_on(FIRST), going_on(FIRST, part="teacher")
BASELINE = table1.row(rates.network("timesformer"), "timesformer")


def again(given: Network, start: dict[str, str]) -> Network:
    """Returns a network that goes on from the first row's."""
    return given[0], {**given[1], **start}


def keeping(k1: float, k2: float) -> Network:
    """Returns the ranked reading with these shares of the frames, half of them else."""
    arg, changes = table1.stafusion()["stafusion, ranked"]
    return again((arg, {**changes, "model.k1": k1, "model.k2": k2}), TAUGHT)


STUDY = Study(
    name="synthetic_any_moment",
    config="configs/demo_infar.py",
    rows={
        FIRST: BASELINE,
        "baseline": again(BASELINE, AGAIN),
        **{name: again(given, TAUGHT) for name, given in table1.stafusion().items()},
        "stafusion, ranked, three of four frames": keeping(0.5, 0.25),
        "stafusion, ranked, all frames": keeping(0.5, 0.5),
    },
    recipe=rates.SETTING,
    pretraining=dict([rates.pretraining("timesformer")]),
    classes=BY_ORDER,
    taught=True,
    columns={"frame_precision": "of the kept frames, show the actor %"},
    against="baseline",
)

if __name__ == "__main__":
    main(STUDY)
