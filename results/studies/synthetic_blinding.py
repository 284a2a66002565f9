"""STAFusion and its baseline where one stream is blind while the other sees.

    python -m results.studies.synthetic_blinding --seeds 5    # what is missing

Rows and recipe are those of `synthetic_intruding`: nothing is tuned on this world, in
which one stream is blind in a random half of the moments and the other in the rest
(``--blinding 1``, see `docs/worlds.md`).
"""

import dataclasses

from results.studies import synthetic_intruding as intruding
from results.study import main

STUDY = dataclasses.replace(
    intruding.STUDY,
    name="synthetic_blinding",
    recipe={**intruding.STUDY.recipe, "data.dir": "data/blinding"},
)

if __name__ == "__main__":
    main(STUDY)
