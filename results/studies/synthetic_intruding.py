"""STAFusion and its baseline where intruders fill half of each stream's moments.

    python -m results.studies.synthetic_intruding --seeds 5    # what is missing

Every row but the first is a second training of eight epochs from the same first one,
the baseline's, of the same seed: the baseline again; STAFusion as its config has it;
the reading that was best on the validation clips of `synthetic_intruding_tuning`; and
this one with frames given to it in training and testing, by the truth (the ceiling) and
at the same spread positions in every clip (what one gets without looking). All thirteen
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
        tuned.FIRST: tuned.ROWS[tuned.FIRST],
        "baseline": ("baseline", tuned.AGAIN),
        "STAFusion": tuned.ROWS["STAFusion, from the baseline"],
        "STAFusion, ranked, second look": tuned.ROWS[
            "ranked, centred, second look, from the baseline"
        ],
        "frames by the truth, second look": tuned.ROWS[
            "frames by the truth, second look, from the baseline"
        ],
        "frames at fixed positions, second look": (
            "",
            POSITIONS | tuned.TAUGHT | tuned.SECOND,
        ),
    },
    recipe=tuned.RECIPE,
    against="baseline",
)

if __name__ == "__main__":
    main(STUDY)
