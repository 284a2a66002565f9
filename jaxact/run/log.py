"""What a run says as it goes on: the progress line, metrics.jsonl and TensorBoard."""

import contextlib
import errno
import itertools
import json
import os
import pathlib
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from typing import Any

import jax
from tensorboardX.proto import event_pb2, summary_pb2
from tensorboardX.record_writer import RecordWriter

from jaxact import errors

METRICS_FILE = "metrics.jsonl"


class MetricsWindow:
    """Averages of the training metrics since the last progress line.

    The numbers of a step are fetched when the next one has been started, so that
    looking at them does not make the device wait.

    Args:
      sums: of a window that a checkpoint interrupted; see `sums`.
    """

    def __init__(self, sums: Mapping[str, float] | None = None):
        self._sums = dict(sums or {})
        self._pending: tuple[int, Mapping[str, jax.Array]] | None = None

    def add(self, step: int, metrics: Mapping[str, jax.Array]) -> None:
        """Takes the metrics of step number ``step``, and counts those of the former.

        Raises:
          NotFiniteError: the former step's loss or gradient was not finite.
        """
        self.flush()
        self._pending = (step, metrics)

    def flush(self) -> None:
        """Counts what is still on the device.

        Raises:
          NotFiniteError: its loss or gradient was not finite.
        """
        if self._pending is None:
            return
        step, on_device = self._pending
        self._pending = None
        metrics = {k: v.item() for k, v in jax.device_get(dict(on_device)).items()}
        if not metrics.pop("finite"):
            values = f"loss {metrics['loss']:g}, gradient norm {metrics['grad_norm']:g}"
            raise errors.NotFiniteError(
                f"The loss is not finite at step {step}: {values}."
            )
        lr = metrics.pop("lr")
        for name, value in (metrics | {"steps": 1}).items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._sums["lr"] = lr

    def sums(self) -> dict[str, float]:
        """Returns the sums so far, to be stored with a checkpoint."""
        self.flush()
        return dict(self._sums)

    def take(self) -> dict[str, float]:
        """Returns loss, its terms, accuracy, lr and gradient norm, and starts anew."""
        sums = self.sums()
        self._sums = {}
        count, steps = sums.pop("count"), sums.pop("steps")
        lr, norm = sums.pop("lr"), sums.pop("grad_norm")
        correct = sums.pop("correct")
        averages = {name: value / count for name, value in sums.items()}
        return averages | {
            "accuracy": correct / count,
            "lr": lr,
            "grad_norm": norm / steps,
        }


class Meter:
    """Speed, share of the time spent waiting for data, and time left."""

    def __init__(self, clips_per_step: int):
        self._clips = clips_per_step
        self.restart()

    def restart(self) -> None:
        """Forgets the time since the last line: what went by was no training."""
        self._start, self._steps, self._waited = time.perf_counter(), 0, 0.0

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts the time inside as waiting for data, and as the start of a step."""
        start = time.perf_counter()
        yield
        self._waited += time.perf_counter() - start
        self._steps += 1

    def take(self, steps_left: int) -> dict[str, float]:
        """Returns clips_per_s, data_wait and seconds_left, and starts anew."""
        seconds = max(time.perf_counter() - self._start, 1e-9)
        result = {
            "clips_per_s": self._steps * self._clips / seconds,
            "data_wait": self._waited / seconds,
            "seconds_left": steps_left * seconds / max(self._steps, 1),
        }
        self.restart()
        return result


class MetricsLog:
    """Writes metrics.jsonl and TensorBoard events of a run.

    Lines of steps after ``start_step`` are removed: they are of a run that was
    interrupted after its last checkpoint, and will come again. So are damaged ones; the
    file with them stays as metrics.jsonl.damaged.

    Args:
      folder: of the run.
      start_step: the step that was restored, 0 at the start.
      config_text: written to config.txt, for people.
      enabled: False on all processes but one; nothing is written then.
      evaluation_owed: an evaluation's line of ``start_step`` will come again, too.

    Raises:
      UserError: here and in every method, if the disk is full or read-only.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        start_step: int,
        config_text: str = "",
        enabled: bool = True,
        evaluation_owed: bool = False,
    ):
        self._folder = folder
        self._file: Any = None
        self._board: Any = None
        if not enabled:
            return
        with self._writing():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "config.txt").write_text(config_text)
            path = folder / METRICS_FILE
            rows, damaged = _read(path)
            if damaged:
                _keep_copy(path, damaged)
            kept = [row for row in rows if row["step"] <= start_step]
            if evaluation_owed and kept and _is_evaluation(kept[-1], start_step):
                kept.pop()
            temporary = path.with_suffix(".tmp")
            with temporary.open("w") as file:
                file.write("".join(json.dumps(row) + "\n" for row in kept))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            self._board = _Board(folder / "tensorboard", start_step + 1)
            # Unbuffered, in bytes: a line that fails is not tried again at the end.
            self._file = path.open("ab", buffering=0)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Appends one line of numbers."""
        if self._file is None:
            return
        with self._writing():
            line = (json.dumps({"step": step, **values}) + "\n").encode()
            if self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._board.add(step, values)

    def sync(self) -> None:
        """Forces what was written to disk; called before a checkpoint is saved."""
        if self._file is not None:
            with self._writing():
                os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes both."""
        if self._file is not None:
            self.sync()
            self._file.close()
            self._board.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Turns what the system says of the disk into an error that a person can mend.

        After it nothing more is written: half a line may stand there, which the next
        run removes.
        """
        try:
            yield
        except OSError as error:
            for opened in filter(None, (self._file, self._board)):
                with contextlib.suppress(OSError):
                    opened.close()
            self._file = None
            raise errors.UserError(
                f"The run's numbers could not be written to {self._folder}: "
                f"{error.strerror or error}. Make room there; the same command then "
                "continues from the last checkpoint, and nothing is lost. Or choose "
                "another --workdir."
            ) from error


class _Board:
    """TensorBoard's events, written at once by whoever calls.

    TensorBoardX has a thread write them; where the disk is full that thread dies, and
    the training then waits for it for ever.
    """

    def __init__(self, folder: pathlib.Path, first_step: int):
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}"
        self._writer = RecordWriter(str(folder / f"{name}.{os.getpid()}"))
        self._write(event_pb2.Event(file_version="brain.Event:2"))
        # Tells TensorBoard to forget what an interrupted run wrote of these steps.
        start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._write(event_pb2.Event(step=first_step, session_log=start))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Writes numbers by their names."""
        summary = summary_pb2.Summary()
        for name, value in values.items():
            summary.value.add(tag=name, simple_value=value)
        self._write(event_pb2.Event(step=step, summary=summary))
        self._writer.flush()

    def close(self) -> None:
        """Closes the file."""
        self._writer.close()

    def _write(self, event: Any) -> None:
        event.wall_time = time.time()
        self._writer.write(event.SerializeToString())


def evaluations_since_best(folder: pathlib.Path, metric: str) -> int:
    """Returns how many evaluations of a run were no better than its best one so far."""
    name = f"eval/{metric}"
    values = [row[name] for row in read_history(folder) if row.get(name) is not None]
    return len(values) - 1 - values.index(max(values)) if values else 0


def read_history(folder: pathlib.Path) -> list[dict[str, Any]]:
    """Reads the lines of metrics.jsonl that are whole."""
    return _read(folder / METRICS_FILE)[0]


def _read(path: pathlib.Path) -> tuple[list[dict[str, Any]], int]:
    """Returns the whole lines, and the number of damaged ones.

    A last line that is not whole is no damage: an interruption cut it off.
    """
    lines = path.read_bytes().removesuffix(b"\n").split(b"\n") if path.is_file() else []
    rows = [_row(line) for line in lines]
    if rows and rows[-1] is None:
        rows.pop()
    whole = [row for row in rows if row is not None]
    return whole, len(rows) - len(whole)


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    fits = isinstance(row, dict) and isinstance(row.get("step"), int)
    return row if fits else None


def _is_evaluation(row: Mapping[str, Any], step: int) -> bool:
    return row["step"] == step and any(name.startswith("eval/") for name in row)


def _keep_copy(path: pathlib.Path, damaged: int) -> None:
    """Copies a damaged file to the first free name beside it, and says so."""
    names = (path.with_name(f"{path.name}.damaged{n or ''}") for n in itertools.count())
    kept = next(name for name in names if not name.exists())
    shutil.copyfile(path, kept)
    print(f"{damaged} damaged lines of {path} are left out; {kept} keeps all.")


def train_line(step: int, total: int, values: Mapping[str, float]) -> str:
    """Returns the progress line."""
    return (
        f"step {step}/{total}  epoch {values['epoch']:.2f}  loss {values['loss']:.4f}  "
        f"accuracy {values['accuracy']:.1%}  lr {values['lr']:.3g}  "
        f"{values['clips_per_s']:.1f} clips/s  data wait {values['data_wait']:.0%}  "
        f"left {duration(values['seconds_left'])}"
    )


def eval_line(values: Mapping[str, float]) -> str:
    """Returns the evaluation's numbers in words."""
    text = (
        f"top-1 {values['top1']:.2%}  top-5 {values['top5']:.2%}  "
        f"mean class {values['mean_class_accuracy']:.2%}  loss {values['loss']:.4f}"
    )
    for name, share in values.items():
        if name.startswith("top1/"):
            text += f"  {name.removeprefix('top1/')} {share:.2%}"
    if (cost := values.get("expected_cost")) is not None:
        text += f"  streams run {cost:.1%}"
    if (unknown := values.get("uncertainty")) is not None:
        text += f"  uncertainty {unknown:.1%}"
    for kind in ("frame", "region"):
        if (recall := values.get(f"{kind}_recall")) is not None:
            chance = values[f"{kind}_chance"]
            text += f"  {kind} recall {recall:.1%} (chance {chance:.1%})"
    return text


def duration(seconds: float) -> str:
    """Returns 45 -> "45 s", 150 -> "2 min", 9000 -> "2.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
