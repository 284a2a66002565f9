"""``python -m input_pipeline.synthetic --out RAW``: stages the data set.

Every field of `SyntheticConfig` that is one number is a flag of the same name; so are
the pictures' sizes (``--rgb 256x144``) and the classes (``--actions "wave,clap"``).
"""

import argparse
import dataclasses
import sys

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
}


def size(text: str) -> tuple[int, int]:
    """``WIDTHxHEIGHT`` -> two numbers."""
    width, height = text.split("x")
    return int(width), int(height)


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
        "--actions", default=",".join(usual.actions), help="classes, with commas"
    )
    given = parser.parse_args(arguments)
    values = {field.name: getattr(given, field.name) for field in fields}
    for name in ("rgb", "ir"):
        width, height = getattr(given, name)
        values[name] = getattr(usual, name)._replace(width=width, height=height)
    values["actions"] = tuple(word.strip() for word in given.actions.split(","))
    try:
        generate(given.out, SyntheticConfig(**values), given.workers)
    except ValueError as error:
        sys.exit(f"error: {error}")
    print(f"The raw files are in {given.out}.")


if __name__ == "__main__":
    main()
