"""What each part of TSM-NetVLAD is worth on the synthetic set.

    python -m results.synthetic_tsm_netvlad            # trains what is not trained yet
    python -m results.synthetic_tsm_netvlad --table    # only prints

Rows: average pooling without a shift, with the shift, with RGB differences beside it,
with NetVLAD in place of the average, and all of it. As in the paper, colours and
differences are trained apart, and their scores are averaged. Classes of which one is
the other backwards in time stand in a column of their own: from single frames they
cannot be told apart. What else makes the set difficult is left out.
"""

from input_pipeline.synthetic.actions import ACTIONS, REVERSALS
from results.study import WITHOUT_DIFFICULTIES, Network, Study, main

ORDERED = [name for pair in REVERSALS for name in pair]


def network(row: str, stream: str) -> Network:
    return f"row={row},stream={stream}", {}


STUDY = Study(
    path=__file__,
    config="configs/demo_tsm_netvlad.py",
    rows={
        "average pooling": network("average", "rgb"),
        "+ shift": network("shift", "rgb"),
        "+ RGB difference": (network("shift", "rgb"), network("shift", "rgb_diff")),
        "+ NetVLAD": network("netvlad", "rgb"),
        "all": (network("netvlad", "rgb"), network("netvlad", "rgb_diff")),
    },
    recipe=WITHOUT_DIFFICULTIES,
    classes={
        "told by their order": ORDERED,
        "others": [name for name in ACTIONS if name not in ORDERED],
    },
)

if __name__ == "__main__":
    main(STUDY)
