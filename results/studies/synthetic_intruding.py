"""STAFusion and its baseline where intruders fill half of each stream's moments.

    python -m results.studies.synthetic_intruding --seeds 5    # what is missing

Rows: the baseline; STAFusion as its config has it; the reading that was best on the
validation clips of `synthetic_intruding_tuning`; and with frames given to it in
training and testing, by the truth (the ceiling) and at the same spread positions in
every clip (what one gets without looking). All thirteen training subjects, test clips,
compared with the baseline seed by seed, clip by clip.
"""

import dataclasses

from results.studies import synthetic_intruding_tuning as tuned
from results.study import main

STUDY = dataclasses.replace(
    tuned.STUDY,
    name="synthetic_intruding",
    rows={
        **{name: tuned.ROWS[name] for name in ("baseline", "STAFusion", "ranked")},
        "frames by the truth": tuned.ROWS["frames by the truth"],
        "frames at fixed positions": tuned.learned(frames_from="positions"),
    },
    recipe={**tuned.RECIPE, **tuned.LONGER},
    against="baseline",
)

if __name__ == "__main__":
    main(STUDY)
