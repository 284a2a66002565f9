"""Two classes that colour tells, two that joints tell: what fusion is worth.

    python -m results.studies.synthetic_complementary --seeds 5

Rows: see `results.complementary`; the world is that of ``--actions complementary``, see
`docs/worlds.md`. Compared with the mean of the scores of both streams, trained alone
for as long.
"""

from results.complementary import study
from results.study import main

STUDY = study("complementary")

if __name__ == "__main__":
    main(STUDY)
