"""By how much a pooled vector is multiplied before TSM-NetVLAD's classifier.

    python -m results.studies.synthetic_head_scale    # trains what is not trained yet

Rows: both poolings and both streams, each with the same factors. They are trained on
nine of the thirteen training subjects and compared on the other four: no test clip is
looked at. The recipe is that of `synthetic_tsm_netvlad`; the network of single
frames that colours start from has not seen those four either.
"""

from results.study import WITHOUT_DIFFICULTIES, Network, Study, main

SCALES = (0.25, 1.0, 4.0, 16.0, 64.0)
POOLINGS = {"average": "shift", "NetVLAD": "netvlad"}  # rows of the demo's config
STREAMS = {"colours": "rgb", "differences": "rgb_diff"}
VALIDATION = {"data.protocol": "xsub_dev", "eval.split": "val"}
PRETRAINED = "runs/synthetic_head_scale_pretrained"


def network(row: str, stream: str, scale: float) -> Network:
    # There is no network of single frames for differences to start from.
    start = PRETRAINED if stream == "rgb" else ""
    changes = {"train.init_from": start, "model.head_scale": scale}
    return f"row={row},stream={stream}", changes


STUDY = Study(
    name="synthetic_head_scale",
    config="configs/demo_tsm_netvlad.py",
    rows={
        f"{seen}, {pooling} x {scale:g}": network(row, stream, scale)
        for seen, stream in STREAMS.items()
        for pooling, row in POOLINGS.items()
        for scale in SCALES
    },
    recipe={
        **WITHOUT_DIFFICULTIES,
        **VALIDATION,
        "train.epochs": 3.0,
        "train.init_part": "backbone",
        "schedule.warmup_epochs": 0.5,
        "optim.lr": 1e-3,
    },
    pretraining={
        PRETRAINED: ("row=average,stream=rgb", WITHOUT_DIFFICULTIES | VALIDATION)
    },
)

if __name__ == "__main__":
    main(STUDY)
