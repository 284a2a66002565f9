"""Writes a trained model in a format that runs without this library.

python export.py --config configs/demo_infar.py --format onnx --out model

--config may be a model folder. The formats are stablehlo, savedmodel, onnx and tflite.
Videos go in as uint8 and skeletons in metres, normalisation is inside; out come
``logits``, ``scores`` and what the model looked at. What was written is loaded, asked
about clips of the data set (random ones, where it is not prepared) and compared with
the model; it is kept if the logits agree. model.json beside it says what goes in and
what the classes are called. docs/export.md has the rest. Exit codes: `jaxact.errors`.
"""

import pathlib
from typing import Any

import numpy as np
from absl import flags

from input_pipeline import pipeline
from input_pipeline.config import DataConfigError
from input_pipeline.dataset import DatasetError
from jaxact import errors, example_batch, model_folder
from jaxact.checkpoints.files import step_folder
from jaxact.config import Experiment
from jaxact.export import convert
from jaxact.report import output
from jaxact.run import commandline
from jaxact.run.predictor import Predictor, find_checkpoint

CHECKPOINT = flags.DEFINE_string("checkpoint", "best", "last, best or a path.")
FORMAT = flags.DEFINE_enum("format", None, list(convert.FORMATS), "Of what is written.")
OUT = flags.DEFINE_string("out", None, "Folder, not there yet.")
CLIPS = flags.DEFINE_integer("clips", 8, "Clips that are compared.", lower_bound=1)
BATCH = flags.DEFINE_integer("batch", 1, "Clips of a call, of tflite.", lower_bound=1)
TOLERANCE = flags.DEFINE_float(
    "tolerance", convert.TOLERANCE, "Of logits, relative to the largest."
)


def clips_of(experiment: Experiment, count: int) -> tuple[dict[str, np.ndarray], str]:
    """Returns so many clips of the split that is evaluated, or random ones; which."""
    inputs, split = experiment.model.inputs(), experiment.eval.split
    try:
        data = experiment.data
        batches = pipeline.eval_batches(data, inputs, split, count, host=0, hosts=1)
        batch = next(batches)
    except DatasetError as error:
        print(f"Compared on random clips: {str(error).partition('. ')[0]}.")
        batch, split = example_batch(experiment, count), ""
    found = {name: np.asarray(batch[name])[batch["mask"]] for name in inputs}
    for name, spec in inputs.items():
        if found[name].ndim == len(spec.shape) + 2:  # several views: the first
            found[name] = found[name][:, 0]
    return found, f"clips of {split}" if split else "random clips"


def labels_of(experiment: Experiment, folder: pathlib.Path) -> tuple[str, ...]:
    """Returns the names of the classes, or their numbers where nobody knows them."""
    if labels := model_folder.labels(folder):
        return labels
    count = experiment.model.num_classes
    try:
        labels = pipeline.dataset_facts(experiment.data).classes
    except DatasetError:
        return tuple(f"class {index}" for index in range(count))
    if len(labels) != count:
        raise errors.UserError(
            f"The model has {count} classes (model.num_classes), the data set "
            f"{len(labels)}. Give the config that the checkpoint was trained with."
        )
    return labels


def main() -> None:
    """Reads the flags, exports, says how far it is from the model."""
    experiment: Any = commandline.experiment()
    if not FORMAT.value or not OUT.value:
        raise errors.UserError(
            f"Add --format ({', '.join(convert.FORMATS)}) and --out FOLDER."
        )
    convert.check_installed(FORMAT.value)
    which, run = commandline.checkpoint(CHECKPOINT.value), commandline.workdir()
    folder, step = find_checkpoint(experiment, which, run)
    out = pathlib.Path(OUT.value)
    output.check(out.absolute().parent)
    labels = labels_of(experiment, folder)
    clips, origin = clips_of(experiment, CLIPS.value)
    predictor = Predictor(experiment, step_folder(folder, step))
    written = convert.export(
        FORMAT.value,
        out,
        experiment,
        predictor.variables,
        labels,
        clips,
        origin,
        BATCH.value,
        TOLERANCE.value,
    )
    size = "any number of clips" if written.batch is None else f"{written.batch} clips"
    print(f"{out}: {FORMAT.value}, {size} a call. {written.note}".rstrip())
    print(
        f"Loaded again, its logits differ from the model's by {written.difference:.1e} "
        f"(relative to the largest) on {CLIPS.value} {origin}."
    )


if __name__ == "__main__":
    commandline.run(main, DatasetError, DataConfigError)
