"""Evaluates a checkpoint and writes a report.

python evaluate.py --config configs/demo_stafusion.py --checkpoint best

--checkpoint is "last" or "best" of the run in --workdir (by default runs/NAME), or the
path of a run or of one of its checkpoints. Views and split are those of the config. The
report (report.html, report.json, predictions.npz) goes to --out, by default
<workdir>/report. Exit codes: see `jaxact.errors`.
"""

import dataclasses
import pathlib
from typing import Any

import numpy as np
from absl import flags

from input_pipeline import pipeline
from input_pipeline.config import DataConfigError
from input_pipeline.dataset import DatasetError
from jaxact import config as config_lib
from jaxact import frame_choice, model_folder
from jaxact.batch import STREAMS, Data
from jaxact.checkpoints.files import evaluated_split, step_folder
from jaxact.devices import distributed
from jaxact.devices.distributed import say
from jaxact.report import Evaluation, compare, output, write_report
from jaxact.run import checks, commandline, log, predictor
from jaxact.run.session import open_evaluation

CHECKPOINT = flags.DEFINE_string("checkpoint", "last", "last, best or a path.")
SPLIT = flags.DEFINE_string("split", None, "Split to evaluate [eval.split].")
SHOW = flags.DEFINE_list(
    "show", None, "Clips or classes to show, or compare.json#first_only [eval.show]."
)
OUT = flags.DEFINE_string("out", None, "Folder of the report [WORKDIR/report].")


def evaluate(
    experiment: config_lib.Experiment,
    folder: pathlib.Path,
    step: int,
    data: Data = pipeline,
) -> Evaluation:
    """Evaluates one checkpoint.

    Raises:
      UserError: see its message.
    """
    opened = open_evaluation(experiment, data)
    facts, split = opened.facts, experiment.eval.split
    checks.check_labels(model_folder.labels(folder), facts.classes)
    variables = predictor.restore_weights(folder, step, opened.network, experiment)
    count = facts.num_clips[split]
    say(f"Checkpoint of step {step} in {folder}; {count} clips of {split}.")
    pictures = experiment.eval.pictures
    result = opened.evaluate_split(variables, opened.eval_batches(), pictures)
    say(log.eval_line(result.metrics))
    here = {*facts.names[result.ids], *np.array(facts.classes)[result.labels]}
    if elsewhere := [name for name in experiment.eval.show if name not in here]:
        say(f"Not shown, for {split} has no such clip: {', '.join(elsewhere)}.")
    for example in result.examples:
        example["name"] = str(facts.names[example["id"]])
    return Evaluation(
        experiment=experiment.name,
        checkpoint=f"{step_folder(folder, step)}",
        dataset=facts.title,
        protocol=facts.protocol,
        split=split,
        classes=list(facts.classes),
        ids=result.ids,
        names=[str(facts.names[i]) for i in result.ids],
        labels=result.labels,
        scores=result.scores,
        branches=result.branches,
        views=result.views,
        difficulty=result.difficulty,
        difficulty_names=list(facts.difficulties),
        selection=result.selection,
        frames=frames_kept(result, opened.network.inputs, facts.difficulties),
        loss=result.metrics["loss"],
        examples=result.examples,
        bones=facts.bones,
        values=facts.values,
        history=log.read_history(folder.parent),
        config=config_lib.config_text(experiment),
    )


def frames_kept(result: Any, inputs: Any, difficulties: Any) -> dict[str, Any] | None:
    """Describes the frames that were kept, where the truth is known."""
    if result.frame_marks is None or result.actor_visible is None:
        return None
    videos = {n: inputs[n].shape[0] for n in inputs if STREAMS[n].kind == "video"}
    return frame_choice.describe(
        result.frame_marks,
        result.actor_visible,
        videos,
        result.difficulty,
        list(difficulties),
    )


def chosen(spec: config_lib.EvalConfig, folder: pathlib.Path, step: int) -> str:
    """Says on which clips a run's best checkpoint was chosen."""
    split = distributed.broadcast_from_main(evaluated_split(folder, step))
    text = f"best {spec.best_metric} on {split or 'a split that it does not name'}"
    if split == spec.split:
        text += ", the very clips reported here: its figures are a little too good"
    return text


def main() -> None:
    """Reads the flags, evaluates and writes the report."""
    distributed.initialize()
    experiment, workdir = commandline.experiment(), commandline.workdir()
    if SPLIT.value is not None:
        experiment.eval.split = SPLIT.value
    if SHOW.value is not None:
        experiment.eval.show = compare.shown_clips(SHOW.value)
    folder, step = predictor.find_checkpoint(
        experiment, commandline.checkpoint(CHECKPOINT.value), workdir
    )
    out = pathlib.Path(OUT.value or workdir / "report")
    output.check(out)
    results = evaluate(experiment, folder, step)
    if CHECKPOINT.value == "best":
        how = chosen(experiment.eval, folder, step)
        results = dataclasses.replace(results, chosen=how)
        say(f"This checkpoint is the {how}.")
    if distributed.is_main():
        say(f"Report: {write_report(out, results)}")


if __name__ == "__main__":
    commandline.run(main, DatasetError, DataConfigError)
