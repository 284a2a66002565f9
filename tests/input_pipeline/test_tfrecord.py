"""What is written without TensorFlow is what TensorFlow would have written."""

import numpy as np
import pytest
import tensorflow as tf

from input_pipeline import tfrecord


@pytest.mark.parametrize("size", [0, 1, 2, 3, 63, 64, 65, 1000, 4095, 4097, 70_001])
def test_records_are_tensorflows_byte_for_byte(tmp_path, size):
    data = np.random.default_rng(size).integers(0, 256, size, np.uint8).tobytes()
    with tf.io.TFRecordWriter(str(tmp_path / "a")) as writer:
        writer.write(data)
    for pieces in ([data], [data[: size // 3], b"", data[size // 3 :]]):
        found = b"".join(tfrecord.framed(pieces))
        assert found == (tmp_path / "a").read_bytes()
        assert len(found) == size + tfrecord.FRAMING


def test_examples_are_tensorflows_byte_for_byte():
    features = {
        "words": ("bytes", [b"", b"one", bytes(300)]),
        "b/none": ("bytes", []),
        "numbers": ("int64", [0, 1, 127, 128, -1, 2**63 - 1, -(2**63)]),
        "b/no numbers": ("int64", []),
        "true": ("int64", np.array([True, False])),
        "reals": ("float", np.array([0.1, -2.5, np.inf], np.float32)),
        "a/no reals": ("float", np.zeros(0, np.float32)),
        "\u00e9": ("float", [1.0]),
    }
    example = tf.train.Example()
    for name, (kind, values) in features.items():
        values = list(values) if kind == "bytes" else np.asarray(values).tolist()
        feature = getattr(example.features.feature[name], f"{kind}_list")
        feature.SetInParent()
        feature.value.extend(int(v) if kind == "int64" else v for v in values)
    want = example.SerializeToString(deterministic=True)
    assert b"".join(map(bytes, tfrecord.example(features))) == want
