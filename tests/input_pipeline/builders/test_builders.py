"""Which clips a data set has, with which labels, splits and files."""

import dataclasses
import io
import json
import pickle
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from input_pipeline import howto
from input_pipeline.builders.base import RawDataError
from input_pipeline.builders.clips import Clips, manifest_streams
from input_pipeline.builders.ntu import Ntu60, Ntu120
from input_pipeline.builders.synthetic import Synthetic
from input_pipeline.encode import ClipError, EncodeOptions, encode_clip
from input_pipeline.prepare import plan
from tests.input_pipeline import raw

ALL = EncodeOptions()
VIDEO = EncodeOptions(streams=("rgb", "ir"))


def touch(folder: Path, clips: list[str], streams: tuple[str, ...]) -> None:
    """Make empty files in NTU's layout: the lists are made from names alone."""
    kinds = {
        "rgb": ("nturgb+d_rgb", "_rgb.avi"),
        "ir": ("nturgb+d_ir", "_ir.avi"),
        "skeleton": ("nturgb+d_skeletons", ".skeleton"),
    }
    for stream in streams:
        inner, end = kinds[stream]
        (folder / inner).mkdir(parents=True, exist_ok=True)
        for name in clips:
            (folder / inner / f"{name}{end}").touch()


def test_ntu60_reads_labels_people_and_splits_from_names(tmp_path):
    touch(tmp_path, ["S003C001P002R002A013", "S003C002P003R001A060"], ("rgb", "ir"))
    # NTU 120's clips may lie in the same folder.
    touch(tmp_path, ["S018C002P001R001A061"], ("rgb", "ir"))
    builder = Ntu60(raw=tmp_path, options=VIDEO, data_dir=tmp_path)
    one, two = builder.clips()
    assert (one.name, one.label) == ("S003C001P002R002A013", 12)
    assert (one.setup, one.camera, one.subject, one.replication) == (3, 1, 2, 2)
    assert one.paths["ir"] == tmp_path / "nturgb+d_ir/S003C001P002R002A013_ir.avi"
    assert one.splits == {"xview": "test", "xsub": "train", "xsub_dev": "val"}
    assert two.splits == {"xview": "train", "xsub": "test", "xsub_dev": "test"}
    assert len(builder.classes) == 60
    assert builder.classes[12] == "tear up paper"
    (warning,) = builder.warnings()
    assert warning.startswith("2 clips are here, of 56,880 in ntu60")


def test_ntu120_has_all_setups_and_its_own_protocols(tmp_path):
    touch(tmp_path, ["S018C002P045R001A061", "S003C001P001R001A001"], ("rgb", "ir"))
    builder = Ntu120(raw=tmp_path, options=VIDEO, data_dir=tmp_path)
    old, new = builder.clips()
    assert new.label == 60 and new.splits == {"xsub": "train", "xset": "train"}
    assert old.splits == {"xsub": "train", "xset": "test"}
    assert len(builder.classes) == 120


def test_files_are_found_in_folders_below(tmp_path):
    touch(tmp_path / "disk1" / "s001", ["S001C001P001R001A001"], ("rgb",))
    touch(tmp_path / "disk2", ["S001C001P001R001A001"], ("ir",))
    (clip,) = Ntu60(raw=tmp_path, options=VIDEO, data_dir=tmp_path).clips()
    assert clip.paths["rgb"].parent.parent.name == "s001"


def test_listed_clips_are_left_out_when_skeletons_are_asked_for(tmp_path):
    listed = "S001C002P005R002A008"
    touch(tmp_path, [listed, "S001C002P005R002A009"], ("rgb", "ir", "skeleton"))
    with_skeletons = Ntu60(raw=tmp_path, options=ALL, data_dir=tmp_path)
    assert [clip.name for clip in with_skeletons.clips()] == ["S001C002P005R002A009"]
    assert with_skeletons.excluded() == {"listed as without skeleton": 1}
    without = Ntu60(raw=tmp_path, options=VIDEO, data_dir=tmp_path)
    assert len(without.clips()) == 2 and without.excluded() == {}
    assert len(with_skeletons.missing_skeletons()) == 302
    longer = Ntu120(raw=tmp_path, options=ALL, data_dir=tmp_path).missing_skeletons()
    assert len(longer) == 535 and with_skeletons.missing_skeletons() < longer


def test_a_file_that_is_not_there_is_reported_where_it_should_be(tmp_path):
    raw.write_video(tmp_path / "nturgb+d_rgb/S001C001P001R001A001_rgb.avi")
    raw.write_video(tmp_path / "nturgb+d_ir/S001C001P001R001A002_ir.avi")
    builder = Ntu60(raw=tmp_path, options=VIDEO, data_dir=tmp_path)
    with pytest.raises(ClipError, match=r"nturgb\+d_ir.*A001_ir.avi: missing"):
        encode_clip(builder.clips()[0], builder.options)


@pytest.mark.parametrize(
    ("clips", "streams", "match"),
    [
        ([], (), "does not exist"),
        (["S001C001P001R001A001"], ("rgb",), "no \\*_ir.avi.*Leave ir out"),
        (["S018C001P001R001A061"], ("rgb", "ir"), "None of the files.*ntu60"),
        (["holiday"], ("rgb", "ir"), "holiday_ir.avi.*elsewhere"),
    ],
)
def test_wrong_raw_folders_say_what_to_get(tmp_path, clips, streams, match):
    folder = tmp_path / "raw"
    touch(folder, clips, streams)
    builder = Ntu60(raw=folder, options=VIDEO, data_dir=tmp_path)
    with pytest.raises(RawDataError, match=match):
        builder.clips()


def test_a_clip_that_is_there_twice_is_refused(tmp_path):
    for place in ("one", "two"):
        touch(tmp_path / place, ["S001C001P001R001A001"], ("rgb", "ir"))
    with pytest.raises(RawDataError, match=r"twice: .*one.*two"):
        Ntu60(raw=tmp_path, options=VIDEO, data_dir=tmp_path).clips()


def test_howto_says_what_to_download_where_to_put_it_and_what_to_run():
    text = howto.text("ntu60", "DATA")
    for part in (
        "request form",
        "ROSE",
        "RGB videos (nturgbd_rgb_s001.zip",
        "IR videos (nturgbd_ir_s001.zip",
        "3D skeletons (nturgbd_skeletons_s001_to_s017.zip",
        "RAW/nturgb+d_rgb/*_rgb.avi",
        "python -m input_pipeline.prepare ntu60 --raw RAW --out DATA",
    ):
        assert part in text
    assert "s018_to_s032" in howto.text("ntu120", "DATA")
    assert "--manifest MANIFEST.csv --name mine" in howto.text("mine", "DATA")


def staged(folder: Path, difficulties: list[str]) -> str:
    """One clip of a staged world, whose actor is seen in every other frame."""
    (name,) = raw.ntu_tree(folder, 1)
    (folder / "truth").mkdir()
    truth = {"difficulty": ["dark", "late"]}
    for stream, frames in (("rgb", 8), ("ir", 8)):
        truth[stream] = {
            "visible": [i % 2 == 0 for i in range(frames)],
            "box": [[0.1, 0.2, 0.3, 0.4]] * frames,
        }
    (folder / "truth" / f"{name}.json").write_text(json.dumps(truth))
    world = {"classes": ["sit", "stand"], "difficulties": difficulties}
    (folder / "world.json").write_text(json.dumps(world | {"complete": True}))
    return name


def test_synthetic_adds_difficulties_and_where_the_actor_is(tmp_path):
    staged(tmp_path, ["dark", "warm", "late"])
    builder = Synthetic(raw=tmp_path, options=ALL, data_dir=tmp_path)
    assert builder.classes == ["sit", "stand"]
    (clip,) = builder.clips()
    assert clip.splits == {"xview": "test", "xsub": "train", "xsub_dev": "train"}
    record = encode_clip(clip, builder.options)
    assert record.difficulty == 0b101
    np.testing.assert_array_equal(record.streams["ir"].actor_visible, [True, False] * 4)
    np.testing.assert_allclose(record.streams["rgb"].actor_box[0], [0.1, 0.2, 0.3, 0.4])
    assert not record.streams["rgb"].actor_box[1].any()  # not seen: no box


def test_a_world_staged_anew_is_another_source(tmp_path):
    staged(tmp_path, ["dark", "late"])
    sources = []
    for seed in (0, 0, 1):
        world = json.loads((tmp_path / "world.json").read_text()) | {"seed": seed}
        (tmp_path / "world.json").write_text(json.dumps(world))
        builder = Synthetic(raw=tmp_path, options=ALL, data_dir=tmp_path)
        jobs = plan.shard_jobs(builder, builder.clips(), tmp_path)
        sources.append(plan.plan(builder, jobs))
    assert sources[0] == sources[1] != sources[2]
    (tmp_path / "out" / ".work").mkdir(parents=True)
    plan.check_plan(tmp_path / "out", sources[0])
    plan.check_plan(tmp_path / "out", sources[1])
    with pytest.raises(plan.PrepareError, match="world: not the same"):
        plan.check_plan(tmp_path / "out", sources[2])


def test_truth_that_does_not_fit_its_video_is_a_failure(tmp_path):
    name = staged(tmp_path, ["dark", "late"])
    path = tmp_path / "truth" / f"{name}.json"
    truth = json.loads(path.read_text())
    truth["ir"]["visible"].pop()
    path.write_text(json.dumps(truth))
    builder = Synthetic(raw=tmp_path, options=ALL, data_dir=tmp_path)
    with pytest.raises(ClipError, match=r"truth file .*visible \[7\].*expected \[8\]"):
        encode_clip(builder.clips()[0], builder.options)


def test_unfinished_worlds_say_how_to_stage_them(tmp_path):
    with pytest.raises(RawDataError, match="input_pipeline.synthetic --out"):
        Synthetic(raw=tmp_path, options=ALL, data_dir=tmp_path)
    (tmp_path / "world.json").write_text('{"complete": false, "classes": [], ')
    with pytest.raises(RawDataError, match="damaged"):
        Synthetic(raw=tmp_path, options=ALL, data_dir=tmp_path)


def manifest(folder: Path, text: str) -> Path:
    path = folder / "m.csv"
    path.write_text(text)
    return path


def read(path: Path, streams=("rgb", "ir"), **options) -> Clips:
    return Clips(
        raw=path,
        options=EncodeOptions(streams=streams),
        data_dir=path.parent,
        **options,
    )


def test_manifest_with_absent_modalities_and_class_names(tmp_path):
    path = manifest(
        tmp_path,
        "rgb,ir,label,split,subject\n"
        "v/a.mp4,t/a.mp4,wave,train,3\n"
        "v/b.mp4,,sit,Test,\n"
        "\n"
        ",t/c.mp4,wave,val,7\n",
    )
    builder = read(path, name="mine")
    assert manifest_streams(path) == ("rgb", "ir")
    assert builder.name == "mine" and builder.classes == ["sit", "wave"]
    clips = {clip.name: clip for clip in builder.clips()}
    assert list(clips) == ["t/c", "v/a", "v/b"]
    assert clips["v/a"].paths == {
        "rgb": tmp_path / "v/a.mp4",
        "ir": tmp_path / "t/a.mp4",
    }
    assert clips["v/b"].paths.keys() == {"rgb"} and clips["v/b"].subject == -1
    assert clips["t/c"].splits == {"manifest": "val"} and clips["t/c"].subject == 7
    assert [clip.label for clip in builder.clips()] == [1, 1, 0]


def test_integer_labels_count_from_zero(tmp_path):
    path = manifest(tmp_path, "rgb,label,split\na.mp4,2,train\nb.mp4,0,test\n")
    builder = read(path, ("rgb",))
    assert builder.classes == ["0", "1", "2"]
    assert [clip.label for clip in builder.clips()] == [2, 0]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("rgb,label,splitt\na,1,train\n", "line 1: .*Missing: split. Unknown: splitt"),
        ("label,split\n1,train\n", "Missing: one of rgb, ir, depth, skeleton"),
        ("rgb,rgb,label,split\na,a,1,train\n", "each at most once"),
        ("rgb,label,split\n", "no line for a clip"),
        ("", "columns are none"),
        ("rgb,ir,label,split\na,b,1,train\nc,d,1\n", "line 3: 3 cells.*4 columns"),
        ("rgb,ir,label,split\n,,1,train\n", "line 2: all of rgb, ir are empty"),
        ("rgb,ir,label,split\na,b,1,dev\n", "line 2: the split is 'dev'"),
        ("rgb,ir,label,split\na,b,,train\n", "line 2: the label is empty"),
        (
            "rgb,ir,label,split\na,b,0,train\nc,d,wave,test\n",
            "line 3: the label 'wave'.*line 2 has '0'",
        ),
        (
            "rgb,ir,label,split\na.avi,b,0,train\na.mp4,d,0,test\n",
            "line 3: the clip 'a' stands in line 2",
        ),
        (
            "rgb,ir,label,split,subject\na,b,0,train,Ann\n",
            "line 2: the subject is 'Ann'",
        ),
        ("rgb,ir,label,split\n../a,b,0,train\n", "line 2: '../a' leads out"),
        ("rgb,ir,label,split\n/etc/passwd,b,0,train\n", "'/etc/passwd' leads out"),
        ("rgb,label,split\na,0,train\n", "no column ir, but --streams"),
    ],
)
def test_manifest_errors_name_the_line(tmp_path, text, match):
    with pytest.raises(RawDataError, match=match):
        read(manifest(tmp_path, text))


def test_links_may_not_lead_out_either(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.avi").touch()
    (inside / "a.avi").symlink_to(tmp_path / "secret.avi")
    path = manifest(inside, "rgb,label,split\na.avi,0,train\n")
    with pytest.raises(RawDataError, match="leads out"):
        read(path, ("rgb",))
    (clip,) = read(path, ("rgb",), allow_outside=True).clips()
    assert clip.name == "a"


def test_missing_manifest_and_wrong_name(tmp_path):
    with pytest.raises(RawDataError, match=r"no\.csv does not exist.*rgb, ir"):
        read(tmp_path / "no.csv")
    path = manifest(tmp_path, "rgb,label,split\na.avi,0,train\n")
    with pytest.raises(RawDataError, match="lower-case"):
        read(path, ("rgb",), name="My-Set")


def test_builders_travel_to_other_processes(tmp_path):
    path = manifest(tmp_path, "rgb,label,split\na.avi,0,train\n")
    builder = read(path, ("rgb",), name="mine")
    other = pickle.loads(pickle.dumps(builder))
    assert other.name == "mine" and other.clips() == builder.clips()


@pytest.mark.parametrize("streams", [(), ("rgb", "rgb"), ("rgb", "flow")])
def test_wrong_streams_are_refused(streams):
    with pytest.raises(ValueError, match="expected one or more"):
        EncodeOptions(streams=streams)


def test_builders_leave_options_as_they_were(tmp_path):
    staged(tmp_path, ["dark", "late"])
    builder = Synthetic(raw=tmp_path, options=ALL, data_dir=tmp_path)
    assert ALL.difficulties == ()
    want = dataclasses.replace(ALL, difficulties=("dark", "late"))
    assert builder.options == want
    assert Counter(clip.label for clip in builder.clips()) == {0: 1}


def test_ntu_depth_is_a_folder_of_frames_a_clip(tmp_path):
    name = raw.names(1)[0]
    raw.write_video(tmp_path / "nturgb+d_rgb" / f"{name}_rgb.avi")
    folder = tmp_path / "nturgb+d_depth_masked" / name
    folder.mkdir(parents=True)
    maps = (
        np.full((8, 12, 20), 2000, np.uint16)
        + np.arange(8, dtype=np.uint16)[:, None, None]
    )
    for i, image in enumerate(maps):
        Image.fromarray(image).save(folder / f"MDepth-{i:08d}.png")
    options = EncodeOptions(streams=("rgb", "depth"))
    builder = Ntu60(raw=tmp_path, options=options, data_dir=tmp_path)
    (clip,) = builder.clips()
    assert clip.paths["depth"] == folder
    record = encode_clip(clip, options)
    frames = record.video("depth").frames
    first = [np.asarray(Image.open(io.BytesIO(frame)))[0, 0] for frame in frames]
    assert first == list(range(2000, 2008))
    missing = raw.names(2)[1]
    raw.write_video(tmp_path / "nturgb+d_rgb" / f"{missing}_rgb.avi")
    more = Ntu60(raw=tmp_path, options=options, data_dir=tmp_path).clips()
    with pytest.raises(ClipError, match=f"depth_masked/{missing}: missing"):
        encode_clip(next(c for c in more if c.name == missing), options)
    options = EncodeOptions(streams=("ir", "depth"))
    with pytest.raises(RawDataError, match=r"There is no \*_ir.avi"):
        Ntu60(raw=tmp_path, options=options, data_dir=tmp_path).clips()
    shutil.rmtree(folder)
    options = EncodeOptions(streams=("depth",))
    with pytest.raises(RawDataError, match=r"There is no MDepth-\*.png"):
        Ntu60(raw=tmp_path, options=options, data_dir=tmp_path).clips()
