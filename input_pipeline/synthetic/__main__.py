"""``python -m input_pipeline.synthetic --out RAW``: stages the data set.

Every field of `SyntheticConfig` that is one number is a flag of the same name; so are
the pictures' sizes (``--rgb 256x144``), the clips' lengths (``--seconds 3-4``) and the
classes (``--actions "wave,clap"``, or a set of them: ``--actions xor``).
"""

import argparse
import dataclasses

from input_pipeline import leaving
from input_pipeline.synthetic.compound import SETS
from input_pipeline.synthetic.config import SyntheticConfig
from input_pipeline.synthetic.files import generate

_HELP = {
    "seed": "of everything random",
    "subjects": "number of people",
    "cameras": "number of cameras, at most 3",
    "replications": "takes of every action by every subject in every room",
    "setups": "number of rooms",
    "clips": "clips made of all these, evenly over the actions; 0: all",
    "occluded": "fraction of clips in which the actor is hidden for a while",
    "dark_rgb": "fraction of clips with a dark visible video",
    "warm_background": "fraction of clips with an infrared video warm all over",
    "bystander": "fraction of clips in which somebody does something else",
    "noisy_skeleton": "fraction of clips whose joints shake and are partly guessed",
    "rgb_noise": "noise of the visible camera, in grey levels",
    "ir_noise": "noise of the infrared camera, in grey levels",
    "joint_noise": "noise of the joints of a noisy skeleton, in metres",
    "joints_guessed": "fraction of its joints that are guessed",
    "guess_noise": "how far off a guessed joint is, in metres",
    "guess_seconds": "how long the same joints stay guessed",
    "moments": "equal parts of a clip that intruders and blindness come and go by",
    "intruding": "fraction of each stream's moments that show an intruder instead",
    "blinding": "fraction of clips with either video blind in half of the moments",
    "delay": "how late the infrared camera is at most, in seconds",
    "distance": "how many times as far away the cameras stand",
    "bystanders": "people in a clip with bystanders, at most 4",
}


def size(text: str) -> tuple[int, int]:
    """``WIDTHxHEIGHT`` -> two numbers."""
    width, height = text.split("x")  # argparse names the text where that fails
    return int(width), int(height)


def span(text: str) -> tuple[float, float]:
    """``SHORTEST-LONGEST`` -> two numbers of seconds."""
    shortest, longest = text.split("-")
    return float(shortest), float(longest)


def main(arguments: list[str] | None = None) -> None:
    usual = SyntheticConfig()
    parser = argparse.ArgumentParser(
        prog="python -m input_pipeline.synthetic",
        description="Stages a small data set in NTU RGB+D's formats and layout.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--out", required=True, help="folder for the raw files")
    parser.add_argument(
        "--workers", type=int, help="processes; default: one for every core"
    )
    fields = [
        field
        for field in dataclasses.fields(SyntheticConfig)
        if field.type in (int, float)
    ]
    for field in fields:
        parser.add_argument(
            f"--{field.name}",
            type=field.type,
            default=field.default,
            help=_HELP[field.name],
        )
    for name in ("rgb", "ir"):
        parser.add_argument(
            f"--{name}",
            type=size,
            metavar="WIDTHxHEIGHT",
            default="{}x{}".format(*getattr(usual, name)),
            help="size of the video's frames",
        )
    parser.add_argument(
        "--actions",
        default=",".join(usual.actions),
        help=f"classes, with commas, or a set of them: {', '.join(SETS)}",
    )
    parser.add_argument(
        "--seconds",
        type=span,
        metavar="SHORTEST-LONGEST",
        default="{}-{}".format(*usual.seconds),
        help="length of the clips",
    )
    given = parser.parse_args(arguments)
    if given.workers is not None and given.workers < 1:
        leaving.die(f"workers is {given.workers}; expected 1 or more.")
    values = {field.name: getattr(given, field.name) for field in fields}
    for name in ("rgb", "ir"):
        width, height = getattr(given, name)
        values[name] = getattr(usual, name)._replace(width=width, height=height)
    words = tuple(word.strip() for word in given.actions.split(","))
    values["actions"] = SETS.get(given.actions.strip(), words)
    values["seconds"] = given.seconds
    try:
        generate(given.out, SyntheticConfig(**values), given.workers)
    except ValueError as error:
        leaving.die(error)
    except OSError as error:
        place = error.filename or given.out
        leaving.die(
            f"The raw files cannot be kept in {given.out}: {error.strerror} "
            f"({place}). Choose a folder that you may write to, on a disk with room, "
            "with --out."
        )
    print(f"The raw files are in {given.out}.")


if __name__ == "__main__":
    main()
