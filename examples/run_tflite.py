"""Names the action in a clip with LiteRT, without JAX or TensorFlow.

pip install ai-edge-litert av
python examples/run_tflite.py MODEL clip.npz
python examples/run_tflite.py MODEL rgb=visible.avi ir=infrared.avi
"""

import sys

import clip

try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:  # TensorFlow has the same one
    from tensorflow.lite.python.interpreter import Interpreter


def main(folder: str, *words: str) -> None:
    facts = clip.description(folder, "tflite")
    streams = clip.read_clip(list(words), facts)
    interpreter = Interpreter(model_path=f"{folder}/model.tflite")
    run = interpreter.get_signature_runner("serving_default")
    clip.show(run(**clip.batched(streams, facts))["scores"][0], facts)


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 2 else sys.exit(__doc__)
