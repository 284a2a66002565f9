"""``python -m input_pipeline.synthetic --out RAW``: stages the data set.

Every field of `SyntheticConfig` that is one number is a flag of the same name.
"""

import argparse
import dataclasses
import sys

from input_pipeline.synthetic.config import SyntheticConfig
from input_pipeline.synthetic.files import generate


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m input_pipeline.synthetic",
        description="Stages a small data set in NTU RGB+D's formats and layout.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--out", required=True, help="folder for the raw files")
    parser.add_argument("--workers", type=int, help="processes (default: all cores)")
    fields = [
        field
        for field in dataclasses.fields(SyntheticConfig)
        if field.type in (int, float)
    ]
    for field in fields:
        parser.add_argument(f"--{field.name}", type=field.type, default=field.default)
    given = parser.parse_args(arguments)
    values = {field.name: getattr(given, field.name) for field in fields}
    try:
        generate(given.out, SyntheticConfig(**values), given.workers)
    except ValueError as error:
        sys.exit(f"error: {error}")
    print(f"The raw files are in {given.out}.")


if __name__ == "__main__":
    main()
