"""Eighty-six pairs of nine classes, one of seventy clips and eight of two: own cameras.

Ten people; clip i is of person i % 10, and of one of two days. The last clip is the
first one's double under another name.
"""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("walk", *(f"rare {i}" for i in range(1, 9)))
LABELS = ("walk",) * 70 + tuple(name for name in CLASSES[1:] for _ in range(2))
CLIPS, PEOPLE = len(LABELS), 10


def person(clip: int) -> str:
    return f"person {clip % PEOPLE}"


def write(folder: Path, split: bool = True) -> Path:
    """Writes pairs of three frames and their manifest, which is returned."""
    for stream, mode in (("rgb", "RGB"), ("ir", "L")):
        for clip in range(CLIPS):
            place = folder / stream / f"{clip:03d}"
            place.mkdir(parents=True)
            grey = 0 if clip == CLIPS - 1 else clip
            for frame in range(3):
                shape = (16, 20, 3) if mode == "RGB" else (16, 20)
                picture = np.full(shape, 40 * frame + grey, np.uint8)
                Image.fromarray(picture).save(place / f"{frame}.png")
    return manifest(folder / "clips.csv", ["train", "test"] if split else None)


def manifest(path: Path, splits: list[str] | None) -> Path:
    """Writes the table; every other clip is of the one or the other split."""
    columns = ["rgb", "ir", "label", "person", "day"] + ["split"] * bool(splits)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for clip, label in enumerate(LABELS):
            row = [f"rgb/{clip:03d}", f"ir/{clip:03d}", label, person(clip)]
            row.append("monday" if clip % 4 < 2 else "tuesday")
            writer.writerow(row + ([splits[clip % 2]] if splits else []))
    return path
