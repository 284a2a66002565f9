"""What the runners share: a model's description, a clip for it, and its answer.

Needs NumPy alone; a video file needs PyAV, too (pip install av).
"""

import json
import pathlib
import sys
import zipfile

import numpy as np


def description(folder: str, kind: str) -> dict:
    """Reads model.json, which export.py wrote beside the model."""
    file = pathlib.Path(folder) / "model.json"
    if not file.is_file():
        sys.exit(f"{folder} has no model.json: give a folder that export.py wrote.")
    found = json.loads(file.read_text())
    if found.get("format_version") != 1 or found["kind"] != kind:
        sys.exit(
            f"{folder} holds {found.get('kind')!r}, version "
            f"{found.get('format_version')!r}; this runner reads {kind!r}, version 1."
        )
    return found


def read_clip(words: list[str], facts: dict) -> dict[str, np.ndarray]:
    """Reads clip.npz with an array a stream, or STREAM=FILE for each of them.

    FILE is a video (of uint8 streams), or an .npy array.
    """
    try:
        clip = _arrays(words, facts)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        sys.exit(f"The clip cannot be read: {error}")
    check(clip, facts)
    return clip


def _arrays(words: list[str], facts: dict) -> dict[str, np.ndarray]:
    if len(words) == 1 and words[0].endswith(".npz"):
        with open(words[0], "rb") as file, np.load(file) as arrays:
            return {name: arrays[name] for name in arrays.files}
    clip = {}
    for word in words:
        name, equals, file = word.partition("=")
        if not equals or name not in facts["inputs"]:
            names = " ".join(f"{name}=FILE" for name in facts["inputs"])
            sys.exit(f"Got {word!r}; expected clip.npz, or {names}.")
        if file.endswith(".npy"):
            with open(file, "rb") as opened:
                clip[name] = np.load(opened)
        else:
            clip[name] = video(file, name, facts)
    return clip


def check(clip: dict[str, np.ndarray], facts: dict) -> None:
    """Says what is wrong with a clip, in a sentence, and ends."""
    wanted = facts["inputs"]
    if clip.keys() != wanted.keys():
        sys.exit(
            f"Got a clip of {', '.join(sorted(clip)) or 'nothing'}; the model reads "
            f"{' and '.join(wanted)}."
        )
    for name, x in wanted.items():
        got = clip[name]
        if list(got.shape) != x["shape"] or got.dtype.name != x["dtype"]:
            sys.exit(
                f"Got {name} {got.dtype.name}{list(got.shape)}; the model reads "
                f"{x['dtype']}{x['shape']} ({x['axes']}; {x['values']})."
            )


def video(file: str, name: str, facts: dict) -> np.ndarray:
    """Returns the middle frame of each of t equal parts, resized and cut as trained."""
    try:
        import av
    except ImportError:
        sys.exit("Reading a video needs PyAV: pip install av. Or give an .npy array.")
    spec = facts["inputs"][name]
    frames, height, width, channels = spec["shape"]
    if spec["dtype"] != "uint8":
        sys.exit(f"{name} is {spec['dtype']}: give it as an .npy array, {name}=x.npy.")
    layout = "gray" if channels == 1 else "rgb24"
    with av.open(file) as container:
        every = list(container.decode(video=0)) if container.streams.video else []
    if not every:
        raise ValueError(f"{file} holds no picture.")
    window = facts["sampling"].get("window") or len(every)
    start = max(0, (len(every) - window) // 2)
    count = min(window, len(every))
    short = facts["sampling"].get("test_resize", height)
    result = []
    for i in range(frames):
        frame = every[start + int((i + 0.5) * count / frames)]
        scale = short / min(frame.height, frame.width)
        size = (
            max(width, round(frame.width * scale)),
            max(height, round(frame.height * scale)),
        )
        image = frame.reformat(*size, format=layout).to_ndarray()
        image = image.reshape(size[1], size[0], channels)
        top, left = (size[1] - height) // 2, (size[0] - width) // 2
        result.append(image[top : top + height, left : left + width])
    return np.stack(result)


def batched(clip: dict[str, np.ndarray], facts: dict) -> dict[str, np.ndarray]:
    """Puts the clip into a batch of as many as the model takes (of it, if many)."""
    size = facts["batch"] or 1
    return {name: np.stack([stream] * size) for name, stream in clip.items()}


def show(scores: np.ndarray, facts: dict, top: int = 5) -> None:
    """Prints the likeliest classes."""
    for index in np.argsort(-scores, kind="stable")[:top]:
        print(f"{scores[index]:7.1%}  {facts['labels'][index]}")
