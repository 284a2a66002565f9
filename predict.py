"""Names the actions in a person's own clips, long files and cameras.

python predict.py --config configs/demo_stafusion.py --rgb visible.avi --ir infrared.avi

Give each stream that the model reads (some, with data.allow_missing), of the same
moments, or say which: --part start=10,end=12.5,ir_offset=2.7. A stream is
  a clip: the likeliest classes are printed, prediction.png (the frames, what was kept
    of them bright) and prediction.json written to --out;
  a folder or a pattern of clips: predictions.csv and predictions.json;
  a long file, a camera (/dev/video0), an address (rtsp://...), a pipe: a timeline of
    what was seen when, see docs/live.md.
--checkpoint is "last" or "best" of the run in --workdir (by default runs/NAME), or the
path of a run or of one of its checkpoints. Exit codes: see `jaxact.errors`.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from absl import flags

from input_pipeline import joints
from input_pipeline.config import DataConfigError
from input_pipeline.dataset import DatasetError
from input_pipeline.encode import ClipError
from input_pipeline.footage import FootageError, choose, watching
from input_pipeline.formats.video import SizeError, parse_sizes
from input_pipeline.own_clip import ClipReader, Facts, part_of
from input_pipeline.streams import STORED, of_kind
from jaxact import model_folder
from jaxact.checkpoints.files import step_folder
from jaxact.report import output, prediction
from jaxact.report.timeline import running, segments
from jaxact.run import commandline, stopping
from jaxact.run.predictor import Predictor, find_checkpoint

KNOWN = ClipError, FootageError, SizeError  # whose messages are for the person
Paths = Mapping[str, str]  # by stream: a file, a camera, an address

CHECKPOINT = flags.DEFINE_string("checkpoint", "best", "last, best or a path.")
OUT = flags.DEFINE_string("out", "prediction", "Folder of what is written.")
FRAME_SIZE = flags.DEFINE_string("frame_size", "", "STREAM=WxH of raw files.")
PART = flags.DEFINE_string("part", "", "start=S,end=S,STREAM_offset=S, ... of files.")
TOP = flags.DEFINE_integer("top", 5, "How many classes are named.", lower_bound=1)
GIVEN = {
    stream: flags.DEFINE_string(stream, None, f"File or source of the {stream} stream.")
    for stream in STORED
}
WINDOW = flags.DEFINE_float("window", None, "Seconds that are looked at as a clip.")
STRIDE = flags.DEFINE_float("stride", None, "Seconds between windows [window / 2].")
SECONDS = flags.DEFINE_float("seconds", None, "Seconds after which to end.")
TIMEOUT = flags.DEFINE_float("timeout", 2.0, "Seconds until a live stream is silent.")
THRESHOLD = flags.DEFINE_float("threshold", 0.5, "Least score of what was seen.")
BACKGROUND = flags.DEFINE_list("background", [], "Classes that are nothing to tell.")
SHORTEST = flags.DEFINE_float("shortest", None, "Least seconds of a segment [stride].")
BATCH = flags.DEFINE_integer("batch", 8, "Windows predicted at once.", lower_bound=1)


def one_clip(paths: Paths, predictor: Predictor, facts: Facts, out: Path) -> None:
    """Says what one clip shows, with a picture of what the model looked at."""
    inputs = predictor.network.inputs
    clip = ClipReader(predictor.experiment.data, inputs, facts.video)(paths, PART.value)
    result = predictor(clip)
    best = prediction.best(result["scores"], facts.classes, TOP.value)
    print("\n".join(f"{probability:7.1%}  {name}" for name, probability in best))
    count = next((inputs[n].shape[2] for n in of_kind("joints", inputs)), 0)
    layout = joints.of_stream({"joints": count, **facts.body})
    title = f"{best[0][0]}  {best[0][1]:.0%}"
    bones = layout.bones if layout else ()
    sheet = prediction.sheet(clip, inputs, result, title, bones)
    prediction.write(out, paths, predictor.checkpoint, best, sheet)


def many_clips(clips: list, predictor: Predictor, facts: Facts, out: Path) -> None:
    """Says what each of many clips shows; those that cannot be read are named."""
    data, inputs = predictor.experiment.data, predictor.network.inputs
    read_clip = ClipReader(data, inputs, facts.video)
    with prediction.Table(out, list(clips[0]), predictor.checkpoint) as table:
        for paths in clips:
            try:
                clip = read_clip(paths, PART.value)
            except ClipError as error:
                table.failed(paths, str(error))
                continue
            scores = predictor.scores([clip])[0]
            table.row(paths, prediction.best(scores, facts.classes, TOP.value))


def timeline(paths: Paths, predictor: Predictor, facts: Facts, out: Path) -> None:
    """Says what long files or live streams show when."""
    data, inputs = predictor.experiment.data, predictor.network.inputs
    with (
        stopping.StopSignal() as signals,
        watching.Footage(paths, data, inputs, facts, wish(paths)) as footage,
        running.timeline(
            out,
            facts.classes,
            footage.about | {"checkpoint": predictor.checkpoint},
            footage.look.stride,
            segments.Rule(THRESHOLD.value, BACKGROUND.value, SHORTEST.value),
            *footage.link(out),
        ) as line,
    ):
        most = BATCH.value
        seconds = predictor.warm_up(footage.example(), most)
        print(f"{footage.told} Computing a window takes {seconds:.3f} s.")
        for batch in footage.batches(signals.exit_code, line.event, most):
            clips = [footage.clip(w.record) for w in batch if w.record is not None]
            scores = iter(predictor.scores(clips, most) if clips else ())
            for window in batch:
                known = next(scores) if window.record is not None else None
                line.still((window.start + window.end) // 2, window.middle)
                line.add(window.start, window.end, known, footage.now())
    sys.exit(signals.exit_code())


def wish(paths: Paths) -> watching.Wish:
    """Returns how footage is to be looked at."""
    each = (WINDOW.value, STRIDE.value, SECONDS.value, TIMEOUT.value)
    return watching.Wish(*each, part_of(PART.value, paths))


def main() -> None:
    """Reads the flags, predicts, prints and writes."""
    experiment, out = commandline.experiment(), Path(OUT.value)
    data, model = experiment.data, experiment.model
    given, sizes = {k: f.value for k, f in GIVEN.items()}, parse_sizes(FRAME_SIZE.value)
    paths = choose.streams(given, model.inputs(), data.allow_missing)
    which = commandline.checkpoint(CHECKPOINT.value)
    folder, step = find_checkpoint(experiment, which, commandline.workdir())
    labels = model_folder.labels(folder)
    facts = Facts.of(data, model.num_classes, labels)
    clips = choose.clips(paths)
    in_windows = clips is None and watching.is_long(paths, data, facts, wish(paths))
    output.check(out)
    predictor = Predictor(experiment, step_folder(folder, step))
    facts = facts.of_model(labels, predictor.values, sizes)
    if in_windows:
        timeline(paths, predictor, facts, out)
    elif clips is not None:
        many_clips(clips, predictor, facts, out)
    else:
        one_clip(paths, predictor, facts, out)


if __name__ == "__main__":
    commandline.run(main, DatasetError, DataConfigError, *KNOWN)
