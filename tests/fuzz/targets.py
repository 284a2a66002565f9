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
import tempfile
import zipfile
from collections.abc import Callable

import numpy as np

from input_pipeline import dataset, encode, joints, records
from input_pipeline.builders import base, clips, hmdb51, lists, something, ucf101
from input_pipeline.formats import errors as format_errors
from input_pipeline.formats import frames, ntu, order, skeleton, video
from input_pipeline.prepare import doubts
from jaxact import config
from jaxact.errors import UserError
from jaxact.report import predictions as score_files
from jaxact.run import log
from jaxact.weights import keymap, readers

Target = Callable[[bytes], None]
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="jaxact-fuzz-"))
TARGETS: dict[str, Target] = {}
SEEDS: dict[str, list[bytes]] = {}


def target(*seeds: bytes) -> Callable[[Target], Target]:
    """Lists a target under its function's name, with the inputs to start from."""

    def add(function: Target) -> Target:
        TARGETS[function.__name__] = function
        SEEDS[function.__name__] = list(seeds)
        return function

    return add


def written(name: str, data: bytes) -> pathlib.Path:
    """Writes a file that the reader under test opens."""
    path = FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


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


@target(
    b"rgb,ir,skeleton,label,split\na.avi,,,wave,train\n,b/c.avi,,sit,test\n",
    b"rgb,label,split,subject,camera,name\na.avi,0,train,3,1,x\nb.avi,2,val,,,y\n",
    b"sep=;\nrgb;label;split;\na\\a.avi;Walk;train;\n#b;walk;test;\nnan;x;val;\n",
    b"\xef\xbb\xbf,rgb\tlabel\tsplit\n0,a.avi\t1.0\ttrain\n",
)
def manifest(data: bytes) -> None:
    path = written("manifest/clips.csv", data)
    try:
        names, found = clips._read(
            path, clips.manifest_streams(path) or ("rgb",), False
        )
        for line in doubts.of_clips(names, found):
            assert "\n" not in line
    except base.RawDataError:
        pass


@target(
    b"label,youtube_id,time_start\nrun,abcdefghi_0,1\n",
    b"run/abcdefghi_0_000001_000002.mp4 0\nsit down/x.avi\n",
    b"abcdefghi_0\nabcdefghi_1\n",
)
def video_list(data: bytes) -> None:
    try:
        for entry in lists.read(written("train.csv", data)):
            assert lists.video_of(entry.video) is not None
            lists.class_of(entry.label)
    except base.RawDataError:
        pass


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


@target(b"S001C002P003R002A013_rgb.avi", b"v_Archery_g01_c02.avi")
def names(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    try:
        assert str(ntu.parse_name(text)) in text
    except ValueError as error:
        assert "NTU RGB+D" in str(error)
    ucf101._NAME.fullmatch(text)
    hmdb51._LIST.fullmatch(text)
    try:
        clips.check_name(text)
    except base.RawDataError:
        pass


@target(
    b"10;Holding [something]\n11;Moving it\n", b'[{"id": "1", "template": "a [b]"}]'
)
def split_list(data: bytes) -> None:
    for name in ("list.csv", "list.json"):
        try:
            list(something._entries(written(name, data)))
        except base.RawDataError:
            pass


@target(
    b"0001\n0002\n0010", b"1.25\n1.50\n0.75", b"f-1\nf+2\nf3", b"03-11-2020\n04-01-2020"
)
def picture_order(data: bytes) -> None:
    stems = data.decode("utf-8", "surrogateescape").split("\n")
    try:
        assert sorted(order.natural(stems)) == list(range(len(stems)))
    except format_errors.UnusableFile:
        pass


@target(
    b"1 Archery\n2 YoYo\0Archery/v_Archery_g01_c01.avi 1\0YoYo/v_YoYo_g02_c01.avi",
)
def ucf_lists(data: bytes) -> None:
    classes, train, test = (data.split(b"\0") + [b"", b""])[:3]
    written("ucf/classInd.txt", classes)
    for number in (1, 2, 3):
        written(f"ucf/trainlist0{number}.txt", train)
        written(f"ucf/testlist0{number}.txt", test)
    written("ucf/v_Archery_g01_c01.avi", b"")
    _official(ucf101.Ucf101, "ucf")


@target(b"a b.avi 1\nc.avi 2\nd.avi 0\n")
def hmdb_lists(data: bytes) -> None:
    for number in (1, 2, 3):
        written(f"hmdb/wave_test_split{number}.txt", data)
    written("hmdb/wave/a b.avi", b"")
    _official(hmdb51.Hmdb51, "hmdb")


@target(
    b'{"Holding [something]": "0", "Moving it": "1"}\0[{"id": "1", "template": "a"}]',
    b'{"A": "0"}\0[{"id": "1", "template": "a", "label": "a"}]',
)
def something_lists(data: bytes) -> None:
    labels, _, clips_of = data.partition(b"\0")
    for name, text in (("labels", labels), ("train", clips_of), ("validation", b"[]")):
        written(f"something/{name}.json", text)
    written("something/1.webm", b"")
    _official(something.Something, "something")


def _official(builder: type[base.ClipBuilder], folder: str) -> None:
    """Reads a data set's lists, without what TFDS adds to a builder."""
    made = object.__new__(builder)
    made.raw = FOLDER / folder
    try:
        for clip in made.clips():
            clip.name.encode()
            assert 0 <= clip.label < len(made.classes)
    except base.RawDataError:
        pass


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


def _jpeg() -> bytes:
    return video.encode_jpeg(np.full((8, 10, 3), 90, np.uint8), 90)


@target(_jpeg())
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
        stream.pix_fmt = "yuvj444p" if codec == "mjpeg" else "yuv420p"
        for _ in range(2):
            picture = np.full((16, 16, 3), 90, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    return path.read_bytes()


@target(_movie("mjpeg", ".avi"), _movie("mpeg4", ".mp4"), _movie("mpeg4", ".mkv"))
def movie(data: bytes) -> None:
    try:
        options = video.VideoOptions(short_side=8, min_frames=1)
        video.read_video(written("a.avi", data), "rgb", options)
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
