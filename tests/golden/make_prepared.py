"""Makes a data set as it was prepared before, and the batches that were read of it.

It was run once, from the root of this repository at commit 26a606a, whose records are
of format 1; today's code must read the same of them. Run at another commit it would
prove nothing:

    git worktree add ../before 26a606a && cp tests/golden/make_prepared.py ../before
    (cd ../before && PYTHONPATH=. python make_prepared.py) && mv ../before/prepared* \
        tests/golden
"""

import pathlib
import subprocess
import sys
import tempfile
import types

import numpy as np
from PIL import Image

from input_pipeline.config import DataConfig
from input_pipeline.pipeline import eval_batches, train_batches

FOLDER, BATCHES = pathlib.Path("prepared"), pathlib.Path("prepared_batches.npz")
CLIPS, TEST, FRAMES, JOINTS = 5, 2, 3, 5
# What only TFDS and people read.
NOT_READ = ("dataset_info.json", "failed.csv", "features.json")
DATA = dict(
    name="before", dir=str(FOLDER), resize_min=11, resize_max=14, test_resize=12
)
INPUTS = {
    "rgb": types.SimpleNamespace(shape=(2, 8, 10, 3), dtype=np.uint8),
    "ir": types.SimpleNamespace(shape=(2, 8, 10, 1), dtype=np.uint8),
    "rgb_diff": types.SimpleNamespace(shape=(2, 8, 10, 15), dtype=np.int16),
    "skeleton": types.SimpleNamespace(shape=(1, 3, JOINTS, 3), dtype=np.float32),
}


def raw_files(folder: pathlib.Path) -> pathlib.Path:
    """Writes clips of noise and the manifest of them; the last one has no infrared."""
    random = np.random.default_rng(0)
    lines = ["rgb,ir,skeleton,label,split"]
    for i in range(CLIPS + 1):
        names = {}
        for stream, size in (("rgb", (17, 23, 3)), ("ir", (19, 16))):
            names[stream] = f"{stream}{i}"
            (folder / names[stream]).mkdir()
            for frame in range(FRAMES):
                image = Image.fromarray(random.integers(0, 256, size, np.uint8))
                image.save(folder / names[stream] / f"{frame}.png")
        names["skeleton"] = f"body{i}.npy"
        points = random.normal(size=(1, FRAMES + 1, JOINTS, 3)).astype(np.float32)
        np.save(folder / names["skeleton"], points * (0.3, 0.9, 0.1) + (0, 0, 3))
        split = "train" if i < CLIPS - TEST else "test" if i < CLIPS else "val"
        cells = [names["rgb"], names["ir"] if i < CLIPS else "", names["skeleton"]]
        lines.append(",".join([*cells, ("sit", "wave")[i % 2], split]))
    manifest = folder / "manifest.csv"
    manifest.write_text("\n".join(lines) + "\n")
    return manifest


def batches() -> dict[str, np.ndarray]:
    """Returns every array of some training and evaluation batches under its name."""
    found = {}
    data = DataConfig(**DATA, flip=0.0)
    training = train_batches(data, INPUTS, 2, seed=5)
    views = DataConfig(**DATA, eval_views_time=2)
    for name, stream in {
        **{f"train{i}": next(training) for i in range(3)},
        **{"test": next(eval_batches(views, INPUTS, "test", TEST))},
    }.items():
        found |= {f"{name}/{key}": value for key, value in stream.items()}
    return found


def main() -> None:
    """Prepares the data set and reads it."""
    with tempfile.TemporaryDirectory() as folder:
        manifest = raw_files(pathlib.Path(folder))
        command = [sys.executable, "-m", "input_pipeline.prepare", "clips"]
        command += ["--manifest", str(manifest), "--name", "before", "--shards", "2"]
        command += ["--min_frames", "2", "--short_side", "16", "--out", str(FOLDER)]
        subprocess.run(command, check=True)
    np.savez_compressed(BATCHES, allow_pickle=False, **batches())
    for name in (".1.0.0.lock", *("1.0.0/" + name for name in NOT_READ)):
        (FOLDER / "before" / name).unlink()


if __name__ == "__main__":
    main()
