"""Which reading of STAFusion learns to look away from intruders: on validation clips.

    python -m results.studies.synthetic_intruding_tuning --seeds 1

In half of each stream's moments an intruder in safety clothes does another action in
the actor's place, in other moments in the other stream (`docs/worlds.md`). Rows: the
baseline and STAFusion's readings, each trained on nine of the thirteen training
subjects and compared on the other four; the best of them, and what it is to be measured
by, twice as long. No test clip is looked at; `synthetic_intruding` takes the best one
there, with more seeds.
"""

from typing import Any

from results.study import Network, Study, going_on, main

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
LONGER = {"train.epochs": 16.0}
# A second training that starts from the first; the baseline's is the teacher's.
FIRST = "baseline, 16 epochs"
AGAIN, TAUGHT = going_on(FIRST), going_on(FIRST, part="teacher")
STANDING = {
    "model.teacher_weight": 0.0,
    "optim.freeze": ("branches", "teacher_head"),
}
# What the student sees is of the kept frames alone, its class token, too.
SECOND = {
    "model.look": "again",
    "model.class_token": "sum",
    "model.compete": "stream",
}
CENTRED = {
    "model.scorer": "centred",
    "optim.part_lr": (("scorer", 10.0), ("frame_heads", 10.0)),
}
LEARNED = {"model.class_token": "learned"}
# Ranked as it was before the second look, fusion from a learned query.
ONCE = {
    "model.look": "once",
    "model.class_token": "learned",
    "model.scorer": "linear",
    "optim.part_lr": (("scorer", 30.0), ("frame_heads", 10.0)),
}
CLIP = {"model.compete": "clip"}
TRUTH = {"model.frames_from": "truth", "data.truth": True}


def learned(**fields: Any) -> Network:
    """STAFusion whose fusion starts from a learned query."""
    return "", LEARNED | {f"model.{name}": value for name, value in fields.items()}


LOOKING: Network = ("ranked", TAUGHT | CENTRED | SECOND)


def with_more(**fields: Any) -> Network:
    """The ranked scorer with a second look, from the baseline, and something else."""
    return LOOKING[0], LOOKING[1] | fields


ROWS: dict[str, Network] = {
    "baseline": ("baseline", {}),
    "STAFusion": ("", {}),
    "learned query": learned(),
    "learned query, perturbed": learned(estimator="perturbed"),
    "learned query, gathered": learned(estimator="gathered"),
    "learned query, score function": learned(estimator="score_function"),
    "ranked, streams together, rates 10 and 3": (
        "ranked",
        ONCE | CLIP | {"optim.part_lr": (("scorer", 10.0), ("frame_heads", 3.0))},
    ),
    "ranked, streams together": ("ranked", ONCE | CLIP),
    "ranked": ("ranked", ONCE),
    "frames by the truth": ("", {**LEARNED, **TRUTH}),
    "baseline, 16 epochs": ("baseline", LONGER),
    "ranked, 16 epochs": ("ranked", ONCE | LONGER),
    "ranked, centred, 16 epochs": ("ranked", ONCE | LONGER | CENTRED),
    "frames by the truth, 16 epochs": ("", {**LEARNED, **TRUTH, **LONGER}),
    "baseline, 16 + 8 epochs": ("baseline", AGAIN),
    "ranked on a standing baseline": ("ranked", ONCE | TAUGHT | STANDING),
    "ranked, centred, on a standing baseline": (
        "ranked",
        ONCE | TAUGHT | STANDING | CENTRED,
    ),
    "frames by the truth on a standing baseline": (
        "",
        LEARNED | TRUTH | TAUGHT | STANDING,
    ),
    "ranked, from the baseline": ("ranked", ONCE | TAUGHT),
    "ranked, centred, from the baseline": ("ranked", ONCE | TAUGHT | CENTRED),
    "frames by the truth, from the baseline": ("", LEARNED | TRUTH | TAUGHT),
    "ranked, centred, second look, from the baseline": LOOKING,
    "the same, on a standing baseline": with_more(**STANDING),
    "the same, without distillation": with_more(
        **{"model.distillation": False, "model.answer": "student"}
    ),
    "the same, without fusion": with_more(**{"model.fusion": False}),
    "the same, lambda 0.5": with_more(**{"model.distill_lambda": 0.5}),
    "the same, lambda 0.9": with_more(**{"model.distill_lambda": 0.9}),
    "frames by the truth, second look, from the baseline": (
        "",
        TRUTH | TAUGHT | SECOND,
    ),
    "STAFusion, from the baseline": ("", TAUGHT),
}

STUDY = Study(
    name="synthetic_intruding_tuning",
    config="configs/demo_stafusion.py",
    rows=ROWS,
    recipe={**RECIPE, **VALIDATION},
    pretraining={PRETRAINED: ("baseline", PRETRAINING)},
    taught=True,
    columns={"frame_precision": "of the kept frames, show the actor %"},
)

if __name__ == "__main__":
    main(STUDY)
