"""One process of a run of several; started by tests/devices/test_distributed.py.

python -m tests.worker FOLDER TASK...

JAX's own variables say which process this is (see
`jaxact.devices.distributed.initialize`) and how many devices it has. What each task
returns is pickled as FOLDER/TASK.PROCESS.
"""

import os
import pathlib
import pickle
import signal
import sys
import time

import jax
import numpy as np

import crossvalidate
import evaluate
import train
from jaxact import errors
from jaxact.checkpoints import files, manager
from jaxact.devices import distributed
from jaxact.run import log, program, robustness, session
from tests import tiny
from tests.run.test_robustness import TwoConfig, TwoData

# 2.5 steps an epoch; norm and dropout need all rows of the global batch; the kernels
# are large enough to be divided; 11 clips divide by neither 2 nor 3 hosts. The rate is
# so small that there is something left to learn, and to differ in, at every step.
CHANGES = {
    "train.epochs": 2.4,
    "train.log_every": 1,
    "train.checkpoint_every": 1,
    "train.keep": 20,
    "eval.batch_size": 3,
    "eval.pictures": 3,
    "model.norm": True,
    "model.dropout": 0.3,
    "model.width": 2**13,
    "optim.lr": 1e-3,
}
TEST_CLIPS = 11


class Stop(Exception):
    """Ends a run as a crash would, after so many steps."""


def experiment(**changes):
    return tiny.experiment(**CHANGES | changes)


def data(on_batch=None):
    return tiny.TinyData(test=TEST_CLIPS, on_batch=on_batch)


def history(folder):
    """Returns the numbers of every step."""
    names = ("step", "loss", "grad_norm", "accuracy", "eval/loss", "eval/top1")
    rows = log.read_history(folder)
    return [{k: row[k] for k in names if k in row} for row in rows]


def parameters(folder, **changes):
    """Returns the whole state of the last step, as numpy arrays on every process."""
    config = experiment(**changes)
    mesh = distributed.make_mesh(config.train.fsdp)
    plan = program.make_plan(config.train, 20)
    abstract = program.make_program(config, mesh, plan).abstract
    stored = manager.Checkpoints(folder / "checkpoints", read_only=True)
    state = stored.restore(stored.steps()[-1], abstract)
    stored.close()
    return distributed.to_host(state)


def evaluated(folder, **changes):
    """Evaluates the run in FOLDER/whole."""
    found, step = files.find(folder / "whole")
    result = evaluate.evaluate(experiment(**changes), found, step, data())
    names = ("ids", "scores", "loss", "selection")
    pictures = [example["name"] for example in result.examples]
    return {name: getattr(result, name) for name in names} | {"pictures": pictures}


def whole(folder, **changes):
    """Trains in FOLDER/whole and evaluates; returns all there is to compare."""
    train.train(experiment(**changes), folder / "whole", data())
    stored = manager.Checkpoints(folder / "whole" / "checkpoints", read_only=True)
    return evaluated(folder, **changes) | {
        "history": history(folder / "whole"),
        "steps": stored.steps(),
        "state": parameters(folder / "whole", **changes),
    }


def divided(folder):
    """The same with the state divided over all devices, across processes."""
    return whole(folder, **{"train.fsdp": jax.device_count()})


def terminated(folder):
    """SIGTERM to the last process alone; then the same command again.

    Returns both runs' states, that one's and that of a run left alone.
    """
    changes = {"train.epochs": 24.0, "train.eval_every": 0.0}
    changes["train.checkpoint_every"] = 0  # it is the signal that saves

    def slowly(number):
        if number == 2 and jax.process_index() == jax.process_count() - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.2)  # real steps are no faster; the processes have to agree

    def at_once(number):  # before the first step of a run that is continued
        del number
        if not sent and jax.process_index() == jax.process_count() - 1:
            sent.append(os.kill(os.getpid(), signal.SIGTERM))

    sent: list[None] = []
    train.train(experiment(**changes), folder / "left_alone", data())
    codes, steps = [], []
    for send in (slowly, at_once):
        try:
            train.train(experiment(**changes), folder / "terminated", data(send))
        except SystemExit as stop:
            codes.append(stop.code)
        path = folder / "terminated" / "checkpoints"
        steps.append(manager.Checkpoints(path, read_only=True).steps())
    result = {"codes": codes, "steps": steps}
    train.train(experiment(**changes), folder / "terminated", data())
    for name in ("terminated", "left_alone"):
        result[name] = history(folder / name), parameters(folder / name, **changes)
    return result


def folds(folder):
    """Cross-validates; returns what the main process has of it, and the exit codes.

    In several processes the last one gets SIGTERM in the second fold.
    """
    seen, codes = [], []

    def terminate(number):
        seen.append(number)
        last = jax.process_index() == jax.process_count() - 1 > 0
        if len(seen) == 8 and last:
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1 * (jax.process_count() > 1))

    changes = {"train.epochs": 2.4, "train.eval_every": 0.0}
    spec, found = experiment(**changes), None
    for _ in range(2):
        try:
            found = crossvalidate.crossvalidate(
                spec,
                folder / "folds",
                "person",
                data=tiny.FoldedData(on_batch=terminate),
            )
            codes.append(0)
        except SystemExit as stop:
            codes.append(stop.code)
    kept = ("ids", "scores", "labels", "folds")
    return {"codes": codes, "found": found and {k: getattr(found, k) for k in kept}}


def harmed(folder):
    """What the last process alone cannot read of the newest step, none takes.

    Returns the steps that are restored where it finds damage, then where its disk does
    not answer, and what is said of that.
    """
    train.train(experiment(), folder / "harmed", data())
    config = experiment()
    plan = program.make_plan(config.train, 20)
    abstract = program.make_program(config, distributed.make_mesh(), plan).abstract
    handler = manager.ocp.StandardCheckpointHandler
    whole = handler.restore
    result = {}
    for kind in (PermissionError(13, "Permission denied"), ValueError("DATA_LOSS")):

        def fail(self, directory, args, kind=kind):
            last = jax.process_index() == jax.process_count() - 1
            if directory.parent.name == "6" and last:
                raise kind
            return whole(self, directory, args=args)

        stored = manager.Checkpoints(folder / "harmed" / "checkpoints")
        handler.restore = fail
        try:
            state, meta = stored.restore_latest(abstract)
            result[type(kind)] = (int(state.step), meta["step"], stored.steps())
        except errors.UserError as error:
            result[type(kind)] = str(error)
        handler.restore = whole
        stored.close()
    return result


def failing(folder):
    """What a model of two streams does when one fails, in half of the clips."""
    del folder  # nothing is kept
    spec = experiment()
    spec.model = TwoConfig()
    opened = session.open_evaluation(spec, TwoData(test=TEST_CLIPS))
    variables = jax.tree.map(np.asarray, opened.network.init(jax.random.key(0)))
    names = ("missing", "black", "noisy")
    return robustness.measure(opened, variables, names, clips=0.5)


def crashed(folder):
    """The last process meets a record that it cannot read; ends by a user error."""

    def fail(number):
        if number == 3 and jax.process_index() == jax.process_count() - 1:
            raise errors.UserError("The record is damaged.")

    errors.friendly(train.train)(experiment(), folder / "crashed", data(fail))


def unmounted(folder):
    """The last process does not find the data set."""

    class Missing(tiny.TinyData):
        def dataset_facts(self, data):
            if jax.process_index() == jax.process_count() - 1:
                raise errors.UserError("There is no data set.")
            return super().dataset_facts(data)

    errors.friendly(train.train)(experiment(), folder / "unmounted", Missing())


def chain(folder):
    """One run, carried on by 8, 4, 1 and 8 devices, the state divided or not."""
    folder = folder / "chain"
    stages = [(8, 1, 2), (4, 2, 3), (1, 1, 5), (8, 4, None)]
    make_mesh, shapes, seen = distributed.make_mesh, [], []
    for devices, fsdp, until in stages:

        def mesh(size=1, devices=devices):
            return make_mesh(size, jax.devices()[:devices])

        def crash(number, until=until):
            if number == until:
                raise Stop
            seen.append(number)

        distributed.make_mesh = mesh
        try:
            train.train(experiment(**{"train.fsdp": fsdp}), folder, data(crash))
        except Stop:
            pass
        shapes.append((devices, fsdp))
    distributed.make_mesh = make_mesh
    return {"history": history(folder), "batches": seen, "state": parameters(folder)}


def main() -> None:
    distributed.initialize()
    folder = pathlib.Path(sys.argv[1])
    for task in sys.argv[2:]:
        result = globals()[task](folder)
        path = folder / f"{task}.{jax.process_index()}"
        path.write_bytes(pickle.dumps(result))


if __name__ == "__main__":
    main()
