"""Files from outside: refused by the documented errors, in bounded time and memory."""

import io
import os
import pathlib
import pickle
import struct
import tracemalloc
import zipfile

import google_crc32c
import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from input_pipeline import tfrecord
from input_pipeline.builders import clips
from input_pipeline.builders.base import RawDataError
from input_pipeline.dataset import DatasetError, PreparedDataset
from input_pipeline.formats import ntu
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.formats.frames import read_frames
from input_pipeline.formats.skeleton import read_skeleton
from input_pipeline.formats.video import VideoOptions, read_video
from input_pipeline.pipeline import eval_batches
from jaxact.backbones.public_weights import WeightsError, read_weights
from jaxact.weights import pickles
from tests.fuzz import targets
from tests.input_pipeline import raw, tiny
from tests.input_pipeline.test_pipeline import INPUTS


@st.composite
def damaged(draw, seeds):
    """A seed with some bytes replaced, removed, doubled or put in."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 12))
        replacement = draw(
            st.one_of(
                st.binary(max_size=12),
                st.sampled_from([b"", b"-1", b"nan", b"1e999", b"99999999999", b"\0"]),
                st.just(bytes(data[at : at + length]) * 2),
            )
        )
        data[at : at + length] = replacement
    return bytes(data)


@pytest.mark.parametrize("name", targets.TARGETS)
def test_damaged_files_raise_nothing_but_what_is_documented(name):
    seeds = targets.SEEDS[name]

    @hypothesis.settings(
        max_examples=25, deadline=None, database=None, derandomize=True
    )
    @hypothesis.given(damaged(seeds) | st.binary(max_size=200))
    def run(data):
        targets.TARGETS[name](data)

    for seed in seeds:
        targets.TARGETS[name](seed)
    run()


@pytest.mark.parametrize(
    ("name", "path"), targets.crashes(), ids=lambda value: str(value).rpartition("/")[2]
)
def test_what_once_was_a_fault_is_none(name, path):
    targets.TARGETS[name](path.read_bytes())


@hypothesis.settings(max_examples=50, deadline=None, database=None, derandomize=True)
@hypothesis.given(
    st.integers(1, 6).flatmap(
        lambda n: st.lists(
            st.lists(st.floats(-9, 9, width=32), min_size=3 * n, max_size=3 * n),
            min_size=1,
            max_size=5,
        )
    )
)
def test_every_table_of_positions_is_read_back(rows):
    folder = targets.FOLDER
    path = folder / "table.csv"
    path.write_text("\n".join(",".join(map(repr, row)) for row in rows))
    expected = np.array(rows, np.float32).reshape(1, len(rows), -1, 3)
    if not expected.any():
        return  # nobody is seen
    fourth = np.array(rows)[:, 4::4]
    told = fourth[fourth != 0]
    if len(rows[0]) % 4 == 1 and (not told.size or np.isin(told, (1, 2)).any()):
        return  # they may be a recorder's times and states
    found = read_skeleton(path)
    there = expected.any(axis=-1)  # a joint at the origin was not seen
    np.testing.assert_array_equal(found.points[there], expected[there])


@hypothesis.settings(max_examples=100, deadline=None, database=None, derandomize=True)
@hypothesis.given(st.tuples(*[st.integers(1, 999)] * 5), st.text(max_size=5))
def test_every_name_is_read_back_or_refused(numbers, rest):
    name = ntu.NtuName(*numbers)
    assert ntu.parse_name(f"{name}_{rest.replace('/', '')}") == name
    assert ntu.parse_name(f"S{str(name)[1:]}.avi") == name


class Attack:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def test_numpys_own_functions_execute_nothing(tmp_path):
    """Reconstruction, scalars and dtypes are stand-ins, whatever they are given."""
    mark = tmp_path / "was_here"
    core = "numpy._core.multiarray"
    for stream in (
        # An array of objects whose state holds a call.
        pickle.dumps(np.array([Attack(os.system, f"touch {mark}")], object)),
        # _reconstruct(os.system, ...): the class it is told to make.
        f"c{core}\n_reconstruct\n(cposix\nsystem\n(I0\nttR.".encode(),
        # scalar(dtype('O'), bytes): a pointer made of bytes, in numpy itself.
        f"c{core}\nscalar\n(cnumpy\ndtype\n(S'O8'\ntRS'AAAAAAAA'\ntR.".encode(),
        # torch's rebuilding by a type of its own choice.
        b"ctorch._tensor\n_rebuild_from_type_v2\n(cposix\nsystem\n(tttR.",
        b"ctorch._tensor\n_rebuild_from_type_v2\n(cbuiltins\neval\n(tttR.",
        # Dotted names, and attributes of what is admitted.
        b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__call__\x93.",
        b"c_codecs\nencode\n(S'a'\nS'zip'\ntR.",
        b"ccollections\nOrderedDict\n(S'__init__'\ncposix\nsystem\ndb.",
    ):
        with pytest.raises((WeightsError, Exception)) as error:
            pickles.load(io.BytesIO(stream))
        path = tmp_path / "weights.bin"
        path.write_bytes(stream)
        with pytest.raises(WeightsError):
            read_weights(path)
        assert not isinstance(error.value, SystemExit)
    assert not mark.exists()


def memory_of(call):
    """Returns the most megabytes that Python and numpy took meanwhile."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def laughs(levels: int, kind: type) -> bytes:
    """A pickle of some hundred bytes that has 2**levels members when it is unfolded."""
    value = kind() if kind is list else {"w": np.ones(1, np.float32)}
    for _ in range(levels):
        value = [value, value] if kind is list else {"a": value, "b": value}
    return pickle.dumps(value)


def holds_itself() -> bytes:
    value: dict = {}
    value["model"] = value
    return pickle.dumps(value)


@pytest.mark.parametrize(
    "data",
    [
        laughs(64, list),
        laughs(64, dict),
        holds_itself(),
        b"\x80\x02N r\xff\xff\xff\x7f.".replace(b" ", b""),  # a memo of 2**31 places
        b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b".",  # a terabyte of bytes
        b"(" * 100_000 + b".",
        b"]" + b"]a" * 50_000 + b".",
        b"I" + b"9" * 100_000 + b"\n.",
    ],
    ids=["lists", "dicts", "itself", "memo", "bytes", "marks", "nested", "digits"],
)
def test_small_pickles_stay_small(tmp_path, data):
    path = tmp_path / "weights.bin"
    path.write_bytes(data)

    def call():
        with pytest.raises(WeightsError):
            read_weights(path)

    assert memory_of(call) < 150


def test_tensors_and_archives_cannot_grow(tmp_path):
    with pytest.raises(WeightsError, match="in a storage of 2 elements"):
        pickles.strided(np.ones(2), 0, (10**6, 10**6), (0, 0))
    assert pickles.strided(np.ones(2), 0, (3, 2), (0, 1)).shape == (3, 2)
    with zipfile.ZipFile(tmp_path / "x.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(10**7))
    with pytest.raises(WeightsError, match="compressed zip archive"):
        read_weights(tmp_path / "x.pt")


ROW = " ".join(["0.5"] * 11 + ["2"]) + "\n"


def npy(shape: str, dtype: str = "<f8") -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()


@pytest.mark.parametrize(
    ("name", "data", "match"),
    [
        ("a.npy", npy("(1000000000000, 25, 3)"), "but the file has"),
        ("a.npy", npy("(1, 2, 3)", "|O"), "undecodable"),
        ("a.npy", npy("(-1, 2, 3)"), "undecodable"),
        (
            "a.csv",
            b"frame,joint,x,y,z\n0,0,1,1,1\n1,9,1,1,1\n3999999999999999999,999,1,1,1\n",
            "have no row",
        ),
        (  # of many persons in one frame each
            "a.csv",
            b"person,frame,joint,x,y,z\n"
            + b"".join(b"%d,%d,%d,1,1,1\n" % (i, i, i % 1000) for i in range(2000)),
            "have no row",
        ),
        ("a.csv", b"1,2," + b"3" * 200_000, "field larger than field limit"),
        ("a.csv", b"1,2,1e400\n", "nobody is seen"),
        ("a.skeleton", b"400000\n0\n", "the file ends where frame 2"),
        ("a.skeleton", b"1" * 5000 + b"\n", "expected the number of frames"),
        (
            "a.skeleton",
            b"1000\n"
            + b"".join(
                b"1\n%d 0 1 1 0 3 1 0 0 2\n25\n" % i + 25 * ROW.encode()
                for i in range(1, 500)
            )
            + b"0\n" * 501,
            "more than a sensor sees",
        ),
        (
            "a.skeleton",
            b"1\n1\n7 0 1 1 0 3 1 0 0 2\n25\n"
            + 25 * ROW.encode().replace(b"0.5", b"1e99"),
            "undecodable",
        ),
    ],
)
def test_skeletons_that_promise_too_much(tmp_path, name, data, match):
    path = tmp_path / name
    path.write_bytes(data)

    def call():
        with pytest.raises(UnusableFile, match=match):
            read_skeleton(path)

    assert memory_of(call) < 200


PLAYLISTS = {
    "concat": "ffconcat version 1.0\nfile other.avi\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.ts\n#EXT-X-ENDLIST\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_video_cannot_have_other_files_read(tmp_path, kind):
    raw.write_video(tmp_path / "other.avi")
    raw.write_video(tmp_path / "other.ts", codec="mpeg4")
    (tmp_path / "a.avi").write_text(PLAYLISTS[kind])
    with pytest.raises(UnusableFile, match="undecodable"):
        read_video(tmp_path / "a.avi", "rgb", VideoOptions())


def test_images_of_other_formats_are_not_opened(tmp_path):
    """EPS would be handed to Ghostscript, whatever the file is called."""
    postscript = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\nshowpage\n"
    (tmp_path / "0.png").write_text(postscript)
    with pytest.raises(UnusableFile, match="0.png is damaged, or of a form"):
        read_frames(tmp_path, "rgb", VideoOptions(min_frames=1))


def test_an_image_that_promises_too_much(tmp_path):
    from PIL import Image

    Image.new("L", (8, 8)).save(tmp_path / "0.png")
    data = bytearray((tmp_path / "0.png").read_bytes())
    data[16:24] = struct.pack(">II", 60_000, 60_000)
    data[29:33] = struct.pack(">I", __import__("zlib").crc32(data[12:29]))
    (tmp_path / "0.png").write_bytes(data)
    with pytest.raises(UnusableFile, match="decompression bomb"):
        read_frames(tmp_path, "ir", VideoOptions(min_frames=1))


def manifest(folder: pathlib.Path, *cells: str, label: str = "wave") -> pathlib.Path:
    lines = [f"{cell},{label},train" for cell in cells]
    path = folder / "clips.csv"
    path.write_text("rgb,label,split\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture
def outside(tmp_path):
    """A folder for the data, and beside it what is nobody's business."""
    (tmp_path / "data").mkdir()
    (tmp_path / "secret" / "frames").mkdir(parents=True)
    (tmp_path / "secret" / "a.avi").write_bytes(b"x")
    (tmp_path / "secret" / "frames" / "1.jpg").write_bytes(b"x")
    (tmp_path / "data" / "link.avi").symlink_to(tmp_path / "secret" / "a.avi")
    (tmp_path / "data" / "folder").symlink_to(tmp_path / "secret")
    (tmp_path / "data" / "frames").mkdir()
    (tmp_path / "data" / "frames" / "1.jpg").symlink_to(
        tmp_path / "secret" / "frames" / "1.jpg"
    )
    return tmp_path / "data"


@pytest.mark.parametrize(
    "cell",
    ["{}/secret/a.avi", "../secret/a.avi", "x/../../secret/a.avi", "link.avi"]
    + ["folder/a.avi", "folder", "frames"],
)
def test_paths_of_a_manifest_stay_inside_unless_asked(outside, cell):
    path = manifest(outside, cell.format(outside.parent))
    with pytest.raises(RawDataError, match="line 2: .* leads out of .*--allow_outside"):
        clips._read(path, ("rgb",), False)
    _, found = clips._read(path, ("rgb",), True)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("cell", "label", "match"),
    [
        ("a\0.avi", "wave", "is no path"),
        ("x" * 5000 + ".avi", "wave", "is no path|line 2"),
        ("a.avi", "99999999999999999999", "as many classes; expected integers"),
        ("a.avi", "9" * 5000, "as many classes; expected integers"),
    ],
)
def test_odd_cells_of_a_manifest_are_named(tmp_path, cell, label, match):
    path = manifest(tmp_path, cell, label=label)
    try:
        clips._read(path, ("rgb",), False)
    except RawDataError as error:
        assert __import__("re").search(match, str(error))
    else:
        assert "x" * 5000 in cell  # some file systems take such names


def test_a_record_that_promises_a_terabyte_is_damage(tmp_path):
    """With a right checksum of its length: TensorFlow would take the memory."""
    folder = tiny.write(tmp_path, [tiny.clip(i) for i in range(3)], 1)
    data = PreparedDataset.open(tmp_path, "tiny")
    path = data.shard_paths[1]
    content = bytearray(path.read_bytes())
    length = struct.pack("<Q", 2**40)
    content[:12] = length + tfrecord._masked(google_crc32c.value(length))
    path.write_bytes(content)
    batches = eval_batches(tiny.config(tmp_path), INPUTS, "test", 1)
    with pytest.raises(DatasetError, match="its length or checksum is wrong"):
        next(batches)
    assert folder.is_dir()
