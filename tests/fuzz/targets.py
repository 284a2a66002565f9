"""Readers as functions of bytes. What they raise besides is a fault.

Each target calls one reader with arbitrary bytes; the errors that its docstring
promises are passed over, every other exception leaves. `SEEDS` are whole files from
which fuzzing starts.
"""

import io
import json
import os
import pathlib
import pickle
import struct
import zipfile

import numpy as np
from PIL import Image

from input_pipeline import dataset, encode, joints, records
from input_pipeline.formats import errors as format_errors
from input_pipeline.formats import frames, ntu, series, skeleton, video
from jaxact import config
from jaxact.errors import UserError
from jaxact.report import predictions as score_files
from jaxact.run import log
from jaxact.weights import keymap, readers
from tests.fuzz import annotated as annotated  # their targets are listed, too
from tests.fuzz import lists as lists
from tests.fuzz.harness import FOLDER, SEEDS, TARGETS, target, written
from tests.input_pipeline import raw

__all__ = ("SEEDS", "TARGETS", "crashes")


def saved(array: np.ndarray) -> bytes:
    """Returns the bytes of an .npy file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    """Returns the bytes of an .npz file."""
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


JOINT = b"0.1 0.2 2.5 277.4 191.9 1036.2 519.5 0.25 -0.04 0.97 -0.1 2\n"
BODY = b"72057594037944340 0 1 1 0 3 1 -0.0315 0.125 2\n25\n" + 25 * JOINT


@target(b"2\n1\n" + BODY + b"1\n" + BODY, b"1\n0\n")
def ntu_skeleton(data: bytes) -> None:
    try:
        ntu.read_skeleton(written("a.skeleton", data))
    except ntu.SkeletonError:
        pass
    _skeleton("a.skeleton", data)


@target(
    b"1,2,3,4,5,6\n1,2,3,4,5,7\n",
    b"frame,joint,x,y,z,person,state\n0,0,1,2,3,a,2\n1,1,1,,3,b,0\n",
    b"0;1;2;3;2\n1;1;2;3;1\n",
    b"frame,joint,x,y,z\n0,0,1,2,3\n33,0,1,1,3\n67,0,1,,3\n100,0,2,2,2\n",
)
def csv_skeleton(data: bytes) -> None:
    _skeleton("a.csv", data)


@target(saved(np.ones((3, 4, 3), np.float16)), saved(np.ones((2, 3, 4, 3), ">f8")))
def npy_skeleton(data: bytes) -> None:
    _skeleton("a.npy", data)


def _skeleton(name: str, data: bytes) -> None:
    try:
        found = skeleton.read_skeleton(written(name, data))
    except format_errors.UnusableFile:
        return
    assert np.isfinite(found.points).all() and len(found.points) <= 2
    record = records.Record(name="a", label=0, streams={"skeleton": found})
    records.encode(record)


@target(b'{"mirror": [0, 2, 1], "bones": [[0, 1], [0, 2]]}')
def joint_layout(data: bytes) -> None:
    try:
        joints.find(str(written("layout.json", data)))
    except joints.LayoutError:
        pass


@target(b"optim.lr=0.1", b"train.batch_size=8", b"schedule.milestones=(1.0, 2.0)")
def override(data: bytes) -> None:
    key, _, value = data.decode("utf-8", "surrogateescape").partition("=")
    experiment = config.Experiment("a", config.ModelConfig(), config.EvalConfig())
    try:
        config.set_value(experiment, key, value)
        config.config_text(experiment)
    except config.ConfigError:
        pass
    try:
        config.parse_arg(key, protocol="x", classes=3, flag=False, rate=0.5)
    except config.ConfigError:
        pass


def _record(**changes: object) -> bytes:
    points = np.ones((1, 2, 3, 3), np.float32)
    record = records.Record(
        name="a",
        label=1,
        streams={
            "rgb": records.Video([b"x", b"y"], 4, 5, np.ones(2, bool), np.ones((2, 4))),
            "ir": records.Video([b"x"], 4, 5, times=np.arange(2), levels=(1.0, 9.0)),
            "skeleton": records.Skeleton(points, np.ones((1, 2, 3), bool)),
        },
    )
    return records.encode(record)


@target(_record())
def record(data: bytes) -> None:
    try:
        found = records.decode(data)
        records.encode(found)
    except records.RecordError:
        pass


INFO = {
    "format": 1,
    "name": "tiny",
    "version": "1.0.0",
    "classes": ["sit", "wave"],
    "streams": {"skeleton": {"joints": 3}},
    "protocols": {"half": {"train": 1, "test": 1}},
    "default_protocol": "half",
    "num_clips": 2,
    "difficulties": [],
    "has_truth": False,
    "shards": [{"file": "a.tfrecord", "bytes": 100}],
}
INDEX = npz(
    name=np.array(["a", "b"]),
    shard=np.zeros(2, np.int32),
    offset=np.array([0, 40]),
    length=np.array([20, 20]),
    label=np.array([0, 1], np.int32),
    difficulty=np.zeros(2, np.int32),
    split_half=np.array([0, 1], np.int8),
)


@target(json.dumps(INFO).encode())
def dataset_facts(data: bytes) -> None:
    _open(data, INDEX)


@target(INDEX)
def dataset_index(data: bytes) -> None:
    _open(json.dumps(INFO).encode(), data)


def _open(info: bytes, index: bytes) -> None:
    folder = FOLDER / "data" / "tiny" / "1.0.0"
    written("data/tiny/1.0.0/a.tfrecord", bytes(100))
    written(f"data/tiny/1.0.0/{dataset.INFO_FILE}", info)
    written(f"data/tiny/1.0.0/{dataset.INDEX_FILE}", index)
    try:
        found = dataset.PreparedDataset.open(FOLDER / "data", "tiny")
        found.rows("", "train")
    except dataset.DatasetError:
        return
    assert all(path.parent == folder for path in found.shard_paths)
    assert found.labels.max(initial=0) < len(found.classes)


def _torch_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps({"w": np.ones(3, "f4")}, 2))
        archive.writestr("a/byteorder", "little")
    return file.getvalue()


def _safetensors() -> bytes:
    header = b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    return struct.pack("<Q", len(header)) + header + bytes(8)


GOLDEN = pathlib.Path(__file__).parent.parent / "golden"


@target(
    pickle.dumps({"params": {"w": np.ones((2, 3), np.float32)}}, 4),
    (GOLDEN / "odd_zip.pt").read_bytes(),
    (GOLDEN / "odd_legacy.pt").read_bytes(),
    _torch_zip(),
    _safetensors(),
)
def weights(data: bytes) -> None:
    try:
        for array in readers.read_weights(written("weights.bin", data)).values():
            assert isinstance(array, np.ndarray)
    except keymap.WeightsError:
        pass


@target(
    b'{"weight_map": {"a": "weights.bin", "b": "weights.bin"}}',
    b'{"metadata": {}, "weight_map": {"state_dict": "m-00001-of-00002.safetensors"}}',
)
def shards_index(data: bytes) -> None:
    written("weights.bin", pickle.dumps({"a": np.ones(3), "b": np.ones(2)}))
    try:
        found = readers.read_weights(written("model.safetensors.index.json", data))
        assert found.keys() == {"a", "b"}
    except keymap.WeightsError:
        pass


@target(
    npz(
        ids=np.arange(2),
        names=np.array(["a", "b"]),
        labels=np.array([0, 1]),
        scores=np.full((2, 2), 0.5, np.float32),
        classes=np.array(["sit", "wave"]),
        **{key: np.array("x") for key in ("experiment", *score_files.SAME)},
    )
)
def predictions(data: bytes) -> None:
    path = written("predictions.npz", data)
    try:
        part = score_files.read(path)
        score_files.fuse([part, part], [1.0, 1.0])
    except UserError:
        pass


@target(b'{"step": 1, "loss": 0.5}\n{"step": 2, "loss": 0.25}\n')
def history(data: bytes) -> None:
    written(f"run/{log.METRICS_FILE}", data)
    assert all(isinstance(row["step"], int) for row in log.read_history(FOLDER / "run"))


@target(b'{"difficulty": ["dark"], "rgb": {"visible": [1], "box": [[0, 0, 1, 1]]}}')
def truth(data: bytes) -> None:
    path = written("truth.json", data)
    clip = encode.Clip("a", 0, {encode.TRUTH: path}, {})
    try:
        encode.encode_clip(clip, encode.EncodeOptions(difficulties=("dark", "warm")))
    except encode.ClipError:
        pass


DEEP = np.arange(8 * 10 * 3, dtype=np.uint16).reshape(8, 10, 3) * 99


def _jpeg() -> bytes:
    return video.encode_jpeg(np.full((8, 10, 3), 90, np.uint8), 90)


def _picture(kind: str, dtype: str = "u1") -> bytes:
    file = io.BytesIO()
    values = np.arange(80).reshape(8, 10).astype(dtype)
    Image.fromarray(values).save(file, kind)
    return file.getvalue()


@target(
    *(_jpeg(), _picture("PNG"), _picture("PNG", "u2"), _picture("BMP")),
    *(_picture("WEBP"), _picture("TIFF", "u2"), _picture("TIFF", "f4")),
    *(raw.tiff(DEEP), raw.tiff(DEEP, planar=2), raw.tiff(DEEP[..., 0], photometric=0)),
)
def image(data: bytes) -> None:
    written("frames/0.jpg", data)
    try:
        options = video.VideoOptions(short_side=8, min_frames=1)
        frames.read_frames(FOLDER / "frames", "rgb", options)
    except format_errors.UnusableFile:
        pass


def _movie(codec: str, ending: str) -> bytes:
    import av

    path = FOLDER / f"seed{ending}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.height = stream.width = 16
        stream.pix_fmt = {"mjpeg": "yuvj444p", "ffv1": "gray16le"}.get(codec, "yuv420p")
        for number in range(12 if ending == ".ts" else 2):
            picture = np.full((16, 16), 90 + number, np.uint16)
            frame = av.VideoFrame.from_ndarray(picture, "gray16le")
            frame = frame.reformat(format=stream.pix_fmt)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path.read_bytes()


@target(
    *(_movie("mjpeg", ".avi"), _movie("mpeg4", ".mp4"), _movie("mpeg4", ".mkv")),
    *(
        _movie("ffv1", ".mkv"),
        _movie("mpeg2video", ".ts"),
        _movie("mpeg2video", ".mpg"),
    ),
    _movie("vp8", ".ogv"),
)
def movie(data: bytes) -> None:
    try:
        options = video.VideoOptions(short_side=8, min_frames=1)
        video.read_video(written("a.avi", data), "rgb", options)
    except format_errors.UnusableFile:
        pass


def _array(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


@target(_array(np.ones((2, 8, 8), np.float32)), _array(np.ones((3, 65), np.int16)))
def array(data: bytes) -> None:
    _series("a.npy", data)


@target(
    b"time," + b",".join(b"%d" % i for i in range(16)) + b"\n0," + b"1," * 16 + b"\n",
    b"\xef\xbb\xbf2024-01-01 10:00:00;" + b";".join([b"20,5"] * 64) + b"\n",
)
def table(data: bytes) -> None:
    _series("a.csv", data)


def _series(name: str, data: bytes) -> None:
    path = written(name, data)
    try:
        options = video.VideoOptions(short_side=8, min_frames=1)
        series.read_series(path, "ir", options)
    except format_errors.UnusableFile:
        pass


def crashes() -> list[tuple[str, pathlib.Path]]:
    """Returns (target, file) of every input that once was a fault."""
    folder = pathlib.Path(__file__).parent / "crashes"
    return [
        (path.parent.name, path)
        for path in sorted(folder.glob("*/*"))
        if path.is_file() and os.path.basename(path.parent) in TARGETS
    ]
