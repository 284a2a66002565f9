"""Which reading of STAFusion learns to look away from intruders: on validation clips.

    python -m results.studies.synthetic_intruding_tuning --seeds 1

In half of each stream's moments an intruder in safety clothes does another action in
the actor's place, in other moments in the other stream (`docs/worlds.md`). Rows: the
baseline and STAFusion's readings, each trained on nine of the thirteen training
subjects and compared on the other four. No test clip is looked at;
`synthetic_intruding` takes the best one there, with more seeds.
"""

from results.study import Study, main

DATA = {"data.dir": "data/intruding"}
VALIDATION = {"data.protocol": "xsub_dev", "eval.split": "val"}
# Sixteen patches a frame: a row takes minutes of one core.
SIZE = {"model.patch": 12}
PRETRAINED = "runs/synthetic_intruding_pretrained"
PRETRAINING = {**SIZE, "data.dir": "data/pretraining", "train.epochs": 12.0}
RECIPE = {
    **SIZE,
    **DATA,
    "train.init_from": PRETRAINED,
    "train.init_part": "backbone",
    "train.epochs": 8.0,
    "train.eval_every": 4.0,
    "schedule.warmup_epochs": 0.5,
    "optim.lr": 1e-3,
}
LEARNED = {"model.class_token": "learned"}
TRUTH = {"model.frames_from": "truth", "data.truth": True}
ROWS = {
    "baseline": ("baseline", {}),
    "STAFusion": ("", {}),
    "STAFusion, learned query": ("", LEARNED),
    "STAFusion, learned query, perturbed": (
        "",
        {**LEARNED, "model.estimator": "perturbed"},
    ),
    "STAFusion, learned query, gathered": (
        "",
        {**LEARNED, "model.estimator": "gathered"},
    ),
    "STAFusion, learned query, score function": (
        "",
        {**LEARNED, "model.estimator": "score_function"},
    ),
    "STAFusion, learned query, gathered, GELU": (
        "",
        {**LEARNED, "model.estimator": "gathered", "model.scorer": "gelu"},
    ),
    "STAFusion, learned query, perturbed, noise 1": (
        "",
        {**LEARNED, "model.estimator": "perturbed", "model.sigma": 1.0},
    ),
    "STAFusion, learned query, marks' noise 1": (
        "",
        {**LEARNED, "model.mark_noise": 1.0},
    ),
    "STAFusion, learned query, perturbed, noise 1, streams": (
        "",
        {
            **LEARNED,
            "model.estimator": "perturbed",
            "model.sigma": 1.0,
            "model.stream_weight": 0.5,
        },
    ),
    "frames by the truth, learned query": ("", {**LEARNED, **TRUTH}),
    "frames by the truth": ("", TRUTH),
}

# By the rows trained so far, one seed each.
BEST = "STAFusion, learned query, perturbed"

STUDY = Study(
    name="synthetic_intruding_tuning",
    config="configs/demo_stafusion.py",
    rows=ROWS,
    recipe={**RECIPE, **VALIDATION},
    pretraining=(("baseline", PRETRAINING), PRETRAINED),
)

if __name__ == "__main__":
    main(STUDY)
