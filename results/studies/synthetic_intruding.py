"""STAFusion and its baseline where intruders fill half of each stream's moments.

    python -m results.studies.synthetic_intruding --seeds 5    # what is missing

Rows: the baseline; STAFusion as its config has it; with a learned query and the
estimator that was best on the validation clips of `synthetic_intruding_tuning`; and
with frames given to it in training and testing, by the truth (the ceiling) and at the
same spread positions in every clip (what one gets without looking). All thirteen
training subjects, test clips, compared with the baseline seed by seed, clip by clip.
"""

import dataclasses

from results.studies import synthetic_intruding_tuning as tuned
from results.study import main

POSITIONS = {"model.frames_from": "positions"}

STUDY = dataclasses.replace(
    tuned.STUDY,
    name="synthetic_intruding",
    rows={
        "baseline": tuned.ROWS["baseline"],
        "STAFusion": tuned.ROWS["STAFusion"],
        tuned.BEST: tuned.ROWS[tuned.BEST],
        "frames by the truth": ("", {**tuned.LEARNED, **tuned.TRUTH}),
        "frames at fixed positions": ("", {**tuned.LEARNED, **POSITIONS}),
    },
    recipe=tuned.RECIPE,
    against="baseline",
)

if __name__ == "__main__":
    main(STUDY)
