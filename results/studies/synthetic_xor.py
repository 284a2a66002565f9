"""Two classes that colour and joints tell together, and neither alone: who solves it.

    python -m results.studies.synthetic_xor --seeds 5

Rows: see `results.complementary`; the world is that of ``--actions xor``, see
`docs/worlds.md`. Alone the streams could learn nothing here: they are first trained in
the world of ``--actions product``, which asks each for the half that it is to know.
Compared with the mean of the scores of both streams, trained alone for as long.
"""

from results.complementary import study
from results.study import main

STUDY = study("xor", first="product")

if __name__ == "__main__":
    main(STUDY)
