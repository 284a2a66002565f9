"""The whole road of recordings: two cameras and a table of events to a prepared set."""

import json
import subprocess
import sys

import numpy as np
import pytest

from input_pipeline import records
from input_pipeline.dataset import PreparedDataset
from input_pipeline.offsets.correlation import propose
from input_pipeline.offsets.motion import of_file
from tests.input_pipeline import recorded

# Of one process, with Python, NumPy, FFmpeg and (in the first one) TensorFlow.
MOST_MB = 1024
PREPARE = """
import json, resource, sys
from input_pipeline.prepare.__main__ import main
def peak(who):
    return resource.getrusage(who).ru_maxrss / 1024
import tensorflow_datasets
before = peak(resource.RUSAGE_SELF)
main(sys.argv[1:])
found = before, peak(resource.RUSAGE_SELF), peak(resource.RUSAGE_CHILDREN)
print(json.dumps(found))
"""


def prepare(staged: recorded.Staged, out, *options: str) -> list[float]:
    """Returns MB of the first process before and after, and of the largest worker."""
    command = ["clips", "--manifest", str(staged.manifest), "--name", "hour"]
    command += ["--out", str(out), *options]
    done = subprocess.run(
        [sys.executable, "-c", PREPARE, *command],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def check_frames(staged: recorded.Staged, out) -> None:
    """Every clip has exactly the frames of its part, at their times."""
    dataset = PreparedDataset.open(out, "hour")
    assert len(dataset) == len(staged.parts)
    for row, name in enumerate(dataset.names):
        place = dataset.index["shard"][row]
        path = dataset.folder / dataset.info["shards"][place]["file"]
        at = int(dataset.index["offset"][row]) + 12  # of the record's own length
        data = path.read_bytes()[at : at + int(dataset.index["length"][row])]
        record = records.decode(data)
        start, end = next(
            (a, b) for a, b in staged.parts if name == f"rgb@{float(a)}-{float(b)}"
        )
        clocks = {
            "rgb": (recorded.RGB_RATE, 0),
            "ir": (recorded.IR_RATE, recorded.OFFSET),
        }
        for stream, (rate, offset) in clocks.items():
            video = record.video(stream)
            numbers = recorded.frames_in(start, end, rate, offset)
            assert recorded.numbers_of(video.frames) == numbers, (name, stream)
            times = [float(n / rate + offset - start) for n in numbers]
            want = np.array([*times, float(end - start)]) * 1e6
            np.testing.assert_allclose(video.times, want, atol=501)  # Matroska's ms


def test_twenty_seconds(tmp_path):
    staged = recorded.stage(tmp_path, 20, 4)
    prepare(staged, tmp_path / "out", "--workers", "1", "--min_frames", "2")
    check_frames(staged, tmp_path / "out")


@pytest.mark.long
def test_an_hour_in_bounded_memory(tmp_path):
    staged = recorded.stage(tmp_path, 3600, 40)
    _, first, worker = prepare(staged, tmp_path / "out", "--workers", "2")
    check_frames(staged, tmp_path / "out")
    assert first < MOST_MB and worker < MOST_MB
    found = propose(of_file(staged.rgb, "rgb"), of_file(staged.ir, "ir"))
    assert abs(found.offset - float(recorded.OFFSET)) < 0.1 and not found.doubt
