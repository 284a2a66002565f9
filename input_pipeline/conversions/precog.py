"""PRECOG 2016 to a manifest of skeletons: 360 actions of Kinect v1's 20 joints.

python -m input_pipeline.conversions.precog --raw Dataset/CSV --out precog
python -m input_pipeline.prepare clips --manifest precog/manifest.csv --name precog \\
    --min_frames 5 --max_failed 0.03 --out data

The set (github.com/DavidJardim/precog_dataset_16, MIT) has 6 scripted sequences of 12
subjects, SeqN_S.csv: a row a frame, in it 20 cells "x y z", then the number of the
action that is on, 0 for none, all separated by semicolons. Every run of an action
becomes a clip, ``.npy`` [t v 3]; runs of fewer than MIN_RUN frames are slips of the
annotation (three of them: 360 are left, five in each sequence). Subjects 1 to 8 train,
9 to 12 test.
"""

import argparse
import csv
import itertools
import re
from pathlib import Path

import numpy as np

from input_pipeline import leaving

JOINTS = 20
MIN_RUN = 5
TRAIN_SUBJECTS = range(1, 9)
# Of actions 1 to 8, by the sequences in which they occur.
ACTIONS = (
    "right punch",
    "left punch",
    "front right kick",
    "front left kick",
    "side right kick",
    "side left kick",
    "back fist",
    "elbow strike",
)
_NAME = re.compile(r"Seq(\d+)_(\d+)\.csv")


class ConversionError(ValueError):
    """A raw file that is not of the form that is read; says the line."""


def read_sequence(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Returns joints float32 [t v 3] and the action of each frame, int [t]."""
    joints, actions = [], []
    for number, line in enumerate(path.read_text("utf-8-sig").splitlines()[1:], 2):
        if not line.strip():
            continue
        *cells, action = line.split(";")
        try:
            joints.append([[float(x) for x in cell.split()] for cell in cells])
            actions.append(int(action))
            good = np.shape(joints[-1]) == (JOINTS, 3)
        except ValueError:
            good = False
        if not good or not 0 <= actions[-1] <= len(ACTIONS):
            raise ConversionError(
                f"{path}, line {number}: expected {JOINTS} cells 'x y z' and an action "
                f"from 0 to {len(ACTIONS)}, separated by semicolons."
            )
    return np.array(joints, np.float32), np.array(actions)


def runs(actions: np.ndarray) -> list[tuple[int, int, int]]:
    """Returns (action, first frame, end) of every run of an action, slips left out."""
    found, start = [], 0
    for action, group in itertools.groupby(actions.tolist()):
        end = start + len(list(group))
        if action and end - start >= MIN_RUN:
            found.append((action, start, end))
        start = end
    return found


def convert(raw: Path, out: Path) -> int:
    """Writes the clips and manifest.csv; returns how many clips there are.

    Raises ConversionError if there is nothing to read, or a file is not as expected.
    """
    files = sorted(path for path in raw.glob("*.csv") if _NAME.fullmatch(path.name))
    if not files:
        raise ConversionError(
            f"There is no SeqN_S.csv in {raw}. Give the folder Dataset/CSV of the set."
        )
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for path in files:
        match = _NAME.fullmatch(path.name)
        assert match is not None
        subject = int(match[2])
        joints, actions = read_sequence(path)
        for number, (action, start, end) in enumerate(runs(actions), 1):
            name = f"{path.stem}_{number}.npy"
            np.save(out / name, joints[start:end])
            split = "train" if subject in TRAIN_SUBJECTS else "test"
            rows.append((name, ACTIONS[action - 1], split, subject))
    with (out / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("skeleton", "label", "split", "subject"))
        writer.writerows(rows)
    return len(rows)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m input_pipeline.conversions.precog",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--raw", required=True, type=Path, help="folder Dataset/CSV")
    parser.add_argument("--out", required=True, type=Path, help="where clips go")
    given = parser.parse_args()
    try:
        count = convert(given.raw, given.out)
    except ConversionError as error:
        leaving.die(error)
    print(f"{count} clips and manifest.csv in {given.out}.")


if __name__ == "__main__":
    main()
