"""Command line of the library.

python -m jaxact ledger configs/ntu_stafusion.py                 # this config, by part
python -m jaxact ledger configs/ntu_stafusion.py model.depth=12
python -m jaxact table1                                  # STAFusion's; its fusions: 2
python -m jaxact table3                                          # DAM's; 4 and 6 too
python -m jaxact fuse runs/a runs/b --weights 2,1 --out fused    # average their scores
python -m jaxact compare runs/a runs/b --classes wave,clap   # is b better, where
python -m jaxact robustness --config configs/demo_infar.py --checkpoint best
python -m jaxact folder --config configs/demo_infar.py --checkpoint best --out model

`fuse` reads the predictions.npz that evaluate.py writes into a run's report, of models
of any family on the same clips, and writes a report of their average; `compare` tells
how much better the second of two is, with its 95 % interval, and where.
"""

import argparse
import importlib
import pathlib
import sys
from typing import Any

from jaxact import errors, model_folder
from jaxact.config import (
    ConfigError,
    Experiment,
    check_sizes,
    load_experiment,
    parse_overrides,
)
from jaxact.ledger import Ledger, ledger
from jaxact.models import dam_tables, stafusion_tables
from jaxact.report import compare, output, predictions, write_report
from jaxact.report import robustness as robustness_report
from jaxact.run.commandline import split_overrides

# Commands that print our counts next to a paper's.
TABLES = {
    "table1": (
        stafusion_tables.table_1,
        "STAFusion and its rivals next to the paper's",
    ),
    "table2": (stafusion_tables.table_2, "the fusions it is compared with"),
    "table3": (dam_tables.table_3, "DAM's relations next to the paper's Table 3"),
    "table4": (dam_tables.table_4, "DAM's blocks next to the paper's Table 4"),
    "table6": (dam_tables.table_6, "DAM x 1, 3, 6, 9, 12 next to the paper's"),
}


def count(experiment: Experiment, depth: int) -> Ledger:
    """Returns an experiment's ledger.

    Raises:
      ConfigError: a value of the config, or the depth, cannot be used.
    """
    if depth < 1:
        raise ConfigError(f"--depth is {depth}; expected 1 or more.")
    check_sizes(experiment.model)
    try:
        return ledger(experiment, depth)
    except Exception as error:  # layers find values that do not go together as they may
        text = " ".join(str(error).split())[:300]
        raise ConfigError(
            f"The model cannot be built with these values ({type(error).__name__}: "
            f"{text}). Change what you gave; `python -m jaxact ledger CONFIG` alone "
            "counts the config's own."
        ) from error


def fuse(paths: list[str], weights: str, out: str) -> str:
    """Writes the report of an average of scores; returns what to print.

    Raises:
      UserError: the weights are no numbers, or the predictions cannot be joined.
    """
    try:
        numbers = [float(word) for word in weights.split(",")] if weights else []
    except ValueError:
        raise errors.UserError(
            f"Got --weights {weights}; expected numbers with commas between them, for "
            "example --weights 2,1."
        ) from None
    parts = [predictions.read(path) for path in paths]
    evaluation = predictions.fuse(parts, numbers or [1.0] * len(parts))
    report = write_report(out, evaluation)
    return f"{predictions.table(evaluation)}\nReport: {report}"


def pipeline_of(data: Any) -> Any:
    """Returns the pipeline, which stands beside its config: the library knows none."""
    package = type(data).__module__.rpartition(".")[0]
    return importlib.import_module(f"{package}.pipeline")


def robustness(args: argparse.Namespace) -> str:
    """Writes the report of a model whose streams fail; returns what to print.

    Several processes evaluate together, as in evaluate.py; the main one reports.

    Raises:
      UserError: see its message.
    """
    # Only this command reads checkpoints, and Orbax takes a while to import.
    from absl import logging

    from jaxact.checkpoints import files
    from jaxact.devices import distributed
    from jaxact.run import failures, predictor, session
    from jaxact.run import robustness as measuring
    from jaxact.run.workdir import default_workdir

    logging.set_verbosity(logging.ERROR)  # Orbax tells what it does at "warning"
    distributed.initialize()
    experiment = load_experiment(args.config, args.overrides)
    names = [word.strip() for word in args.failures.split(",") if word.strip()]
    if args.failures and not names:
        raise ConfigError(f"--failures is {args.failures!r}; expected missing,noisy.")
    measuring.cases(experiment.model.inputs(), names)
    workdir = pathlib.Path(args.workdir) if args.workdir else None
    folder, step = predictor.find_checkpoint(
        experiment, model_folder.own_weights(args.config, args.checkpoint), workdir
    )
    # Beside the run's checkpoints; what else holds one (a model folder) is left alone.
    of_run = folder.name == "checkpoints"
    run = workdir or (folder.parent if of_run else default_workdir(experiment))
    out = pathlib.Path(args.out or run / "robustness")
    output.check(out)
    pipeline = pipeline_of(experiment.data)
    try:
        opened = session.open_evaluation(experiment, pipeline)
        network = opened.network
        variables = predictor.restore_weights(folder, step, network, experiment)
        rows = measuring.measure(opened, variables, names, args.frames, args.clips)
    except Exception as error:
        # The pipeline's own errors are meant for the person, as the library's are.
        if not type(error).__module__.startswith(pipeline.__package__):
            raise
        raise errors.UserError(str(error)) from error
    facts, split = opened.facts, experiment.eval.split
    found = {
        "experiment": experiment.name,
        "checkpoint": str(files.step_folder(folder, step)),
        "dataset": facts.title,
        "protocol": facts.protocol,
        "split": split,
        "clips": facts.num_clips[split],
        "classes": len(facts.classes),
        "share_of_frames": args.frames,
        "share_of_clips": args.clips,
        "failures": {k: x.about for k, x in failures.FAILURES.items()},
        "rows": rows,
    }
    if not distributed.is_main():
        return ""
    page = robustness_report.write(out, found)
    return f"{robustness_report.text(found)}\nReport: {page}"


def folder(args: argparse.Namespace) -> str:
    """Writes a checkpoint as a model folder; returns what to print.

    Raises:
      UserError: see its message.
    """
    from absl import logging

    from jaxact.export import folder as writing
    from jaxact.run.predictor import Predictor

    logging.set_verbosity(logging.ERROR)  # Orbax tells what it does at "warning"
    experiment = load_experiment(args.config, args.overrides)
    if model_folder.is_ours(args.config):
        raise errors.UserError(f"{args.config} is a model folder already; copy it.")
    facts = None
    if args.labels:
        labels = read_labels(pathlib.Path(args.labels))
    else:
        pipeline = pipeline_of(experiment.data)
        try:
            facts = pipeline.dataset_facts(experiment.data)
        except Exception as error:
            if not type(error).__module__.startswith(pipeline.__package__):
                raise
            raise errors.UserError(
                "The names of the classes are not known: give them with --labels FILE, "
                f"one a line, or prepare the data. {error}"
            ) from error
        labels = tuple(facts.classes)
    predictor = Predictor(experiment, args.checkpoint)
    metrics, split = writing.of_checkpoint(predictor.folder, predictor.step)
    written = writing.write(
        pathlib.Path(args.out),
        experiment,
        predictor.variables,
        labels,
        step=predictor.step,
        facts=facts,
        values=predictor.values,
        metrics=metrics,
        split=split,
        licence=args.license,
    )
    return f"{written}: read it by jaxact.load_model({str(written)!r})"


def read_labels(path: pathlib.Path) -> tuple[str, ...]:
    """Returns the lines of a file, the classes' names.

    Raises:
      UserError: it cannot be read.
    """
    try:
        return tuple(path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UserError(
            f"The labels cannot be read from {path} ({error}); expected a text file "
            "with the name of a class a line."
        ) from None


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m jaxact",
        description="Counts models' parameters; averages, compares their predictions.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    experiment_help = "configs/FILE.py[:ARG]; --config.KEY=VALUE sets a value"
    one = commands.add_parser("ledger", help="a config's model, by part")
    one.add_argument("config", help="configs/FILE.py or configs/FILE.py:ARG")
    one.add_argument(
        "override", nargs="*", default=[], help="key=value, as model.depth=2"
    )
    one.add_argument("--depth", type=int, default=2, help="levels of module names")
    for name, (_, help_text) in TABLES.items():
        commands.add_parser(name, help=help_text)
    some = commands.add_parser("fuse", help="the average of several models' scores")
    some.add_argument("path", nargs="+", help="predictions.npz, report or run folder")
    some.add_argument("--weights", default="", help="one a model, as 2,1 [all equal]")
    some.add_argument("--out", default="fused", help="folder of the report [fused]")
    two = commands.add_parser("compare", help="two models on the same clips")
    two.add_argument("path", nargs=2, help="predictions.npz, report or run folder")
    two.add_argument("--classes", default="", help="confusion of these, as wave,clap")
    two.add_argument("--out", default="compared", help="folder of the page [compared]")
    fail = commands.add_parser("robustness", help="a model whose streams fail")
    fail.add_argument("--config", required=True, help=experiment_help)
    fail.add_argument("--checkpoint", default="last", help="last, best or a path")
    fail.add_argument("--failures", default="", help="as missing,noisy [all]")
    fail.add_argument("--frames", type=float, default=1.0, help="share of a clip [1]")
    fail.add_argument("--clips", type=float, default=1.0, help="share of all clips [1]")
    fail.add_argument("--workdir", default="", help="the run's folder [runs/NAME]")
    fail.add_argument("--out", default="", help="folder [the run's robustness/]")
    leave = commands.add_parser("folder", help="a checkpoint as a model folder")
    leave.add_argument("--config", required=True, help=experiment_help)
    leave.add_argument("--checkpoint", default="best", help="last, best or a path")
    leave.add_argument("--out", required=True, help="folder, not there yet")
    leave.add_argument("--labels", default="", help="file of names [of the data set]")
    leave.add_argument("--license", default="unknown", help="of the weights [unknown]")
    words, overrides = split_overrides(sys.argv[1:] if arguments is None else arguments)
    args = parser.parse_args(words)
    if overrides and args.command not in ("folder", "robustness"):
        parser.error(
            f"--config.{next(iter(overrides))} belongs to commands with --config alone"
        )
    args.overrides = overrides
    if args.command == "folder":
        print(folder(args))
        return
    if args.command == "robustness":
        if report := robustness(args):
            print(report)
        return
    if args.command == "compare":
        parts = [predictions.read(path) for path in args.path]
        chosen = [word.strip() for word in args.classes.split(",") if word.strip()]
        found = compare.compare(parts[0], parts[1], chosen)
        print(f"{compare.text(found)}\nPage: {compare.write(args.out, found)}")
        return
    if args.command == "fuse":
        print(fuse(args.path, args.weights, args.out))
        return
    if args.command in TABLES:
        print(TABLES[args.command][0]())
        return
    experiment = load_experiment(args.config, parse_overrides(args.override))
    print(count(experiment, args.depth))


if __name__ == "__main__":
    errors.friendly(main)()
