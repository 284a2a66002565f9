"""Trains and tests one experiment on every fold of its data, and reports all of them.

python crossvalidate.py --config configs/infar.py --folds person
python crossvalidate.py --config configs/infar.py --folds day --num_folds 5

Every clip of the protocol, whatever its split, is tested once, by the network that was
trained on the other folds; no person (recording, day) is on both sides. The folds are
runs in WORKDIR/fold_1, ..., and what is finished is not done again: interrupted, the
same command continues. WORKDIR/report is of all clips together: the pooled confusion
matrix, and mean and spread over folds. Exit codes: see `jaxact.errors`.
"""

import dataclasses
import pathlib

from absl import flags

import evaluate
from input_pipeline import pipeline
from input_pipeline.config import DataConfigError
from input_pipeline.dataset import DatasetError
from jaxact import config as config_lib
from jaxact.batch import Data
from jaxact.checkpoints.files import find, read_sealed
from jaxact.devices import distributed
from jaxact.devices.distributed import say
from jaxact.report import Evaluation, folds, output, predictions, write_report
from jaxact.run import checks, commandline
from train import train

FOLDS = flags.DEFINE_enum(
    "folds", "person", ["person", "recording", "day", "clip"], "What stays together."
)
# By which checkpoint of every fold, and where the report lies.
REPORTS = {"last": "report", "best": "report_best"}
NUM_FOLDS = flags.DEFINE_integer("num_folds", 0, "How many [0: one a person, ...].")


def crossvalidate(
    experiment: config_lib.Experiment,
    workdir: pathlib.Path,
    by: str,
    number: int = 0,
    data: Data = pipeline,
    checkpoint: str = "last",
) -> Evaluation | None:
    """Trains and tests every fold that is not done yet; returns them as one evaluation.

    Of several processes the main one alone, which writes the folds' reports, reads
    them and has something to return: others may see its files a minute later.

    Raises:
      UserError: see its message.
    """
    first = of_fold(experiment, by, number, 1)
    with distributed.raise_on_all():
        facts = data.dataset_facts(first.data)
    say(f"{facts.folds} folds of {facts.name} by {by}, a run each.")
    parts = []
    for fold in range(1, facts.folds + 1):
        spec, folder = of_fold(experiment, by, number, fold), workdir / f"fold_{fold}"
        say(f"\nFold {fold} of {facts.folds}: {folder}")
        report = folder / REPORTS[checkpoint]
        if not is_done(spec, folder, report, data):
            train(spec, folder, data)
            found = find(folder, checkpoint, spec.eval.best_metric)
            tested = evaluate.evaluate(spec, *found, data)
            if distributed.is_main():
                write_report(report, tested)
        if distributed.is_main():
            parts.append(predictions.read(report))
    if not distributed.is_main():
        return None
    pooled = folds.pool(experiment, parts, f"of each fold the {checkpoint} one", by)
    return dataclasses.replace(pooled, values=facts.values)


def of_fold(
    experiment: config_lib.Experiment, by: str, number: int, fold: int
) -> config_lib.Experiment:
    """Returns the experiment on one fold."""
    data = dataclasses.replace(experiment.data, folds=by, num_folds=number, fold=fold)
    spec = dataclasses.replace(experiment.eval, split="test")
    return dataclasses.replace(experiment, data=data, eval=spec)


def is_done(
    spec: config_lib.Experiment,
    folder: pathlib.Path,
    report: pathlib.Path,
    data: Data,
) -> bool:
    """Whether a fold was trained and tested, as it is to be now.

    Raises:
      UserError: it was trained by another config, or on other data.
    """
    if not distributed.broadcast_from_main((report / "report.html").exists()):
        return False
    checkpoints, step = find(folder)
    with distributed.raise_on_all():
        stored = read_sealed(checkpoints, step)["meta"]
        facts = data.dataset_facts(spec.data)
        now = dataclasses.replace(spec.data, version=facts.version)
        spec = dataclasses.replace(spec, data=now)
        checks.check_same_config(stored["config"], spec, str(folder))
        checks.check_same_data(
            stored.get("data"), checks.data_identity(facts), str(folder)
        )
    return True


def main() -> None:
    """Reads the flags, trains all folds and writes the report."""
    distributed.initialize()
    experiment, workdir = commandline.experiment(), commandline.workdir()
    if evaluate.SPLIT.value or evaluate.CHECKPOINT.value not in REPORTS:
        raise config_lib.ConfigError(
            "Every fold is tested on its own clips: --split cannot be chosen, and "
            f"--checkpoint is {' or '.join(REPORTS)}."
        )
    checkpoint = evaluate.CHECKPOINT.value
    out = pathlib.Path(evaluate.OUT.value or workdir / REPORTS[checkpoint])
    output.check(out)
    found = crossvalidate(
        experiment, workdir, FOLDS.value, NUM_FOLDS.value, checkpoint=checkpoint
    )
    if found is not None:
        page = write_report(out, found)
        say(f"{folds.table(found)}\nReport: {page}")


if __name__ == "__main__":
    commandline.run(main, DatasetError, DataConfigError)
