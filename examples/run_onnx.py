"""Names the action in a clip with ONNX Runtime, without JAX.

pip install onnxruntime av
python examples/run_onnx.py MODEL clip.npz
python examples/run_onnx.py MODEL rgb=visible.avi ir=infrared.avi
"""

import sys

import clip
import onnxruntime


def main(folder: str, *words: str) -> None:
    facts = clip.description(folder, "onnx")
    streams = clip.read_clip(list(words), facts)
    session = onnxruntime.InferenceSession(
        f"{folder}/model.onnx", providers=["CPUExecutionProvider"]
    )
    (scores,) = session.run(["scores"], clip.batched(streams, facts))
    clip.show(scores[0], facts)


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 2 else sys.exit(__doc__)
