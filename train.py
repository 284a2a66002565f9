"""Trains one experiment, and continues it when called again.

python train.py --config configs/demo_stafusion.py
python train.py --config configs/ntu_stafusion.py:protocol=xsub --config.optim.lr=0.01

The run's folder (--workdir, by default runs/NAME) holds checkpoints/, metrics.jsonl,
tensorboard/ and config.txt. SIGTERM and SIGINT save and leave; the same command then
continues. Exit codes: see `jaxact.errors`. With --compile_only, or --topology v5e:16x16
for a TPU one need not have, it only compiles and says what the step needs.
"""

import pathlib
import sys
from collections.abc import Iterator

import jax
from absl import flags

from input_pipeline import pipeline
from input_pipeline.config import DataConfigError
from input_pipeline.dataset import DatasetError
from jaxact import config as config_lib
from jaxact import errors
from jaxact.ahead_of_time import compile
from jaxact.batch import Batch, Data
from jaxact.checkpoints.manager import Checkpoints
from jaxact.devices import distributed
from jaxact.devices.distributed import say
from jaxact.run import checks, commandline, initialize
from jaxact.run import log as progress
from jaxact.run.session import open_training
from jaxact.run.stopping import Stopped, StopSignal
from jaxact.run.workdir import with_locked_workdir

COMPILE_ONLY = flags.DEFINE_bool("compile_only", False, "Say what the step needs.")
TOPOLOGY = flags.DEFINE_string("topology", "", "Of TPUs to compile for [those here].")


@with_locked_workdir
def train(
    experiment: config_lib.Experiment, workdir: pathlib.Path, data: Data = pipeline
) -> dict[str, float]:
    """Trains to the end, or until a signal; returns the last evaluation's numbers.

    Raises:
      SystemExit: a signal came; the state is saved.
      UserError: see its message.
    """
    config = experiment.train
    # Everything that can be wrong is found before anything is computed.
    opened = open_training(experiment, data)
    plan, program, split = opened.plan, opened.program, opened.experiment.eval.split
    say(initialize.start_table(opened))

    # Where to start: the run's own checkpoint, given weights, or the seed.
    folder, metric = workdir / "checkpoints", experiment.eval.best_metric
    checkpoints = Checkpoints(folder, metric, plan.keep)
    state, meta = initialize.start_state(experiment, opened, checkpoints)
    first = step = meta["step"]
    batches = opened.train_batches(step)
    text = config_lib.config_text(experiment)
    identity = checks.data_identity(opened.facts)

    def owes_evaluation() -> bool:
        return plan.evaluates(step) and not checkpoints.metrics(step)

    main, owed = distributed.is_main(), owes_evaluation()
    log = progress.MetricsLog(workdir, step, text, main, evaluation_owed=owed)
    window = progress.MetricsWindow(meta.get("window"))
    meter = progress.Meter(config.batch_size)

    def out_of_patience() -> bool:
        if not config.patience:
            return False
        since = progress.evaluations_since_best(workdir, metric)
        return distributed.broadcast_from_main(since) >= config.patience

    def evaluate_and_say(batches: Iterator[Batch]) -> dict[str, float]:
        metrics = opened.evaluate_split(state.variables, batches).metrics
        say(f"{split} after step {step}: {progress.eval_line(metrics)}")
        return metrics

    metrics: dict[str, float] = {}
    ended = out_of_patience()
    say(f"Compiling, then {plan.total_steps - step} steps to go.")
    try:
        with StopSignal(checkpoints.wait) as stop, jax.transfer_guard("disallow"):
            while True:
                if owes_evaluation():
                    metrics = evaluate_and_say(
                        stop.until_stopped(opened.eval_batches())
                    )
                    log.write(step, {f"eval/{k}": v for k, v in metrics.items()})
                    log.sync()
                    checkpoints.add_metrics(step, metrics)
                    meter.restart()
                    ended = out_of_patience()
                if ended or step >= plan.total_steps:
                    break
                with meter.waiting():
                    batch = distributed.put_batch(next(batches), opened.mesh)
                state, step_metrics = program.train_step(state, batch)
                step += 1
                epoch = step / plan.steps_per_epoch
                window.add(step, step_metrics)
                if step == first + 1:
                    meter.restart()  # that was the compiler's time
                if plan.logs(step):
                    values = {"epoch": epoch, **window.take()}
                    values |= meter.take(plan.total_steps - step)
                    log.write(step, values)
                    say(progress.train_line(step, plan.total_steps, values))
                # A machine about to be taken away has no time for an evaluation: what
                # is owed of a saved step is made up for by the next run.
                code = stop.exit_code(0 if plan.evaluates(step) else step)
                if plan.saves(step) or code is not None:
                    meta = {"step": step, "epoch": epoch, "config": text}
                    meta |= {"data": identity, "window": window.sums(), "split": split}
                    meta |= {"values": dict(opened.facts.values)}
                    log.sync()
                    checkpoints.save(state, meta)
                if code is not None:
                    raise Stopped(code)
    except Stopped as stopped:
        say(f"Stopped after step {step}; the same command continues.")
        sys.exit(stopped.code)
    except errors.NotFiniteError as error:
        raise error.advised(workdir, checkpoints.steps()) from None
    finally:
        checkpoints.close()
        log.close()
    if not metrics:  # the run was already at its end
        metrics = evaluate_and_say(opened.eval_batches())
    best = checkpoints.best_step()
    early = f" No better for {config.patience} evaluations." if ended else ""
    say(f"Done.{early} The best {metric} on {split} was that of step {best}.")
    return metrics


def main() -> None:
    """Reads the flags and trains."""
    if COMPILE_ONLY.value or TOPOLOGY.value:
        compile.report(commandline.experiment(), TOPOLOGY.value, say)
        return
    distributed.initialize()
    train(commandline.experiment(), commandline.workdir())


if __name__ == "__main__":
    commandline.run(main, DatasetError, DataConfigError)
