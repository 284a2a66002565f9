"""Whether longer training changes the order: STAFusion, its baseline, single streams.

    python -m results.synthetic_stafusion_longer            # trains what is missing
    python -m results.synthetic_stafusion_longer --table    # only prints

The rows of `results.synthetic_stafusion` that matter most, from the same pretrained
backbone but for ten epochs, with clips of each difficulty in columns of their own.
"""

import dataclasses

from input_pipeline.synthetic.config import DIFFICULTIES
from results import synthetic_stafusion
from results.study import main

ROWS = ("visible only", "infrared only", "baseline (add)", synthetic_stafusion.FULL)

STUDY = dataclasses.replace(
    synthetic_stafusion.STUDY,
    path=__file__,
    rows={name: synthetic_stafusion.STUDY.rows[name] for name in ROWS},
    recipe={**synthetic_stafusion.RECIPE, "train.epochs": 10.0},
    difficulties=DIFFICULTIES[:-1],  # the last is of skeletons
)

if __name__ == "__main__":
    main(STUDY)
