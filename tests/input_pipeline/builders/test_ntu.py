"""NTU RGB+D's clips: labels, people, protocols and files."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from input_pipeline.builders.base import RawDataError
from input_pipeline.builders.ntu import Ntu60, Ntu120
from input_pipeline.encode import ClipError, EncodeOptions, encode_clip
from tests.input_pipeline import raw
from tests.input_pipeline.builders.test_base import ALL

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


def twice(splits):
    """The splits of a clip that has all its files, as those of its videos too."""
    return splits | {f"{protocol}_videos": split for protocol, split in splits.items()}


def test_ntu60_reads_labels_people_and_splits_from_names(tmp_path):
    touch(tmp_path, ["S003C001P002R002A013", "S003C002P003R001A060"], ("rgb", "ir"))
    # NTU 120's clips may lie in the same folder.
    touch(tmp_path, ["S018C002P001R001A061"], ("rgb", "ir"))
    builder = Ntu60(raw=tmp_path, options=VIDEO, data_dir=tmp_path)
    one, two = builder.clips()
    assert (one.name, one.label) == ("S003C001P002R002A013", 12)
    assert (one.setup, one.camera, one.subject, one.replication) == (3, 1, 2, 2)
    assert one.paths["ir"] == tmp_path / "nturgb+d_ir/S003C001P002R002A013_ir.avi"
    assert one.splits == twice({"xview": "test", "xsub": "train", "xsub_dev": "val"})
    assert two.splits == twice({"xview": "train", "xsub": "test", "xsub_dev": "test"})
    assert len(builder.classes) == 60
    assert builder.classes[12] == "tear up paper"
    (warning,) = builder.warnings()
    assert warning.startswith("2 clips are here, of 56,880 in ntu60")


def test_ntu120_has_all_setups_and_its_own_protocols(tmp_path):
    touch(tmp_path, ["S018C002P045R001A061", "S003C001P001R001A001"], ("rgb", "ir"))
    builder = Ntu120(raw=tmp_path, options=VIDEO, data_dir=tmp_path)
    old, new = builder.clips()
    assert new.label == 60 and new.splits == twice({"xsub": "train", "xset": "train"})
    assert old.splits == twice({"xsub": "train", "xset": "test"})
    assert len(builder.classes) == 120


def test_files_are_found_in_folders_below(tmp_path):
    touch(tmp_path / "disk1" / "s001", ["S001C001P001R001A001"], ("rgb",))
    touch(tmp_path / "disk2", ["S001C001P001R001A001"], ("ir",))
    (clip,) = Ntu60(raw=tmp_path, options=VIDEO, data_dir=tmp_path).clips()
    assert clip.paths["rgb"].parent.parent.name == "s001"


def test_listed_clips_are_stored_without_their_skeletons(tmp_path):
    """For the protocols of videos alone; of skeletons alone nothing is stored."""
    listed, other = "S001C002P005R002A008", "S001C002P005R002A009"
    touch(tmp_path, [listed, other], ("rgb", "ir", "skeleton"))
    builder = Ntu60(raw=tmp_path, options=ALL, data_dir=tmp_path)
    one, two = builder.clips()
    assert (one.name, two.name) == (listed, other) and builder.excluded() == {}
    assert set(one.paths) == {"rgb", "ir"} and set(two.paths) == set(ALL.streams)
    assert two.splits == twice({"xview": "train", "xsub": "train", "xsub_dev": "val"})
    assert one.splits == {x: y for x, y in two.splits.items() if x.endswith("_videos")}
    alone = EncodeOptions(streams=("skeleton",))
    skeletons = Ntu60(raw=tmp_path, options=alone, data_dir=tmp_path)
    assert [clip.name for clip in skeletons.clips()] == [other]
    assert skeletons.excluded() == {"listed as without skeleton": 1}
    without = Ntu60(raw=tmp_path, options=VIDEO, data_dir=tmp_path)
    assert [clip.splits for clip in without.clips()] == [two.splits] * 2
    assert len(builder.missing_skeletons()) == 302
    longer = Ntu120(raw=tmp_path, options=ALL, data_dir=tmp_path).missing_skeletons()
    assert len(longer) == 535 and builder.missing_skeletons() < longer


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
