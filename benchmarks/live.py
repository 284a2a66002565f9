"""Long files and live streams: how fast they are read, and how late windows are there.

    python -m benchmarks.live

Two streams of 1280 x 720 at 25 frames a second (MPEG-4), windows of 2 s and a stride
of 1 s, 8 frames of 224 x 224 a stream and window, sampled as evaluation samples clips.
What the model then takes is the model's (predict.py prints it).
"""

import argparse
import resource
import tempfile
import time
import types
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.arguments import at_least
from input_pipeline.config import DataConfig
from input_pipeline.footage import SECOND, watching
from input_pipeline.own_clip import Facts
from input_pipeline.streams import STREAMS
from input_pipeline.synthetic.sending import Sender

HEIGHT, WIDTH, RATE = 720, 1280, 25
WINDOW, STRIDE = 2.0, 1.0
INPUTS = {
    stream: types.SimpleNamespace(
        shape=(8, 224, 224, STREAMS[stream].channels), dtype=np.uint8
    )
    for stream in ("rgb", "ir")
}


def frames(count: int) -> np.ndarray:
    """A soft random picture that drifts, uint8 [t h w 3]."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 255, (HEIGHT // 40, WIDTH // 40, 3), np.uint8)
    whole = coarse.repeat(40, 0).repeat(40, 1)
    return np.stack([np.roll(whole, 4 * i, 1) for i in range(count)])


def write(path: Path, film: np.ndarray, seconds: int) -> None:
    """Writes the film again and again for so many seconds."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=RATE)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        stream.bit_rate = 4_000_000
        for i in range(seconds * RATE):
            frame = av.VideoFrame.from_ndarray(film[i % len(film)], format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def opened(paths: dict[str, str], seconds: float | None = None) -> watching.Footage:
    """The footage, with what is compiled once already compiled."""
    wish = watching.Wish(WINDOW, STRIDE, seconds)
    footage = watching.Footage(paths, DataConfig(), INPUTS, Facts(["any"]), wish)
    footage.example()
    return footage


def of_file(path: str, seconds: int) -> None:
    """Prints how fast a file is looked at, twice as two streams."""
    with opened({"rgb": path, "ir": path}) as footage:
        clock, processor = time.perf_counter(), time.process_time()
        windows = 0
        for batch in footage.batches(lambda: None, print, 8):
            windows += len([footage.clip(w.record) for w in batch if w.record])
        clock = time.perf_counter() - clock
        processor = time.process_time() - processor
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"file of {seconds} s: {windows} windows, {seconds / clock:.1f} times as fast "
        f"as shown; {seconds / processor:.1f} on a core of its own; {most:.0f} MiB"
    )


def live(film: np.ndarray, seconds: int) -> None:
    """Prints how long after its end a window of live streams is there, sampled."""
    with Sender(film, RATE) as rgb, Sender(film, RATE) as ir:
        paths = {"rgb": rgb.address, "ir": ir.address}
        delays = []
        with opened(paths, seconds) as footage:
            for batch in footage.batches(lambda: None, print, 8):
                for window in batch:
                    if window.record is not None:
                        footage.clip(window.record)
                        delays.append(((footage.now() or 0) - window.end) / SECOND)
    print(
        f"live for {seconds} s: {len(delays)} windows; there after their end: median "
        f"{np.median(delays):.2f} s, longest {max(delays):.2f} s (so a moment is told "
        f"{WINDOW:g} s later, and that)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=at_least(4), default=60)
    given = parser.parse_args()
    film = frames(2 * RATE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        write(path, film, given.seconds)
        of_file(str(path), given.seconds)
    live(film, min(given.seconds, 30))


if __name__ == "__main__":
    main()
