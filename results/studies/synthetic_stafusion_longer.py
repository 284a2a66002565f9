"""Whether longer training changes the order: STAFusion, its baseline, single streams.

    python -m results.studies.synthetic_stafusion_longer    # what is missing

The rows of `synthetic_stafusion` that matter most, from the same pretrained backbone
but for ten epochs, with clips of each difficulty in columns of their own.
"""

import dataclasses

from input_pipeline.synthetic.config import DIFFICULTIES
from results.studies import synthetic_stafusion
from results.study import main

ROWS = ("visible only", "infrared only", "baseline (add)", synthetic_stafusion.FULL)

STUDY = dataclasses.replace(
    synthetic_stafusion.STUDY,
    name="synthetic_stafusion_longer",
    rows={name: synthetic_stafusion.STUDY.rows[name] for name in ROWS},
    recipe={**synthetic_stafusion.RECIPE, "train.epochs": 10.0},
    difficulties=DIFFICULTIES[:-1],  # the last is of skeletons
)

if __name__ == "__main__":
    main(STUDY)
