"""What each part of STAFusion brings where intruders fill half of the moments.

    python -m results.studies.synthetic_intruding_parts    # trains what is missing

The paper's Tables 3 to 5 and Figure 4, asked of the reading that finds the moments
(`synthetic_intruding`): the same world, recipe, first networks and test clips, and in
each row something else than in the first. Compared with that one, the students alone,
seed by seed, clip by clip.
"""

import dataclasses

from results.studies import synthetic_intruding as intruding
from results.studies import synthetic_intruding_tuning as tuned
from results.study import Network, main

ALL = "STAFusion, ranked, second look"


def instead(**fields: object) -> Network:
    """Returns that reading with other values of the model's fields."""
    return tuned.with_more(**{f"model.{name}": x for name, x in fields.items()})


# Without a selection there is no scorer, and no second look.
WHOLE = tuned.with_more(
    **{
        "model.selection": False,
        "model.look": "once",
        "model.compete": "clip",
        "model.ranking_weight": 0.0,
        "optim.part_lr": (),
    }
)
# Without distillation there is no teacher's head that the first network could give.
UNTAUGHT = tuned.with_more(
    **{
        "model.distillation": False,
        "model.answer": "student",
        "train.init_part": "backbone",
    }
)
STUDY = dataclasses.replace(
    intruding.STUDY,
    name="synthetic_intruding_parts",
    rows={
        tuned.FIRST: tuned.ROWS[tuned.FIRST],
        ALL: tuned.LOOKING,
        # Table 3: what is off.
        "without selection": WHOLE,
        "without fusion": instead(fusion=False),
        "without distillation": UNTAUGHT,
        # Table 4: the shares of frames, and of the regions in them.
        "a quarter of the frames": instead(k1=0.125, k2=0.125),
        "three quarters of the frames": instead(k1=0.375, k2=0.375),
        "all regions of the kept frames": instead(r1=1.0, r2=1.0),
        "half as many regions": instead(r1=0.30, r2=0.175),
        # Table 5: what the fusion's masks bring.
        "attention to all": instead(masked_attention=False),
        "perceptron of all": instead(masked_mlp=False),
        # Figure 4.
        "lambda 0.5": instead(distill_lambda=0.5),
        "lambda 0.9": instead(distill_lambda=0.9),
    },
    against=ALL,
)

if __name__ == "__main__":
    main(STUDY)
