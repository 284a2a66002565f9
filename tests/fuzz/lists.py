"""Lists that say which clips there are: manifests, official lists, names, folders."""

from input_pipeline.builders import base, clips, hmdb51, lists, something, ucf101
from input_pipeline.formats import errors as format_errors
from input_pipeline.formats import ntu, order
from input_pipeline.prepare import doubts
from tests.fuzz.harness import FOLDER, target, written


@target(
    b"rgb,ir,skeleton,label,split\na.avi,,,wave,train\n,b/c.avi,,sit,test\n",
    b"rgb,label,split,subject,camera,name\na.avi,0,train,3,1,x\nb.avi,2,val,,,y\n",
    b"sep=;\nrgb;label;split;\na\\a.avi;Walk;train;\n#b;walk;test;\nnan;x;val;\n",
    b"\xef\xbb\xbf,rgb\tlabel\tsplit\n0,a.avi\t1.0\ttrain\n",
    b"rgb,label,person,day\na.avi,wave,anna,\nb.avi,sit,,monday\na.avi#1,sit,nan,x\n",
)
def manifest(data: bytes) -> None:
    path = written("manifest/clips.csv", data)
    try:
        streams = clips.manifest_streams(path) or ("rgb",)
        names, found = clips._read(path, streams, False)
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
