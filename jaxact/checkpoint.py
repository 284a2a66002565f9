"""Checkpoints: saved in the background, restored into whatever devices there are.

The only file that imports Orbax. A run's folder ``checkpoints/`` holds a folder a
step with ``state`` (the arrays), ``meta`` (step, epoch, config text, metrics) and
``metrics``. The latest few are kept, and the best one. A save appears under its name
only once it is whole; what an interruption leaves is never read.
"""

import contextlib
import gc
import hashlib
import json
import logging
import pathlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import orbax.checkpoint as ocp
from flax import traverse_util

from jaxact import distributed, errors, fingerprint
from jaxact.steps import State

Meta = dict[str, Any]
Path = tuple[str, ...]  # names down to a module or a parameter
# What TensorStore and Orbax raise where a disk is full, read-only or gone.
WRITE_ERRORS = (OSError, ValueError, RuntimeError)


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

        def value(metrics: Mapping[str, float]) -> float:
            return metrics[metric]

        policies = ocp.checkpoint_managers
        best = policies.BestN(
            get_metric_fn=value, n=1, keep_checkpoints_without_metrics=False
        )
        policy = policies.AnyPreservationPolicy([policies.LatestN(max(keep, 1)), best])
        try:
            self._manager = ocp.CheckpointManager(
                self.folder,
                options=ocp.CheckpointManagerOptions(
                    best_fn=value,
                    best_mode="max",
                    preservation_policy=policy,
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

    def steps(self) -> list[int]:
        """Returns the steps that are there, in order."""
        return sorted(self._manager.all_steps())

    def best_step(self) -> int | None:
        """Returns the step with the best metric, None where no step has one."""
        return self._manager.best_step()

    def save(self, state: State, meta: Meta, metrics: Mapping[str, float]) -> None:
        """Starts saving; the arrays may be donated as soon as this returns.

        ``metrics`` may be empty; a step without metrics is never the best one.
        """
        sealed: Meta = {"meta": meta, "arrays": fingerprint.of_tree(_weighty(state))}
        sealed["digest"] = _digest(sealed)
        items = ocp.args.Composite(
            state=ocp.args.StandardSave(state), meta=ocp.args.JsonSave(sealed)
        )
        try:
            self._manager.save(
                meta["step"], args=items, metrics=dict(metrics) or None, force=True
            )
        except WRITE_ERRORS as error:
            raise self._write_error(error) from error

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
        items = ocp.args.Composite(meta=ocp.args.JsonRestore())
        with self._reading(step):
            sealed = self._manager.restore(step, args=items)["meta"]
            if "digest" not in sealed and "step" in sealed:  # of an earlier version
                return {"meta": sealed, "arrays": None}
            if sealed.pop("digest", None) != _digest(sealed):
                raise ValueError("its metadata are not those that were stored")
            return sealed

    def _check_arrays(self, step: int, weights: Any) -> None:
        """Compares restored arrays with the fingerprints of those that were saved.

        Raises:
          DamagedError: they are not the same.
        """
        stored = self._sealed(step)["arrays"]
        with self._reading(step):
            if stored and (wrong := fingerprint.differing(weights, stored)):
                raise ValueError(f"{wrong[0]} is not the array that was saved")

    def restore(self, step: int, abstract: State) -> State:
        """Restores one step onto the devices that ``abstract`` names.

        Raises:
          DamagedError: not everything is there that was saved.
          UserError: the checkpoint is of another model.
        """
        with self._reading(step):
            tree = self._manager.item_metadata(step)["state"].tree
            wanted = {"params": abstract.params, "batch_stats": abstract.batch_stats}
            check_same_shapes(tree, wanted, f"{self.folder / str(step)}")
            items = ocp.args.Composite(state=ocp.args.StandardRestore(abstract))
            state = self._manager.restore(step, args=items)["state"]
        self._check_arrays(step, _weighty(state))
        return state

    @contextlib.contextmanager
    def _reading(self, step: int) -> Iterator[None]:
        """Turns what Orbax raises at a damaged checkpoint into one error."""
        try:
            with _quietly():
                yield
        except errors.UserError:
            raise
        except Exception as error:  # damaged files make Orbax raise almost anything
            raise DamagedError(
                f"The checkpoint {self.folder / str(step)} cannot be read; it is "
                f"damaged or was not copied whole ({_first_line(error)}). Use another "
                f"one: {self.folder} has the steps {self.steps()}."
            ) from error

    def restore_weights(
        self, step: int, abstract: State, part: str = "all"
    ) -> tuple[Any, Any]:
        """Restores params and batch statistics alone, whatever the optimiser was.

        With ``part="backbone"`` only the modules whose names begin with "backbone" are
        read, and must fit; the result then holds nothing else. Those of streams that
        this model does not have are left out.

        Raises:
          DamagedError: it cannot be read.
          UserError: the checkpoint is of another model.
        """
        path = self.folder / str(step)
        wanted = {
            "params": _part(abstract.params, part),
            "batch_stats": _part(abstract.batch_stats, part),
        }
        # An empty tree is no part of a checkpoint's tree for Orbax.
        asked = {name: tree for name, tree in wanted.items() if tree}
        arguments = ocp.args.PyTreeRestore(
            asked,
            restore_args=ocp.checkpoint_utils.construct_restore_args(asked),
            partial_restore=True,
        )
        with self._reading(step):
            tree = self._manager.item_metadata(step)["state"].tree
            mine = _modules(wanted["params"], part)
            stored = {name: _part(tree.get(name) or {}, part, mine) for name in wanted}
            check_same_shapes(stored, wanted, str(path))
            with ocp.PyTreeCheckpointer() as checkpointer:
                weights = checkpointer.restore(path / "state", args=arguments)
        self._check_arrays(step, weights)
        return weights["params"], weights.get("batch_stats", {})

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
                reason = _first_line(error.__cause__ or error)
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
        if distributed.is_main():
            for step in damaged:
                path = self.folder / str(step)
                path.rename(path.with_name(f"{step}.unreadable"))
        distributed.wait_for_all("set damaged checkpoints aside")
        self._manager.reload()

    def _write_error(self, error: Exception) -> errors.UserError:
        return errors.UserError(
            f"The checkpoint could not be written to {self.folder}: "
            f"{_first_line(error)}. Make room there, or choose another --workdir; the "
            f"same command then continues from the last whole one, of {self.steps()}."
        )


def _part(tree: Any, part: str, modules: set[Path] | None = None) -> Any:
    """Returns the leaves below modules named backbone..., or all of them.

    With ``modules``, paths of such modules, below these only.
    """
    if part == "all":
        return tree
    flat = {
        path: leaf
        for path, leaf in traverse_util.flatten_dict(tree).items()
        if (module := _module(path, part)) and (modules is None or module in modules)
    }
    return traverse_util.unflatten_dict(flat)


def _modules(tree: Any, part: str) -> set[Path]:
    """Returns the paths of the modules of this name that hold the tree's leaves."""
    return {_module(path, part) for path in traverse_util.flatten_dict(tree)}


def _module(path: Path, part: str) -> Path:
    """Returns the path down to the first name that begins so; () where none does."""
    found = [i for i, name in enumerate(path, 1) if name.startswith(part)]
    return path[: found[0]] if found else ()


def check_same_shapes(stored: Any, wanted: Any, where: str) -> None:
    """Compares parameters and batch statistics with those of the model.

    Both are dicts with the trees "params" and "batch_stats".

    Raises:
      UserError: they differ; the message lists the first differences.
    """
    differences = []
    for name in ("params", "batch_stats"):
        have = _shapes(stored.get(name) or {})
        want = _shapes(wanted[name])
        for path in sorted(have.keys() | want.keys()):
            old, new = have.get(path, "missing"), want.get(path, "missing")
            if old != new:
                differences.append(f"  {name}/{path}: checkpoint {old}, model {new}")
    if differences:
        rest = len(differences) - 5
        listed = differences[:5] + ([f"  and {rest} more"] if rest > 0 else [])
        raise errors.UserError(
            f"{where} is a checkpoint of another model; these differ:\n"
            + "\n".join(listed)
            + "\nGive the config (and the overrides) it was trained with, or train "
            "anew in another --workdir."
        )


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    flat, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): tuple(leaf.shape)
        for path, leaf in flat
    }


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


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:160]}"


def _weighty(state: State) -> dict[str, Any]:
    """Returns the arrays of a state under the names of their trees."""
    return {
        "params": state.params,
        "batch_stats": state.batch_stats,
        "opt_state": state.opt_state,
    }


def _digest(meta: Meta) -> str:
    """Returns the checksum of what JSON gives back as it was."""
    return hashlib.sha256(json.dumps(meta, sort_keys=True).encode()).hexdigest()


def find(
    path: pathlib.Path | str, which: str = "last", metric: str = "top1"
) -> tuple[pathlib.Path, int]:
    """Finds a checkpoint from what a person typed.

    Args:
      path: a run's folder, its ``checkpoints`` folder, or one step's folder.
      which: "best" or, whatever else it says, the last, where the path is no step.
      metric: by which one is best.

    Returns:
      (folder of checkpoints, step).

    Raises:
      UserError: there is none.
    """
    path = pathlib.Path(path).absolute()
    if (path / "state").is_dir() and path.name.isdigit():
        return path.parent, int(path.name)
    folder = path / "checkpoints" if (path / "checkpoints").is_dir() else path
    if folder.is_dir():
        checkpoints = Checkpoints(folder, metric, read_only=True)
        steps, best = checkpoints.steps(), checkpoints.best_step()
        checkpoints.close()
        if steps:
            return folder, best if which == "best" and best is not None else steps[-1]
    raise errors.UserError(
        f"There is no checkpoint in {path}. Give the folder of a run (it contains "
        "checkpoints/), or of one step (checkpoints/STEP); `python train.py --config "
        "FILE` makes one."
    )
