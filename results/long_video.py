"""How well a timeline tells what was done when, on a film whose truth is known.

python -m results.long_video --workdir runs/demo_stafusion

Stages a long film of two streams in the world of the demo: people whom the training set
does not have, action after action, with pauses in which the last picture stands still
(but for the sensors' noise). predict.py makes the timeline; precision is the share of
the seconds it names whose class is the true one, recall the share of the true seconds
that it names rightly. The same actions cut out of the film by their true times are
predicted as single clips, too: no timeline can know more than the model does. And
"knowing" is a model that is sure of the class in the middle of every window: what the
windows, the merging and the segments alone cost.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from input_pipeline.formats.ntu import NtuName
from input_pipeline.synthetic import files, world
from input_pipeline.synthetic.config import SyntheticConfig
from input_pipeline.synthetic.render import render
from jaxact.report.timeline import SECOND
from jaxact.report.timeline.merging import Merger, Moment
from jaxact.report.timeline.segments import Rule, Segment, agreement

CONFIG = "configs/demo_stafusion.py"
# Cross-subject: subjects 3, 6, 7 and 10 of the demo's ten are those it is tested on.
SUBJECTS = (3, 6, 7, 10)
THRESHOLDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


def stage(folder: Path, actions: int, pause: float, hard: bool, seed: int) -> list:
    """Writes rgb.avi, ir.avi, and a file of each action alone; returns the truth.

    The truth: (start, end, label) in seconds, of the visible stream's clock.
    """
    easy = {} if hard else dict(occluded=0.0, dark_rgb=0.0, warm_background=0.0)
    config = SyntheticConfig(**easy, **({} if hard else {"bystander": 0.0}))
    rng = np.random.default_rng(seed)
    count = len(config.actions)
    order = np.concatenate(
        [rng.permutation(count) for _ in range(-(-actions // count))]
    )
    film: dict[str, list[np.ndarray]] = {"rgb": [], "ir": []}
    shown = dict.fromkeys(film, 0)
    truth, seconds = [], 0.0
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    for i, label in enumerate(order[:actions]):
        name = NtuName(
            setup=int(rng.integers(1, 3)),
            camera=int(rng.integers(1, 4)),
            subject=int(rng.choice(SUBJECTS)),
            replication=int(rng.integers(1, 3)),
            action=int(label) + 1,
        )
        clip = world.stage(config, name)
        still = float(rng.uniform(0.5, 1.5)) * pause
        truth.append((seconds, seconds + clip.seconds, int(label)))
        seconds += clip.seconds + still
        for stream, parts in film.items():
            sensor = getattr(config, stream)
            frames = render(config, clip, stream).frames
            files.write_video(
                folder / "clips" / f"{i:04d}_{stream}.avi", frames, sensor.fps
            )
            # As many as bring the film to its time: rounding does not add up.
            held = round(seconds * sensor.fps) - shown[stream] - len(frames)
            parts += [
                frames,
                _held(frames[-1], held, getattr(config, f"{stream}_noise"), rng),
            ]
            shown[stream] += len(frames) + held
    for stream, parts in film.items():
        fps = getattr(config, stream).fps
        files.write_video(folder / f"{stream}.avi", np.concatenate(parts), fps)
    return truth


def _held(frame: np.ndarray, count: int, noise: float, rng: np.random.Generator):
    """A frame so many times, each with noise of its own beside what it has."""
    shape = (count, *frame.shape)
    values = frame + noise / 2 * rng.standard_normal(shape, np.float32)
    return values.clip(0, 255).astype(np.uint8)


def predict(arguments: argparse.Namespace, out: Path, *words: str) -> None:
    command = [sys.executable, "predict.py", "--config", CONFIG, "--out", str(out)]
    command += ["--checkpoint", "last", "--workdir", str(arguments.workdir)]
    command += [f"--config.data.dir={arguments.data}", *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def clip_accuracy(folder: Path, truth: list, classes: list[str]) -> float:
    clips = json.loads((folder / "predictions.json").read_text())["clips"]
    best = [clip["best"][0][0] for clip in clips]
    return float(
        np.mean([b == classes[row[2]] for b, row in zip(best, truth, strict=True)])
    )


def moments_of(folder: Path, classes: list[str]) -> list[Moment]:
    """The moments of a timeline, with the scores that its file names."""
    found = []
    for row in json.loads((folder / "timeline.json").read_text())["moments"]:
        scores = np.zeros(len(classes))
        for name, score in row.get("scores", {}).items():
            scores[classes.index(name)] = score
        found.append(Moment(row["start"], row["end"], scores, row["windows"]))
    return found


def segments_of(moments: list[Moment], rule: Rule, classes: list[str], stride: int):
    """What predict.py makes of moments at a threshold."""
    segments = rule.segments(classes, stride)
    return [s for moment in moments for s in segments.add(moment)] + segments.finish()


def of_an_oracle(
    true: list[Segment], length: int, stride: int, end: int, classes: list[str]
) -> list[Segment]:
    """The segments of a model that knows the class in the middle of every window."""
    merger, moments = Merger(stride), []
    for start in range(0, end - length + 1, stride):
        middle = start + length // 2
        scores = np.full(len(classes), 1 / len(classes))
        for segment in true:
            if segment.start <= middle < segment.end:
                scores = np.eye(len(classes))[segment.label]
        moments += merger.add(start, start + length, scores)
    return segments_of(moments + merger.finish(), Rule(0.5), classes, stride)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", type=Path, default=Path("runs/demo_stafusion"))
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=Path("runs/long_video"))
    parser.add_argument("--actions", type=int, default=96)
    parser.add_argument("--pause", type=float, default=2.0, help="seconds, on average")
    parser.add_argument(
        "--hard", action="store_true", help="with the demo's difficulties"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--window", type=float, default=0.0, help="0: as predict.py has it"
    )
    parser.add_argument("--stride", type=float, default=0.4)
    given = parser.parse_args()
    folder = given.out / ("hard" if given.hard else "easy")
    truth = stage(folder, given.actions, given.pause, given.hard, given.seed)
    classes = list(SyntheticConfig().actions)
    true = [Segment(round(a * SECOND), round(b * SECOND), c, 1.0) for a, b, c in truth]
    busy = sum(s.end - s.start for s in true) / SECOND
    print(f"{len(truth)} actions, {busy:.0f} s of {truth[-1][1]:.0f} s")
    clips = [f"--{s}={folder / 'clips'}/*_{s}.avi" for s in ("rgb", "ir")]
    predict(given, folder / "single", *clips)
    top1 = clip_accuracy(folder / "single", truth, classes)
    print(f"the same actions as single clips: Top-1 {top1:.1%}")
    print(f"{'threshold':>9}  {'precision':>9}  {'recall':>9}  {'segments':>9}")
    words = [f"--{s}={folder / s}.avi" for s in ("rgb", "ir")]
    words += [f"--window={given.window}"] if given.window else []
    predict(given, folder / "timeline", *words, f"--stride={given.stride}")
    facts = json.loads((folder / "timeline" / "timeline.json").read_text())
    length = round(float(facts["window"].removesuffix(" s")) * SECOND)
    moments, stride = (
        moments_of(folder / "timeline", classes),
        round(given.stride * SECOND),
    )
    ideal = of_an_oracle(true, length, stride, moments[-1].end, classes)
    row = [
        f"{rate:.1%}" for rate in agreement(ideal, true).values() if rate is not None
    ]
    print(f"{'knowing':>9}  {row[0]:>9}  {row[1]:>9}  {len(ideal):9d}")
    for threshold in THRESHOLDS:
        found = segments_of(moments, Rule(threshold), classes, stride)
        row = [
            "-" if rate is None else f"{rate:.1%}"
            for rate in agreement(found, true).values()
        ]
        print(f"{threshold:9.1f}  {row[0]:>9}  {row[1]:>9}  {len(found):9d}")


if __name__ == "__main__":
    main()
