"""HCN on real skeletons: PRECOG 2016, three seeds.

    python -m results.studies.precog_hcn    # trains what is not trained yet

The set must have been prepared, as `configs/precog_hcn.py` says.
"""

from results.study import Study, main

STUDY = Study(
    name="precog_hcn",
    config="configs/precog_hcn.py",
    rows={"HCN": ("", {})},
    recipe={"train.eval_every": 0.0},  # only at the end
)

if __name__ == "__main__":
    main(STUDY)
