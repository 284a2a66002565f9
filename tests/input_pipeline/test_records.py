"""Records survive the way to bytes and back, and foreign ones are refused."""

import numpy as np
import pytest
import tensorflow as tf

from input_pipeline import records


def a_record() -> records.Record:
    """Two streams, ground truth for one of them, and a skeleton."""
    random = np.random.default_rng(0)
    return records.Record(
        name="S001C002P003R001A004",
        label=3,
        subject=3,
        camera=2,
        setup=1,
        replication=1,
        difficulty=5,
        streams={
            "rgb": records.Video(
                frames=[b"one", b"three", b""],
                height=24,
                width=32,
                actor_visible=np.array([True, False, True]),
                actor_box=random.random((3, 4), np.float32),
            ),
            "ir": records.Video(
                frames=[b"warm"], height=20, width=30, levels=(2.5, 4e9)
            ),
            "skeleton": records.Skeleton(
                points=random.standard_normal((2, 5, 25, 3)).astype(np.float32),
                tracked=random.random((2, 5, 25)) < 0.5,
            ),
        },
    )


def test_round_trip_keeps_every_value():
    record = a_record()
    back = records.decode(records.encode(record))
    assert back.name == record.name
    for key in ("label", "subject", "camera", "setup", "replication", "difficulty"):
        assert getattr(back, key) == getattr(record, key), key
    assert back.streams["rgb"].frames == record.streams["rgb"].frames
    assert (back.streams["rgb"].height, back.streams["rgb"].width) == (24, 32)
    np.testing.assert_array_equal(
        back.streams["rgb"].actor_visible, record.streams["rgb"].actor_visible
    )
    np.testing.assert_array_equal(
        back.streams["rgb"].actor_box, record.streams["rgb"].actor_box
    )
    assert back.streams["ir"].frames == [b"warm"]
    assert back.streams["ir"].levels == (2.5, 4e9)
    assert back.streams["rgb"].levels is None
    assert (
        back.streams["ir"].actor_visible is None
        and back.streams["ir"].actor_box is None
    )
    np.testing.assert_array_equal(
        back.streams["skeleton"].points, record.streams["skeleton"].points
    )
    np.testing.assert_array_equal(
        back.streams["skeleton"].tracked, record.streams["skeleton"].tracked
    )


def test_absent_streams_are_empty_lists():
    bare = records.Record(name="x", label=0)
    features = records.to_features(bare)
    assert features["rgb/frames"] == [] and len(features["skeleton/points"]) == 0
    assert features["rgb/height"] == [0] and features["skeleton/shape"] == [0, 0, 0]
    assert records.decode(records.encode(bare)) == bare


def test_bytes_are_the_same_every_time():
    assert records.encode(a_record()) == records.encode(a_record())


def test_tensorflow_parses_with_the_spec():
    parsed = tf.io.parse_single_example(
        records.encode(a_record()), records.parse_spec(records.schema())
    )
    assert parsed.keys() == records.schema().keys()
    assert parsed["label"].numpy() == 3
    assert parsed["ir/frames"].numpy().tolist() == [b"warm"]
    assert parsed["skeleton/shape"].numpy().tolist() == [2, 5, 25]
    assert parsed["rgb/actor_box"].shape == (12,)
    some = tf.io.parse_single_example(
        records.encode(records.Record(name="x", label=7)),
        records.parse_spec((records.LABEL, "rgb/frames")),
    )
    assert some["label"].numpy() == 7 and some["rgb/frames"].shape == (0,)


def test_schema_error_says_expected_and_found():
    message = tf.train.Example.FromString(records.encode(a_record()))
    del message.features.feature["camera"]
    message.features.feature["flow/frames"].bytes_list.value.append(b"x")
    message.features.feature["label"].float_list.value.append(1.0)
    with pytest.raises(records.RecordError) as caught:
        records.decode(message.SerializeToString(), "shard 7")
    text = str(caught.value)
    assert "shard 7" in text and "input_pipeline.prepare" in text
    assert "camera: expected int64 x 1, found nothing" in text
    assert "flow/frames: expected nothing, found bytes x 1" in text
    assert "label: expected int64 x 1, found float x 1" in text
    records.decode(records.encode(a_record()))


def test_bytes_that_are_no_example_are_refused():
    with pytest.raises(records.RecordError, match=r"shard 3 is no tf.train.Example"):
        records.decode(b"\xff\xff\xff", "shard 3")


def test_truth_must_have_one_value_a_frame():
    record = a_record()
    record.streams["rgb"].actor_box = record.streams["rgb"].actor_box[:2]
    with pytest.raises(records.RecordError, match=r"8 values .* 3 frames; expected 12"):
        records.encode(record)


def test_skeleton_must_agree_with_its_flags():
    record = a_record()
    record.streams["skeleton"].tracked = record.streams["skeleton"].tracked[:1]
    with pytest.raises(records.RecordError, match=r"expected \[m t v 3\]"):
        records.encode(record)
