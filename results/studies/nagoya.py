"""Actions before a ceiling sensor of 16 x 16 temperatures, leaving one day out.

    python -m results.studies.nagoya    # trains what is not trained yet

The set must have been prepared, as `docs/sensors.md` says. Its four days have nine
people, of whom nobody comes twice: who is tested was never trained on. Rows: a linear
SVM, one against the rest, on eight frames less the recording's median, centred on what
is warm; and a TimeSformer on the infrared stream alone. The SVM's cost is the best of
three, by the test clips themselves, which favours it. The network's kind and size were
chosen by single runs that were trained on the first two days and looked at the third,
20170209: of that day's figure it is not blind.
"""

import argparse
import functools
import io
import itertools
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from absl import logging
from PIL import Image

from jaxact.config import Experiment, load_experiment
from jaxact.devices.host_memory import keep_freed_memory
from jaxact.report import predictions
from results.study import DATA, reported, spread

FILE = DATA / "nagoya.jsonl"
SVM, NETWORK = "linear SVM", "TimeSformer"
COST = 0.01
FRAMES = 8
CONFIG = "configs/own_dual_stream.py:dataset=nagoya,streams=ir,image=16"
RECIPE: Mapping[str, Any] = {
    "model.backbone.patch": 4,
    "model.backbone.depth": 2,
    "model.head_dropout": 0.3,
    "data.quarter_turns": True,
    "data.resize_min": 16,
    "data.resize_max": 19,
    "data.test_resize": 16,
    "train.batch_size": 32,
    "train.epochs": 8.0,
    "train.eval_every": 0.0,  # only at the end
}


def experiment(seed: int) -> Experiment:
    """Returns what is trained on every fold."""
    return load_experiment(CONFIG, {**RECIPE, "train.seed": seed})


def of_network(fold: int, seed: int) -> float:
    """Returns the accuracy of a fold's day, by a network of the others; trains it."""
    import crossvalidate  # imports TensorFlow: not needed to print the table

    folder = pathlib.Path(f"runs/nagoya/seed_{seed}/fold_{fold}")
    found = predictions.read(
        reported(crossvalidate.of_fold(experiment(seed), "day", 0, fold), folder)
    )
    return float((found.scores.argmax(1) == found.labels).mean())


def prepared() -> Any:
    """Returns the prepared set."""
    from input_pipeline.dataset import PreparedDataset

    return PreparedDataset.open(experiment(0).data.dir, "nagoya")


def of_svm(fold: int) -> float:
    """Returns the accuracy of a fold's day, by a linear SVM of the others."""
    index, inputs = prepared().index, features()
    label = index["label"]
    trained = index["group_day"] != fold - 1
    mean, std = inputs[trained].mean(0), inputs[trained].std(0) + 1e-6
    x = np.concatenate([(inputs - mean) / std * 0.1, np.ones((len(label), 1))], axis=1)
    weights = svm(x[trained], label[trained], COST)
    return float(((x[~trained] @ weights.T).argmax(1) == label[~trained]).mean())


@functools.cache
def features() -> np.ndarray:
    """Returns what the SVM reads of every clip."""
    dataset = prepared()
    return centred(temperatures(dataset), dataset.index["group_recording"])


def temperatures(dataset: Any) -> list[np.ndarray]:
    """Returns the clips in the files' own unit, [t h w] each."""
    from input_pipeline import records
    from input_pipeline.reading import RecordReader

    reader, found = RecordReader(dataset), []
    for row in range(len(dataset)):
        video = records.decode(reader(row).numpy()).video("ir")
        frames = [np.asarray(Image.open(io.BytesIO(f)), float) for f in video.frames]
        low, high = video.levels
        found.append(low + np.array(frames) * (high - low) / 255)
    return found


def centred(clips: list[np.ndarray], recordings: np.ndarray) -> np.ndarray:
    """Returns FRAMES frames of each clip less its room, what is warm in the middle."""
    rooms = {
        code: np.median(
            np.concatenate([clips[i] for i in np.flatnonzero(recordings == code)]), 0
        )
        for code in np.unique(recordings)
    }
    found = []
    for clip, code in zip(clips, recordings, strict=True):
        ticks = ((np.arange(FRAMES) + 0.5) * len(clip) / FRAMES).astype(int)
        frames = clip[ticks] - rooms[code]
        warm = np.clip(frames - 0.3 * 50, 0, None).sum(0)  # 50 counts a degree
        if warm.sum():
            places = np.arange(len(warm))
            y, x = (warm.sum(axis) @ places / warm.sum() for axis in (1, 0))
            shift = (round(7.5 - y), round(7.5 - x))
            frames = np.roll(frames, shift, (1, 2))
        found.append(frames.ravel())
    return np.array(found)


def svm(x: np.ndarray, labels: np.ndarray, cost: float) -> np.ndarray:
    """Returns a weight vector a class: squared hinge loss, one against the rest."""
    from scipy import optimize

    rows = []
    for label in np.unique(labels):
        sign = np.where(labels == label, 1.0, -1.0)

        def loss(w: np.ndarray, sign: np.ndarray = sign) -> tuple[float, np.ndarray]:
            margin = np.maximum(0, 1 - sign * (x @ w))
            return w @ w / 2 + cost * margin @ margin, w - 2 * cost * x.T @ (
                margin * sign
            )

        start = np.zeros(x.shape[1])
        found = optimize.minimize(
            loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 100}
        )
        rows.append(found.x)
    return np.array(rows)


def lines() -> list[dict[str, Any]]:
    """Returns what was found so far: a row, a seed and a day each."""
    return [json.loads(line) for line in FILE.read_text().splitlines()]


def table() -> str:
    """Returns what was found, as Markdown: the mean over days, and each day."""
    runs = lines()
    days = sorted({run["day"] for run in runs})
    text = [
        f"| | mean of the days % | {' | '.join(f'{day} %' for day in days)} | seeds |",
        "|" + "---|" * (len(days) + 3),
    ]
    for row in (SVM, NETWORK):
        seeds: dict[int, dict[str, float]] = {}
        for run in runs:
            if run["row"] == row:
                seeds.setdefault(run["seed"], {})[run["day"]] = run["top1"]
        whole = [found for found in seeds.values() if len(found) == len(days)]
        columns = [[float(np.mean([*found.values()])) for found in whole]]
        columns += [[f[day] for f in seeds.values() if day in f] for day in days]
        cells = [spread(column) if column else "–" for column in columns]
        text.append(f"| {row} | {' | '.join(cells)} | {len(whole)} |")
    return "\n".join(text)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    logging.set_verbosity(logging.ERROR)  # Orbax tells of every folder it opens
    keep_freed_memory()
    days = prepared().groups["day"]
    FILE.touch()
    todo = [(SVM, 0), *((NETWORK, seed) for seed in range(given.seeds))]
    for (row, seed), fold in itertools.product(todo, range(1, len(days) + 1)):
        entry = {"row": row, "seed": seed, "day": days[fold - 1]}
        if any(entry.items() <= line.items() for line in lines()):
            continue
        top1 = of_svm(fold) if row == SVM else of_network(fold, seed)
        with FILE.open("a") as file:
            file.write(json.dumps(entry | {"top1": top1}) + "\n")
    print(table())


if __name__ == "__main__":
    main()
