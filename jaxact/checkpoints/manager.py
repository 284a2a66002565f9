"""Checkpoints: saved in the background, restored into whatever devices there are.

The only file that imports Orbax. A run's folder ``checkpoints/`` holds a folder a
step with ``state`` (the arrays), ``meta`` (step, epoch, config text, fingerprints)
and, once it is evaluated, its metrics. The latest few are kept, and the best one. A
save appears under its name only once it is whole; what an interruption leaves is never
read.

Where several processes run together they agree on everything that decides what is
done: the main one says which steps there are and which is best, and what one of them
cannot read none of them takes. Every public method must therefore be called by all.
"""

import contextlib
import gc
import json
import logging
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import jax
import numpy as np
import orbax.checkpoint as ocp

from jaxact import errors
from jaxact.checkpoints import files, fingerprint, trees
from jaxact.devices import distributed
from jaxact.state import State

Meta = dict[str, Any]
# In a state's tree: the averages of what is trained, see `jaxact.state.AveragedState`.
AVERAGES = "ema"
# What TensorStore and Orbax raise where a disk is full, read-only or gone.
WRITE_ERRORS = (OSError, ValueError, RuntimeError)
# Errors that say nothing of what the files hold: another try may succeed.
_GONE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_PASSING = (
    *("RESOURCE_EXHAUSTED", "PERMISSION_DENIED", "UNAVAILABLE", "DEADLINE_EXCEEDED"),
    *("Permission denied", "Input/output error", "Stale file handle"),
)
_T = TypeVar("_T")


class DamagedError(errors.UserError):
    """A checkpoint that is not what was saved."""


class Checkpoints:
    """The checkpoints of one run.

    Args:
      folder: where they are; created at the first save.
      metric: name of the evaluation metric by which one is best (more is better).
      keep: how many of the latest are kept besides the best.
      read_only: for looking at another run; nothing is created, moved or removed.
    """

    def __init__(
        self,
        folder: pathlib.Path | str,
        metric: str = "top1",
        keep: int = 2,
        read_only: bool = False,
    ):
        self.folder = pathlib.Path(folder).absolute()
        self._read_only = read_only
        self._keep = _Keep(self._best_of, max(keep, 1))
        try:
            self._manager = ocp.CheckpointManager(
                self.folder,
                options=ocp.CheckpointManagerOptions(
                    preservation_policy=self._keep,
                    read_only=read_only,
                ),
                item_handlers={
                    "state": ocp.StandardCheckpointHandler(),
                    "meta": ocp.JsonCheckpointHandler(),
                },
            )
        except OSError as error:
            raise errors.UserError(
                f"Checkpoints cannot be kept in {self.folder}: {error}. Choose a "
                "folder you may write to with --workdir."
            ) from error
        self._metric = metric
        found = [
            [step, files.read_metrics(self.folder, step)]
            for step in files.steps_in(self.folder)
        ]
        self._metrics: dict[int, dict[str, float]] = dict(
            distributed.broadcast_from_main(found)
        )

    def steps(self) -> list[int]:
        """Returns the steps that are there, in order."""
        return distributed.broadcast_from_main(files.steps_in(self.folder))

    def best_step(self) -> int | None:
        """Returns the step with the best metric, None where no step has one."""
        return self._best_of(self.steps())

    def _best_of(self, steps: list[int]) -> int | None:
        """Returns the best of the steps, the latest of equals."""
        known = {step: self._metrics.get(step, {}) for step in steps}
        return files.best(known, self._metric)

    def metrics(self, step: int) -> dict[str, float]:
        """Returns a step's metrics; none before it is evaluated."""
        return self._metrics.get(step, {})

    def save(self, state: State, meta: Meta) -> None:
        """Starts saving; the arrays may be donated as soon as this returns.

        A step without metrics, see `add_metrics`, is never the best one.
        """
        sealed: Meta = {"meta": meta, "arrays": fingerprint.of_tree(state)}
        sealed["digest"] = files.digest_of(sealed)
        self._metrics[meta["step"]] = {}
        items = ocp.args.Composite(
            state=ocp.args.StandardSave(state), meta=ocp.args.JsonSave(sealed)
        )
        try:
            self._manager.save(meta["step"], args=items, force=True)
        except WRITE_ERRORS as error:
            raise self._write_error(error) from error

    def add_metrics(self, step: int, metrics: Mapping[str, float]) -> None:
        """Gives a saved step the metrics of its evaluation.

        Of the steps that are there, those that need not be kept any more are removed.
        """
        self.wait()
        self._metrics[step] = dict(metrics)
        if distributed.is_main():
            path = self.folder / str(step) / files.METRICS_FILE
            try:
                part = path.with_suffix(".tmp")
                part.write_text(json.dumps(dict(metrics)))
                part.replace(path)
            except OSError as error:
                raise self._write_error(error) from error
        steps = sorted(self._manager.all_steps())
        for surplus in set(steps) - self._keep.kept(steps):
            self._manager.delete(surplus)

    def wait(self) -> None:
        """Waits until what is being saved is on disk; a failed save raises here."""
        try:
            self._manager.wait_until_finished()
        except WRITE_ERRORS as error:
            raise self._write_error(error) from error

    def close(self) -> None:
        """Waits and releases the folder."""
        self.wait()
        self._manager.close()

    def meta(self, step: int) -> Meta:
        """Reads what was stored beside the state.

        Raises:
          DamagedError: it is not what was stored.
        """
        return self._sealed(step)["meta"]

    def _sealed(self, step: int) -> dict[str, Any]:
        """Reads metadata ("meta") and the arrays' fingerprints ("arrays")."""
        return self._read(step, lambda: files.read_sealed(self.folder, step))

    def _check_arrays(self, step: int, arrays: Any) -> None:
        """Compares a restored state, or a part of one, with what was saved.

        Raises:
          DamagedError: they are not the same.
        """
        stored = self._sealed(step)["arrays"]

        def compare() -> None:
            if stored and (wrong := fingerprint.differing(arrays, stored)):
                raise ValueError(f"{wrong[0]} is not the array that was saved")

        self._read(step, compare)

    def restore(self, step: int, abstract: State) -> State:
        """Restores one step onto the devices that ``abstract`` names.

        Raises:
          DamagedError: not everything is there that was saved.
          UserError: the checkpoint is of another model, or cannot be read now.
        """
        path = self.folder / str(step)

        def read() -> State:
            # Without Orbax's manager, whose barriers a failed read does not come to.
            with contextlib.closing(ocp.StandardCheckpointHandler()) as handler:
                tree = handler.metadata(path / "state").tree
                wanted = {
                    "params": abstract.params,
                    "batch_stats": abstract.batch_stats,
                }
                trees.check_same_shapes(tree, wanted, str(path))
                arguments = ocp.args.StandardRestore(abstract)
                return handler.restore(path / "state", args=arguments)

        state = self._read(step, read)
        self._check_arrays(step, state)
        return state

    def _read(self, step: int, read: Callable[[], _T]) -> _T:
        """Reads on all processes; where one fails, all raise.

        Raises:
          DamagedError: what was read is not what was saved.
          UserError: that cannot be told, or what ``read`` says to a person.
        """
        failed: errors.UserError | None = None
        try:
            with _quietly():
                result = read()
        except errors.UserError as error:
            failed = error
        except Exception as error:  # damaged files make Orbax raise almost anything
            failed = self._read_error(step, error)
            failed.__cause__ = error
        damaged = isinstance(failed, DamagedError)
        if distributed.any_process(failed is not None and not damaged):
            raise (None if damaged else failed) or errors.UserError(
                f"Another process cannot read {self.folder / str(step)}; it says why."
            )
        if distributed.any_process(damaged):
            raise failed or DamagedError(
                f"{self.folder / str(step)} is damaged where another process reads it."
            )
        return result

    def _read_error(self, step: int, error: Exception) -> errors.UserError:
        path, steps = self.folder / str(step), files.steps_in(self.folder)
        if _is_passing(error):
            return errors.UserError(
                f"The checkpoint {path} cannot be read now "
                f"({errors.first_line(error)}). It may be whole, so nothing was "
                "changed: see that this user may read it, that its disk answers and "
                "that memory is free, and run the same "
                f"command again. If it is lost, rename it to {path.name}.unreadable, "
                f"and another is used; there are {steps}."
            )
        return DamagedError(
            f"The checkpoint {path} cannot be read; it is damaged or was not copied "
            f"whole ({errors.first_line(error)}). Use another one: "
            f"{self.folder} has the steps {steps}."
        )

    def restore_weights(self, step: int, abstract: Mapping[str, Any]) -> dict[str, Any]:
        """Restores "params" and "batch_stats" alone, whatever the optimiser was.

        Of a training that averaged them, the averages. ``abstract`` has both, too.

        Raises:
          DamagedError: it cannot be read.
          UserError: the checkpoint is of another model.
        """
        return {"batch_stats": {}, **self._weights(step, abstract)}

    def read_arrays(self, step: int) -> dict[str, Any]:
        """Reads what `restore_weights` does as it was stored, as arrays of NumPy.

        Raises:
          DamagedError: it cannot be read.
        """
        return self._weights(step, None)

    def _weights(self, step: int, abstract: Mapping[str, Any] | None) -> dict[str, Any]:
        path = self.folder / str(step)
        whole = ocp.RestoreArgs(restore_type=np.ndarray)

        def read() -> Any:
            with contextlib.closing(ocp.PyTreeCheckpointHandler()) as handler:
                tree = handler.metadata(path / "state").tree
                stored = tree.get(AVERAGES, tree)
                if abstract is not None:
                    trees.check_same_shapes(stored, abstract, str(path))
                source = stored if abstract is None else abstract
                # An empty tree is no part of a checkpoint's tree for Orbax.
                kinds = ("params", "batch_stats")
                asked = {name: source[name] for name in kinds if source.get(name)}
                asked = {AVERAGES: asked} if AVERAGES in tree else asked
                how = jax.tree.map(lambda _: whole, asked)
                if abstract is not None:
                    how = ocp.checkpoint_utils.construct_restore_args(asked)
                arguments = ocp.args.PyTreeRestore(
                    asked, restore_args=how, partial_restore=True
                )
                return handler.restore(path / "state", args=arguments)

        weights = self._read(step, read)
        self._check_arrays(step, weights)
        return weights.get(AVERAGES, weights)

    def restore_latest(self, abstract: State) -> tuple[State, Meta] | None:
        """Restores the newest step that can be read; None where there is no step.

        Damaged steps are reported and set aside as ``STEP.unreadable``.

        Raises:
          UserError: the newest is of another model, or none can be read.
        """
        damaged = []
        for step in reversed(self.steps()):
            try:
                restored = self.restore(step, abstract), self.meta(step)
            except DamagedError as error:
                reason = errors.first_line(error.__cause__ or error)
                if distributed.is_main():
                    print(f"Checkpoint {step} is damaged and left out: {reason}")
                damaged.append(step)
                continue
            self._set_aside(damaged)
            return restored
        if damaged:
            raise errors.UserError(
                f"None of the checkpoints {damaged[::-1]} in {self.folder} can be "
                "read. Restore the folder from a copy, or remove it to start anew."
            )
        return None

    def _set_aside(self, damaged: list[int]) -> None:
        if self._read_only or not damaged:
            return
        failed: OSError | None = None
        if distributed.is_main():
            try:
                for step in damaged:
                    path = self.folder / str(step)
                    path.rename(files.free_name(path.with_name(f"{step}.unreadable")))
            except OSError as error:
                failed = error
        if distributed.any_process(failed is not None):
            raise errors.UserError(
                f"The damaged checkpoints {damaged[::-1]} in {self.folder} cannot be "
                f"renamed to STEP.unreadable ({failed or 'the main process says why'})"
                ". Do that, or choose another --workdir."
            )
        self._manager.reload()

    def _write_error(self, error: Exception) -> errors.UserError:
        return errors.UserError(
            f"The checkpoint could not be written to {self.folder}: "
            f"{errors.first_line(error)}. Make room there, or choose another "
            "--workdir; the same command then continues from the last whole one, of "
            f"{files.steps_in(self.folder)}."
        )


class _Keep:
    """Orbax's policy of which steps stay: the latest, and the best by our metrics."""

    def __init__(self, best: Callable[[list[int]], int | None], latest: int):
        self._best, self._latest = best, latest

    def should_preserve(self, checkpoints: Any, *, context: Any) -> list[bool]:
        del context
        kept = self.kept([info.step for info in checkpoints])
        return [info.step in kept for info in checkpoints]

    def kept(self, steps: list[int]) -> set[int | None]:
        """Returns those of the steps that stay."""
        return {*sorted(steps)[-self._latest :], self._best(steps)}


def _is_passing(error: BaseException) -> bool:
    """Says whether an error tells of the machine, not of what the files hold."""
    if isinstance(error, OSError) and not isinstance(error, _GONE):
        return True
    text = f"{type(error).__name__}: {error}"
    return isinstance(error, MemoryError) or any(word in text for word in _PASSING)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keeps reads that Orbax leaves behind when one fails from printing tracebacks.

    The failure itself is raised and reported; only its echoes are not.
    """
    hook = sys.unraisablehook
    sys.unraisablehook = lambda _: None
    try:
        yield
    except Exception:
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        gc.collect()  # the abandoned reads end here, not later
        raise
    finally:
        sys.unraisablehook = hook
