"""``python -m input_pipeline.conversions``: annotation files to a manifest of parts.

python -m input_pipeline.conversions elan a.eaf b.eaf --tier action \\
    --recordings recordings.csv --out set/manifest.csv

Reads exports of CVAT (XML 1.1), Label Studio (JSON), ELAN (.eaf) and tables (BORIS,
VIA, or one's own with label, start and end; for other columns see
`input_pipeline.conversions.table`). ``--recordings`` is a CSV table with a line a
recording: the column ``recording`` holds the name of its file as the annotations have
it, the others are those of a manifest (rgb, ir, ir_offset, person, day, ...). Without
it the annotated file is the only stream. What is left out, and what has no label,
stands in MANIFEST.left_out.csv.
"""

import argparse
from pathlib import Path

from input_pipeline import leaving
from input_pipeline.conversions import cvat, elan, events, label_studio
from input_pipeline.conversions.annotations import (
    AnnotationError,
    Annotations,
    of_the_only_one,
    read_recordings,
    write,
)
from input_pipeline.streams import STORED


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    add = common.add_argument
    add("files", nargs="+", type=Path, metavar="FILE", help="the exports")
    add("--out", required=True, type=Path, help="the manifest that is written")
    add("--recordings", type=Path, help="CSV: recording, streams, offsets, person, ...")
    about = "the stream of the annotated files, without --recordings (%(default)s)"
    add("--stream", choices=STORED, default=STORED[0], help=about)
    about = "take annotations that overlap others of another label, too"
    add("--keep_overlaps", action="store_true", help=about)
    parser = argparse.ArgumentParser(
        prog="python -m input_pipeline.conversions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    programs = parser.add_subparsers(dest="program", required=True, metavar="PROGRAM")
    attribute = "the attribute whose value is the label"
    for name, about, flag, more in (
        ("cvat", "CVAT's XML 1.1 of videos or images", "--attribute", attribute),
        ("label_studio", "Label Studio's JSON or JSON-MIN", "", ""),
        ("elan", "ELAN's .eaf", "--tier", "the tier of the labels"),
        ("events", "CSV of BORIS, VIA 3 or one's own", "--attribute", attribute),
    ):
        made = programs.add_parser(
            name, help=about, description=about, parents=[common]
        )
        if flag:
            made.add_argument(flag, default="", help=more)
    return parser


def _read(given: argparse.Namespace, path: Path) -> Annotations:
    if given.program == "cvat":
        return cvat.read(path, given.attribute)
    if given.program == "label_studio":
        return label_studio.read(path)
    if given.program == "elan":
        return elan.read(path, given.tier)
    return events.read(path, given.attribute)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    given = _parser().parse_args(arguments)
    every = Annotations()
    try:
        for path in given.files:
            every.add(_read(given, path))
        if given.recordings is not None:
            rows = read_recordings(given.recordings, given.out)
            stems = {path.stem for path in given.files}
            every = of_the_only_one(every, rows, stems)
        else:
            names = {event.recording for event in every.events}
            rows = {name: {given.stream: name} for name in names}
        lines = write(every, rows, given.out, given.keep_overlaps)
    except (AnnotationError, OSError) as error:
        leaving.die(error)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
