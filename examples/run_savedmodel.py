"""Names the action in a clip with TensorFlow, without JAX.

pip install tensorflow av
python examples/run_savedmodel.py MODEL clip.npz
python examples/run_savedmodel.py MODEL rgb=visible.avi ir=infrared.avi
"""

import sys

import clip
import tensorflow as tf


def main(folder: str, *words: str) -> None:
    facts = clip.description(folder, "savedmodel")
    streams = clip.read_clip(list(words), facts)
    model = tf.saved_model.load(folder)
    batch = clip.batched(streams, facts)
    run = model.signatures["serving_default"]
    found = run(**{name: tf.constant(stream) for name, stream in batch.items()})
    clip.show(found["scores"].numpy()[0], facts)


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 2 else sys.exit(__doc__)
