"""Four classes of which each stream knows one half: what fusion is worth.

    python -m results.studies.synthetic_product --seeds 5

Rows: see `results.complementary`; the world is that of ``--actions product``, see
`docs/worlds.md`. Compared with the mean of the scores of both streams, trained alone
for as long.
"""

from results.complementary import SHORT, study
from results.study import main

STUDY = study("product", epochs=SHORT)

if __name__ == "__main__":
    main(STUDY)
