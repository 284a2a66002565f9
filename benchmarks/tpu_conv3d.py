"""What the TPU compiler makes of both forms of I3D's layers; no TPU is needed.

    pip install -e ".[tpu]"
    python -m benchmarks.tpu_conv3d --slice v5e:2x4

Value and gradients of single layers, four clips of 32 x 224 x 224 in bfloat16, compiled
for one chip. Printed are the processor's seconds of the compiler (a busy machine makes
them no longer), and by its own count the operations, the bytes moved to and from the
chip's memory, and what is kept there on the way.
"""

import argparse
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import SingleDeviceSharding

from jaxact.ahead_of_time import compile as aot
from jaxact.devices import platform
from jaxact.layers.conv3d import conv3d, max_pool3d, same_padding

CLIPS = 4
# Size of the map, channels in (and out, of a convolution), window and stride.
LAYERS = {
    "conv1, 7x7x7": ((32, 224, 224), (3, 64), 7, 2),
    "mixed_3b, 3x3x3": ((16, 28, 28), (96, 128), 3, 1),
    "mixed_3b, maxima 3x3x3": ((16, 28, 28), (192,), 3, 1),
}


def measure(
    name: str,
    function: Callable[..., jax.Array],
    shapes: Sequence[tuple[int, ...]],
    device: Any,
) -> None:
    """Compiles value and gradients, except that of a video, and prints a row."""

    def value(*arrays: jax.Array) -> jax.Array:
        return jnp.sin(function(*arrays)).astype(jnp.float32).sum()

    inputs = [
        jax.ShapeDtypeStruct(shape, jnp.bfloat16, sharding=SingleDeviceSharding(device))
        for shape in shapes
    ]
    wanted = [i for i, shape in enumerate(shapes) if shape[-1] != 3]
    lowered = jax.jit(jax.value_and_grad(value, wanted)).lower(*inputs)
    start = time.process_time()
    compiled = lowered.compile()
    seconds = time.process_time() - start
    cost: Any = compiled.cost_analysis()
    memory: Any = compiled.memory_analysis()
    print(
        f"{name:<32} {seconds:6.1f} s {cost['flops'] / 1e9:8.1f} GFLOP "
        f"{cost['bytes accessed'] / 2**20:8,.0f} MiB moved "
        f"{memory.temp_size_in_bytes / 2**20:7,.0f} MiB kept",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slice", default="v5e:2x4")
    args = parser.parse_args()
    device = aot.topology_devices(args.slice)[0]
    with platform.compiling_for("tpu"):
        for name, (size, channels, width, stride) in LAYERS.items():
            window, strides = (width,) * 3, (stride,) * 3
            shapes: list[tuple[int, ...]] = [(CLIPS, *size, channels[0])]
            places = {
                "strides": strides,
                "padding": same_padding(size, window, strides),
            }
            layer: Callable[..., jax.Array] = conv3d
            if len(channels) == 2:
                shapes.append((*window, *channels))
            else:
                layer = functools.partial(max_pool3d, window=window)
            for form in ("native", "taps"):
                function = functools.partial(layer, **places, form=form)
                measure(f"{name}, {form}", function, shapes, device)


if __name__ == "__main__":
    main()
