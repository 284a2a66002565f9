"""What each part of TSM-NetVLAD is worth on the synthetic set.

    python -m results.studies.synthetic_tsm_netvlad    # trains what is not trained yet

Rows: average pooling without a shift, with the shift, with RGB differences beside it,
with NetVLAD in place of the average, and all of it; each pooling with its own factor
before the classifier (`model.head_scale`, chosen by `synthetic_head_scale`). As in the
paper, colours and differences are trained apart, and their scores are averaged; colours
start from a network of single frames, here one trained on the same clips. Classes of
which one is the other backwards in time stand in a column of their own: from single
frames they cannot be told apart. What else makes the set difficult is left out. Each
row is compared with that which lacks its part.
"""

from results.study import BY_ORDER, WITHOUT_DIFFICULTIES, Network, Study, main

PRETRAINED = "runs/synthetic_tsm_pretrained"


def network(row: str, stream: str) -> Network:
    # There is no network of single frames for differences to start from.
    start = PRETRAINED if stream == "rgb" else ""
    return f"row={row},stream={stream}", {"train.init_from": start}


STUDY = Study(
    name="synthetic_tsm_netvlad",
    config="configs/demo_tsm_netvlad.py",
    rows={
        "average pooling": network("average", "rgb"),
        "+ shift": network("shift", "rgb"),
        "+ RGB difference": (network("shift", "rgb"), network("shift", "rgb_diff")),
        "+ NetVLAD": network("netvlad", "rgb"),
        "all": (network("netvlad", "rgb"), network("netvlad", "rgb_diff")),
    },
    recipe={
        **WITHOUT_DIFFICULTIES,
        "train.epochs": 3.0,
        "train.init_part": "backbone",
        "schedule.warmup_epochs": 0.5,
        "optim.lr": 1e-3,
    },
    pretraining={PRETRAINED: ("row=average,stream=rgb", WITHOUT_DIFFICULTIES)},
    classes=BY_ORDER,
    against={
        "+ shift": "average pooling",
        "+ RGB difference": "+ shift",
        "+ NetVLAD": "+ shift",
        "all": "+ RGB difference",
    },
)

if __name__ == "__main__":
    main(STUDY)
