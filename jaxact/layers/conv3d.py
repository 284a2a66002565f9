"""3-D convolution and pooling, computed the way the backend is good at.

XLA has no fast 3-D kernels on CPU: a 3x3x3 convolution takes several times as long as
PyTorch's, a 7x7x7 one ten times, and so do windowed maxima. For TPU its convolutions
compile slowly and move more bytes (the stem of I3D 4.6 times as many by the compiler's
count, see benchmarks/tpu_conv3d.py), its maxima fewer. For GPU it makes the gradient of
maxima a scatter, which adds in any order. Where that is so the same sums are arranged
as 2-D convolutions, and maxima are taken axis by axis. All forms are equal to rounding;
`form` names one ("native", "taps"), "auto" asks the platform.
"""

import math
from collections.abc import Sequence

import einops
import jax
import jax.numpy as jnp
import numpy as np

from jaxact.devices import platform
from jaxact.layers.pointwise import pointwise
from jaxact.ledger import BY_ELEMENT

FORMS = ("auto", "native", "taps")
NATIVE_CONVOLUTION = ("gpu",)  # platforms on which "auto" is "native"
NATIVE_POOLING = ("tpu",)

Padding = Sequence[tuple[int, int]]  # before and after, of t, h and w


def chosen_form(form: str, native: Sequence[str]) -> str:
    """Returns "native" or "taps"; "auto" is "native" on the named platforms."""
    if form not in FORMS:
        raise ValueError(f"Got form {form!r} of 3-D convolution; choose of {FORMS}.")
    if form == "auto":
        return "native" if platform.platform() in native else "taps"
    return form


def same_padding(
    size: Sequence[int], window: Sequence[int], strides: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    """Returns the integers that TensorFlow pads with in mode SAME.

    An axis gets ``ceil(size / stride)`` outputs, and the odd element, if any, goes
    behind: 224 with window 7 and stride 2 is padded by (2, 3), where torch has (3, 3).
    """
    result = []
    for n, k, s in zip(size, window, strides, strict=True):
        total = max((-(-n // s) - 1) * s + k - n, 0)
        result.append((total // 2, total - total // 2))
    return tuple(result)


def conv3d(
    x: jax.Array,
    kernel: jax.Array,
    strides: Sequence[int],
    padding: Padding,
    form: str = "auto",
) -> jax.Array:
    """Convolves ``[b t h w i]`` with ``[k l m i o]``, as all of deep learning does it.

    ``y[t, h, w] = sum_klm x[s t + k, s h + l, s w + m] kernel[k, l, m]`` of the padded
    x. "taps" puts the frames that one output frame sees side by side as channels: one
    2-D convolution of k times as many of them. A window of one place is a matrix
    product in either form.
    """
    native = chosen_form(form, NATIVE_CONVOLUTION) == "native"
    if native and math.prod(kernel.shape[:3]) > 1:
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            strides,
            padding,
            dimension_numbers=("NDHWC", "DHWIO", "NDHWC"),
        )
    x = _frames(x, kernel.shape[0], strides[0], padding[0])
    kernel = einops.rearrange(kernel, "k l m i o -> l m (k i) o")
    if kernel.shape[:2] == (1, 1) and not any(map(any, padding[1:])):
        x = x[:, :, :: strides[1], :: strides[2]]
        return pointwise(x, kernel[0, 0])
    y = jax.lax.conv_general_dilated(
        einops.rearrange(x, "b t h w c -> (b t) h w c"),
        kernel,
        strides[1:],
        padding[1:],
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return einops.rearrange(y, "(b t) h w c -> b t h w c", b=x.shape[0])


def depthwise_conv3d(
    x: jax.Array,
    kernel: jax.Array,
    strides: Sequence[int],
    padding: Padding,
    form: str = "auto",
) -> jax.Array:
    """Convolves each channel of ``[b t h w c]`` by itself with ``[k l m c]``.

    "taps" adds up shifted products, which every platform and every export format has;
    grouped convolutions in three axes are slow in XLA and missing in LiteRT.
    """
    if chosen_form(form, NATIVE_CONVOLUTION) == "native":
        return jax.lax.conv_general_dilated(
            x,
            kernel[:, :, :, None],
            strides,
            padding,
            dimension_numbers=("NDHWC", "DHWIO", "NDHWC"),
            feature_group_count=x.shape[-1],
        )
    x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    total: jax.Array | None = None
    for k, frames in enumerate(_shifted(x, 1, kernel.shape[0], strides[0])):
        for m, rows in enumerate(_shifted(frames, 2, kernel.shape[1], strides[1])):
            columns = _shifted(rows, 3, kernel.shape[2], strides[2])
            for n, part in enumerate(columns):
                with jax.named_scope(BY_ELEMENT):
                    product = part * kernel[k, m, n].reshape(1, 1, 1, 1, -1)
                total = product if total is None else total + product
    assert total is not None
    return total


def _frames(x: jax.Array, taps: int, stride: int, pad: tuple[int, int]) -> jax.Array:
    """Puts neighbouring frames side by side: ``[b t h w c] -> [b s h w k*c]``."""
    if taps == 1 and stride == 1:
        return x
    x = jnp.pad(x, ((0, 0), pad, (0, 0), (0, 0), (0, 0)))
    return jnp.concatenate(_shifted(x, 1, taps, stride), axis=-1)


def _shifted(x: jax.Array, axis: int, window: int, stride: int) -> list[jax.Array]:
    """Returns for each place in the window what stands there, over all outputs."""
    size = (x.shape[axis] - window) // stride + 1
    return [
        jax.lax.slice_in_dim(x, k, k + stride * (size - 1) + 1, stride, axis)
        for k in range(window)
    ]


def max_pool3d(
    x: jax.Array,
    window: Sequence[int],
    strides: Sequence[int],
    padding: Padding,
    form: str = "auto",
) -> jax.Array:
    """Takes maxima of ``[b t h w c]`` over windows; padding never wins.

    "taps" takes them axis by axis, of shifted copies. Where two elements are equal the
    forms may give the gradient to different ones.
    """
    if chosen_form(form, NATIVE_POOLING) == "native":
        return jax.lax.reduce_window(
            x,
            -np.inf,  # a constant: only then JAX knows this as a maximum
            jax.lax.max,
            (1, *window, 1),
            (1, *strides, 1),
            ((0, 0), *padding, (0, 0)),
        )
    sides = zip(window, strides, padding, strict=True)
    for axis, (size, stride, pad) in enumerate(sides, 1):
        if any(pad):
            every = [(0, 0)] * x.ndim
            every[axis] = pad
            x = jnp.pad(x, every, constant_values=-jnp.inf)
        first, *others = _shifted(x, axis, size, stride)
        for other in others:
            first = jnp.maximum(first, other)
        x = first
    return x
