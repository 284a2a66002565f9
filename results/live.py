"""A live run of some minutes: is memory flat, the delay as stated, a stall survived?

python -m results.live --workdir runs/demo_stafusion --seconds 600

Two senders play a staged film of two streams again and again (MPEG-TS over TCP; with
--rtsp the infrared one as a network camera does); predict.py watches them. After a
third of the time the infrared stream stands still for eight seconds, after two thirds
it goes away for as long: the run must tell both, go on with the visible one, and tell
when it is back. Printed are the memory of the process (the median of each tenth of the
run), the delay as the run measured it, and the events.
Exits with 1 if memory grew by more than 5 % over the second half, a delay was longer
than stated (with the timeout, for a stream has stalled) by more than a second, or an
event is missing.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import av
import numpy as np

from input_pipeline.synthetic.rtsp import RtspSender
from input_pipeline.synthetic.sending import Sender
from results import long_video

GONE = 8.0  # seconds
TIMEOUT = 2.0
SLACK = 1.0  # of the delay: what a busy machine and the network take, seconds


def film(path: Path) -> np.ndarray:
    """All frames of a video, uint8 [t h w 3]."""
    with av.open(str(path)) as container:
        return np.stack(
            [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
        )


def resident(pid: int) -> float:
    """Returns the memory of a process, MiB; 0 once it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def fail(sender: Sender, first: float, second: float) -> None:
    """Lets a stream stand still ``first`` seconds from now, go away at ``second``."""
    time.sleep(first)
    with sender.still():
        time.sleep(GONE)
    time.sleep(second - first - GONE)
    with sender.away():
        time.sleep(GONE)


def watch(given: argparse.Namespace) -> tuple[str, list[float]]:
    """Runs predict.py; returns what it printed, and its memory second by second."""
    folder = given.out / "film"
    if not (folder / "ir.avi").exists():
        long_video.stage(folder, 8, 2.0, hard=False, seed=1)
    memory: list[float] = []
    with (
        Sender(film(folder / "rgb.avi"), 15) as rgb,
        (RtspSender if given.rtsp else Sender)(film(folder / "ir.avi"), 12) as ir,
    ):
        words = {
            "config": long_video.CONFIG,
            "checkpoint": "last",
            "workdir": given.workdir,
            "config.data.dir": given.data,
            "config.data.allow_missing": True,
            "rgb": rgb.address,
            "ir": ir.address,
            "threshold": 0.3,
            "timeout": TIMEOUT,
            "seconds": given.seconds,
            "out": given.out,
        }
        command = [sys.executable, "-u", "predict.py"]
        command += [f"--{name}={value}" for name, value in words.items()]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("Windows of"):
                break
        times = given.seconds / 3, 2 * given.seconds / 3
        threading.Thread(target=fail, args=(ir, *times), daemon=True).start()

        def sample() -> None:
            while process.poll() is None:
                memory.append(resident(process.pid))
                time.sleep(1)

        sampler = threading.Thread(target=sample)
        sampler.start()
        said += list(process.stdout)
        if process.wait():
            sys.exit(f"predict.py ended with {process.returncode}.")
        sampler.join()
    return "".join(said), [mib for mib in memory if mib]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workdir", type=Path, default=Path("runs/demo_stafusion"))
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=Path("runs/live"))
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--rtsp", action="store_true", help="the infrared stream")
    given = parser.parse_args()
    said, memory = watch(given)
    parts = [float(np.median(part)) for part in np.array_split(memory, 10)]
    growth = np.median(parts[-2:]) / np.median(parts[4:6]) - 1
    print("memory, MiB, by tenths: " + " ".join(f"{part:.0f}" for part in parts))
    print(f"growth over the second half: {growth:.1%}")
    (stated,) = re.findall(r"told at most ([\d.]+) s later", said)
    (mean, longest) = re.findall(r"began: mean ([\d.]+) s, longest ([\d.]+) s", said)[0]
    print(f"delay stated {stated} s and computing; mean {mean} s, longest {longest} s")
    lines = (given.out / "timeline.jsonl").read_text().splitlines()
    events = [json.loads(line)["event"] for line in lines if line.startswith('{"event')]
    for event in events:
        print(f"{event['at'] / 1e6:8.1f} s  {event['stream']}: {event['text']}")
    told = [event["text"].split()[0].strip(":") for event in events]
    fine = growth < 0.05 and float(longest) < float(stated) + TIMEOUT + SLACK
    fine = fine and told == ["stalled", "came"] * 2
    print("as it should be" if fine else "NOT as it should be")
    sys.exit(not fine)


if __name__ == "__main__":
    main()
