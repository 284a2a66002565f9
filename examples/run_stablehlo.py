"""Names the action in a clip with JAX alone: none of the model's code.

pip install jax av
python examples/run_stablehlo.py MODEL clip.npz
python examples/run_stablehlo.py MODEL rgb=visible.avi ir=infrared.avi
"""

import pathlib
import sys

import clip
import jax.export
import numpy as np


def main(folder: str, *words: str) -> None:
    facts = clip.description(folder, "stablehlo")
    streams = clip.read_clip(list(words), facts)
    data = (pathlib.Path(folder) / "model.stablehlo").read_bytes()
    model = jax.export.deserialize(bytearray(data))
    found = model.call(clip.batched(streams, facts))
    clip.show(np.asarray(found["scores"])[0], facts)


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 2 else sys.exit(__doc__)
