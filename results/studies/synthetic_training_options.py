"""What each training option is worth to the baseline on the synthetic set.

    python -m results.studies.synthetic_training_options    # trains what is not yet

Rows: the baseline, and it with one option each, at the strength that was better on the
validation clips of `synthetic_option_strengths`; where that was not run, at the first.
Trained on all training subjects, tested on the test clips, three seeds.
"""

from results.studies import synthetic_option_strengths as tuned
from results.study import Network, Study, best, main


def chosen(option: str) -> str:
    """Returns the strength of an option that was best on validation clips, by mean."""
    strengths = {f"{option} {s}".strip(): s for s in tuned.OPTIONS[option]}
    return strengths[best(tuned.STUDY, list(strengths))]


def rows() -> dict[str, Network]:
    """Returns each row's name and network."""
    table: dict[str, Network] = {tuned.PLAIN: ("baseline", {})}
    for option, strengths in tuned.OPTIONS.items():
        strength = chosen(option)
        name = f"{option} {strength}".strip()
        table[name] = ("baseline", strengths[strength])
    return table


STUDY = Study(
    name="synthetic_training_options",
    config="configs/demo_stafusion.py",
    rows=rows(),
    recipe=tuned.RECIPE,
    pretraining=tuned.STUDY.pretraining,
    against=tuned.PLAIN,
)

if __name__ == "__main__":
    main(STUDY)
