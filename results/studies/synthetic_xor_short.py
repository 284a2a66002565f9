"""The exclusive or of colour and joints before the networks have converged.

    python -m results.studies.synthetic_xor_short --seeds 3

`synthetic_xor` with a third of the first training and half of the second.
"""

from results.complementary import SHORT, study
from results.study import main

STUDY = study("xor", first="product", epochs=SHORT, name="synthetic_xor_short")

if __name__ == "__main__":
    main(STUDY)
