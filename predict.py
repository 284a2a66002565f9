"""Names the action in a person's own clip, and shows what the model looked at.

python predict.py --config configs/demo_stafusion.py --rgb visible.avi --ir infrared.avi

Give a file for each stream that the model reads (some, with data.allow_missing), of one
moment, or say which: --part start=10,end=12.5,ir_offset=2.7. --checkpoint is "last" or
"best" of the run in --workdir (by default runs/NAME), or a run's or checkpoint's path.
Prints the likeliest classes and writes prediction.png (the frames, what was kept of
them bright) and prediction.json to --out. Exit codes: see `jaxact.errors`.
"""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import flags

from input_pipeline import joints
from input_pipeline.config import DataConfig, DataConfigError
from input_pipeline.dataset import DatasetError, PreparedDataset
from input_pipeline.encode import ClipError
from input_pipeline.formats.video import SizeError, parse_sizes
from input_pipeline.own_clip import SHORT_SIDE, read_clip
from input_pipeline.streams import STORED, of_kind, source
from jaxact import errors, model_folder
from jaxact.checkpoints.files import step_folder
from jaxact.report import bodies, output, overlays
from jaxact.run import commandline
from jaxact.run.predictor import Predictor, find_checkpoint

CHECKPOINT = flags.DEFINE_string("checkpoint", "best", "last, best or a path.")
OUT = flags.DEFINE_string("out", "prediction", "Folder of the picture.")
FRAME_SIZE = flags.DEFINE_string("frame_size", "", "STREAM=WxH of raw files.")
PART = flags.DEFINE_string("part", "", "start=S,end=S,STREAM_offset=S, ... of files.")
TOP = flags.DEFINE_integer("top", 5, "How many classes are named.", lower_bound=1)
FILES = {
    stream: flags.DEFINE_string(stream, None, f"File of the {stream} stream.")
    for stream in STORED
}


def read_facts(
    data: DataConfig, num_classes: int
) -> tuple[Sequence[str], int, Mapping[str, Any]]:
    """Returns class names, the short side of stored frames, facts about skeletons.

    Where the data set is not prepared on this machine, classes go by their numbers.

    Raises:
      UserError: the data set has another number of classes than the model.
    """
    try:
        dataset = PreparedDataset.open(data.dir, data.name, data.version)
    except DatasetError as error:
        print(f"Class names unknown, frames made {SHORT_SIDE} pixels short: {error}")
        return [f"class {i}" for i in range(num_classes)], SHORT_SIDE, {}
    if len(dataset.classes) != num_classes:
        raise errors.UserError(
            f"The model has {num_classes} classes (model.num_classes), but the data "
            f"set {data.name!r} has {len(dataset.classes)}. Give the config (and the "
            "overrides) that the checkpoint was trained with."
        )
    sides = [facts.get("short_side") for facts in dataset.streams.values()]
    side = next(filter(None, sides), SHORT_SIDE)
    return dataset.classes, side, dataset.skeleton


def choose_files(
    given: Mapping[str, str | None], inputs: Mapping[str, Any], some: bool = False
) -> dict[str, str]:
    """Returns the file of each stored stream that the model reads.

    Args:
      given: file, or nothing, by stored stream.
      inputs: the model's streams.
      some: whether some of them will do (``data.allow_missing``).

    Raises:
      UserError: one is missing, or one is given that the model does not read.
    """
    read = dict.fromkeys(map(source, inputs))
    missing = [stream for stream in read if not given.get(stream)]
    if some and len(missing) < len(read):
        missing = []
    surplus = [name for name, path in given.items() if path and name not in read]
    if missing or surplus:
        add = "".join(f" Add --{stream} FILE." for stream in missing)
        drop = "".join(f" Leave out --{stream}." for stream in surplus)
        raise errors.UserError(f"The model reads {' and '.join(read)}.{add}{drop}")
    return {stream: path for stream in read if (path := given.get(stream))}


def draw(
    clip: Mapping[str, np.ndarray],
    inputs: Mapping[str, Any],
    result: Mapping[str, np.ndarray],
    title: str,
    body: Mapping[str, Any],
) -> Any:
    """Returns the sheet of the clip's first view; ``body``: facts about skeletons."""
    first = {
        name: clip[name] if clip[name].ndim == len(spec.shape) else clip[name][0]
        for name, spec in inputs.items()
    }
    count = next((inputs[n].shape[2] for n in of_kind("joints", inputs)), 0)
    layout = joints.of_stream({"joints": count, **body})
    shown = bodies.as_videos(first, layout.bones if layout else (), over=False)
    videos = {name: s for name, s in shown.items() if overlays.is_video(s)}
    keys = ("frame_marks", "frame_scores", "keep")
    selection = overlays.Selection(*(result.get(key) for key in keys))
    drawn = overlays.spread(videos, selection)
    return overlays.selection_sheet(*drawn, title=title) if videos else None


def main() -> None:
    """Reads the flags, predicts, prints and writes."""
    experiment, out = commandline.experiment(), pathlib.Path(OUT.value)
    inputs = experiment.model.inputs()
    given, sizes = {k: f.value for k, f in FILES.items()}, parse_sizes(FRAME_SIZE.value)
    paths = choose_files(given, inputs, experiment.data.allow_missing)
    which, run = commandline.checkpoint(CHECKPOINT.value), commandline.workdir()
    folder, step = find_checkpoint(experiment, which, run)
    classes, side, body = read_facts(experiment.data, experiment.model.num_classes)
    classes = model_folder.labels(folder) or classes
    if experiment.data.common_view:
        print(
            "Note: the model was trained on what its cameras see in common (data."
            "common_view). This clip's lenses are not known: all of it is looked at."
        )
    output.check(out)
    model = Predictor(experiment, step_folder(folder, step))
    how = model.values, sizes, PART.value
    clip = read_clip(paths, experiment.data, inputs, side, *how)
    result = model(clip)
    order = np.argsort(-result["scores"], kind="stable")[: TOP.value]
    best = [(str(classes[i]), float(result["scores"][i])) for i in order]
    print("\n".join(f"{probability:7.1%}  {name}" for name, probability in best))
    facts = {"files": paths, "checkpoint": str(step_folder(folder, step)), "best": best}
    sheet = draw(clip, inputs, result, f"{best[0][0]}  {best[0][1]:.0%}", body)
    with output.writing(out):
        (out / "prediction.json").write_text(json.dumps(facts, indent=1))
        if sheet is not None:
            sheet.save(out / "prediction.png")
            print(f"What the model looked at: {out / 'prediction.png'}")


if __name__ == "__main__":
    commandline.run(main, DatasetError, DataConfigError, ClipError, SizeError)
