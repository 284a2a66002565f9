"""Modules in which streams of unlike shape inform one another: MMTM, DSFM, TIAM, MFFM.

Alphabet: b batch, t frames, s positions in a frame, c channels, z a joint embedding;
"..." are a stream's axes of time and space, as many as it has. What is squeezed to one
vector a stream is computed in float32, whatever the streams are in.
"""

from typing import Any, Literal

import einops
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from jaxact.layers.batch_norm import EPSILON, MOMENTUM
from jaxact.strict import check_choice

MMTMVariant = Literal["paper", "code"]


def squeeze(x: jax.Array) -> jax.Array:
    """Averages ``[b ... c]`` over time and space: ``[b c]`` float32."""
    return einops.reduce(x.astype(jnp.float32), "b ... c -> b c", "mean")


def scale_channels(x: jax.Array, scale: jax.Array) -> jax.Array:
    """Multiplies ``[b ... c]`` by ``[b c]``."""
    shape = (x.shape[0], *(1,) * (x.ndim - 2), x.shape[-1])
    return x * scale.reshape(shape).astype(x.dtype)


def _norm(dtype: DTypeLike, name: str, **fields: Any) -> nn.BatchNorm:
    return nn.BatchNorm(
        momentum=MOMENTUM,
        epsilon=EPSILON,
        dtype=dtype,
        name=name,
        **fields,
    )


class MMTM(nn.Module):
    """Multimodal transfer module (Joze et al., CVPR 2020): joint squeeze, own gates.

    ``Z = W [S_A, S_B] + b``, ``E_A = W_A Z + b_A``, ``A~ = 2 sigmoid(E_A) A``
    (CC-DFARM eq. 3-8), S the averages over time and space, Z of width
    ``2 (C_A + C_B) / ratio``.

    Attributes:
      ratio: see above.
      variant: "paper" as written; "code" as published: ReLU after W, plain sigmoid.
      open_at_first: W_A and W_B start at zero, and the paper's gates thus at 1.
    """

    ratio: int = 4
    variant: MMTMVariant = "paper"
    open_at_first: bool = False

    @nn.compact
    def __call__(self, *streams: jax.Array) -> tuple[jax.Array, ...]:
        """Returns the streams ``[b ... c]``, two or more, with scaled channels."""
        check_choice("variant", MMTMVariant, self.variant)
        joint = jnp.concatenate([squeeze(x) for x in streams], axis=-1)
        if not 0 < self.ratio <= 2 * joint.shape[-1]:
            raise ValueError(
                f"Got ratio {self.ratio} of MMTM; expected 1 to twice the channels of "
                f"all streams together, {2 * joint.shape[-1]}."
            )
        z = nn.Dense(2 * joint.shape[-1] // self.ratio, name="squeeze")(joint)
        if self.variant == "code":
            z = nn.relu(z)
        gain = 2.0 if self.variant == "paper" else 1.0
        start = nn.initializers.lecun_normal()
        if self.open_at_first:
            start = nn.initializers.zeros_init()
        scaled = []
        for index, x in enumerate(streams):
            gate = nn.Dense(x.shape[-1], kernel_init=start, name=f"excite_{index}")(z)
            scaled.append(scale_channels(x, gain * jax.nn.sigmoid(gate)))
        return tuple(scaled)


class DSFM(nn.Module):
    """Split attention over blocks of channels of all streams (CC-DFARM eq. 9-14).

    The channels of every stream are cut into blocks of ``block``; the last one may be
    shorter, and counts as filled up with zeros. With ``D_m`` the sum of stream m's
    blocks, averaged over time and space::

        Z = ReLU(BN(W_Z sum_m D_m + b_Z))         of width block / reduction
        A = softmax over all blocks of all streams of W_i Z + b_i, channel by channel
        block_i * (balance + (1 - balance) A_i)

    The same as MSAF (Su et al. 2020), whose code the two unstated numbers are from.
    ``W_i`` start at zero, so that a fresh module treats all blocks alike.

    Attributes:
      block, reduction: see above.
      balance: the paper's lambda.
      standardised: each D_m has mean 0 and variance 1 over clips before the sum. Plain
        sums follow the stream whose features spread widest: over clips those of I3D's
        maps spread 2.6 to 49 times as wide as those of HCN's.
      masked: channels with which a last block is filled up take no part in the softmax;
        as printed they can take all of the attention of a place.
    """

    block: int
    reduction: int = 4
    balance: float = 0.5
    standardised: bool = False
    masked: bool = False

    @nn.compact
    def __call__(
        self, *streams: jax.Array, train: bool = False
    ) -> tuple[jax.Array, ...]:
        """Returns the streams ``[b ... c]`` with scaled channels, and keeps shapes."""
        if self.block < self.reduction:
            raise ValueError(
                f"Got blocks of {self.block} channels for DSFM; expected "
                f"{self.reduction} or more, since it squeezes so many into one."
            )
        counts = [-(-x.shape[-1] // self.block) for x in streams]
        descriptors = [
            einops.reduce(
                _filled(squeeze(x), count * self.block),
                "b (i c) -> b c",
                "sum",
                i=count,
            )
            for x, count in zip(streams, counts, strict=True)
        ]
        if self.standardised:
            plain = {"use_bias": False, "use_scale": False}
            plain["use_running_average"] = not train
            descriptors = [
                _norm(jnp.float32, f"stream_norm_{index}", **plain)(descriptor)
                for index, descriptor in enumerate(descriptors)
            ]
        joint = sum(descriptors)
        z = nn.Dense(self.block // self.reduction, name="embed")(joint)
        z = nn.relu(_norm(jnp.float32, "norm", use_running_average=not train)(z))
        logits = nn.Dense(
            sum(counts) * self.block,
            kernel_init=nn.initializers.zeros_init(),
            name="attend",
        )(z)
        logits = einops.rearrange(logits, "b (i c) -> b i c", c=self.block)
        if self.masked:
            real = np.concatenate(
                [
                    np.arange(count * self.block) < x.shape[-1]
                    for x, count in zip(streams, counts, strict=True)
                ]
            ).reshape(1, -1, self.block)
            logits = jnp.where(real, logits, -jnp.inf)
        attention = jax.nn.softmax(logits, axis=1)
        scale = self.balance + (1.0 - self.balance) * attention
        ends = [sum(counts[: index + 1]) for index in range(len(counts))]
        scaled = []
        for x, count, end in zip(streams, counts, ends, strict=True):
            own = einops.rearrange(scale[:, end - count : end], "b i c -> b (i c)")
            scaled.append(scale_channels(x, own[:, : x.shape[-1]]))
        return tuple(scaled)


def _filled(x: jax.Array, size: int) -> jax.Array:
    """Appends zero channels to ``[b c]`` up to ``size``."""
    return jnp.pad(x, ((0, 0), (0, size - x.shape[-1])))


class TIAM(nn.Module):
    """Two streams reweight each other's time and space (CC-DFARM eq. 15-18).

    For i in {A, B}: ``R_i = conv(BN(P_i))`` with shared and ``E_i = conv_i(BN(P_i))``
    with own 1x1 convolutions. ``Y_1 [t t]`` and ``Y_2 [s s]`` are the softmax of the
    Gram matrices of E_A (rows) and E_B (columns) over time and over space, all other
    axes contracted. ``Z_A = Y_1^T R_A Y_2``, ``Z_B = Y_1 R_B Y_2^T``; the result is
    ``P_i + BN(conv(Z_i))``, whose last norm starts at zero: the identity.

    The paper's indices do not close; this is the reading that does.

    Attributes:
      width: channels of R and E; 0: those of the streams.
      scaled: divide the Gram matrices by the square root of the number of contracted
        elements, as attention does; the paper does not.
    """

    width: int = 0
    scaled: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, a: jax.Array, b: jax.Array, *, train: bool = False
    ) -> tuple[jax.Array, jax.Array]:
        """Takes and returns ``[b t ... c]``, "..." one or more axes of space."""
        if a.shape != b.shape:
            raise ValueError(
                f"Got streams of {a.shape} and {b.shape}; TIAM compares them position "
                "by position and expects one shape."
            )
        shape, channels = a.shape, a.shape[-1]
        width = self.width or channels

        def conv(features: int, name: str) -> nn.Dense:
            return nn.Dense(features, use_bias=False, dtype=self.dtype, name=name)

        streams = [x.reshape(*shape[:2], -1, channels) for x in (a, b)]
        normed = [
            _norm(self.dtype, f"norm_{i}", use_running_average=not train)(x)
            for i, x in zip("ab", streams, strict=True)
        ]
        shared = conv(width, "shared")
        r_a, r_b = (shared(x) for x in normed)
        e_a, e_b = (
            conv(width, f"own_{i}")(x) for i, x in zip("ab", normed, strict=True)
        )
        t, s = e_a.shape[1:3]
        over_time = self._softmax(
            jnp.einsum("btsc,busc->btu", e_a, e_b, preferred_element_type=jnp.float32),
            s * width,
        ).astype(self.dtype)
        over_space = self._softmax(
            jnp.einsum("btsc,btrc->bsr", e_a, e_b, preferred_element_type=jnp.float32),
            t * width,
        ).astype(self.dtype)
        z_a = jnp.einsum("btu,btsc,bsr->burc", over_time, r_a, over_space)
        z_b = jnp.einsum("btu,burc,bsr->btsc", over_time, r_b, over_space)
        results = []
        for i, x, z in zip("ab", streams, (z_a, z_b), strict=True):
            last = _norm(
                self.dtype,
                f"out_norm_{i}",
                scale_init=nn.initializers.zeros_init(),
                use_running_average=not train,
            )
            y = x + last(conv(channels, f"out_{i}")(z))
            results.append(y.astype(x.dtype).reshape(shape))
        return results[0], results[1]

    def _softmax(self, gram: jax.Array, contracted: int) -> jax.Array:
        return jax.nn.softmax(gram * (contracted**-0.5 if self.scaled else 1.0))


class MFFM(nn.Module):
    """Fuses a map with another stream, channels first, then places (eq. 19-23).

    ``F = [F_1, F_2]``, ``w_ch = sigmoid(conv(avgpool F))``, ``F_ch = conv(w_ch F)``
    with the channels of F_1, ``w_sp = sigmoid(conv(F_1) + conv(F_2))`` of one channel;
    the result is ``w_sp F_ch``. All convolutions are 1x1x1.

    A second stream of other channels is projected to those of F_1 first; one without
    axes of time and space is the same everywhere: as printed, it can brighten or darken
    the map and not point into it. With ``places`` it can: where a joint is, F_2 has a
    learned vector of that joint more. They start at 0, so that the gate starts as
    printed. That is a reading of our own, in no paper.
    """

    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, first: jax.Array, second: jax.Array, places: jax.Array | None = None
    ) -> jax.Array:
        """Fuses ``[b ... c]`` with ``[b ... d]`` or ``[b d]`` to ``[b ... c]``.

        Args:
          first, second: F_1 and F_2.
          places: ``[b ... v]``, what of each joint lies where, see
            `jaxact.layers.joint_map`; None: as printed.
        """
        channels = first.shape[-1]

        def conv(features: int, name: str) -> nn.Dense:
            return nn.Dense(features, dtype=self.dtype, name=name)

        if second.shape[-1] != channels:
            second = conv(channels, "project")(second)
        if second.ndim == 2:
            ones = (1,) * (first.ndim - 2)
            second = second.reshape(second.shape[0], *ones, channels)
        second = jnp.broadcast_to(second, first.shape).astype(first.dtype)
        if places is not None:
            of_joints = nn.Dense(
                channels,
                use_bias=False,
                kernel_init=nn.initializers.zeros_init(),
                dtype=self.dtype,
                name="joints",
            )
            second = second + of_joints(places.astype(self.dtype)).astype(second.dtype)
        shape = first.shape
        # One axis of places: LiteRT has no product over five where all but one are 1.
        first, second = (x.reshape(shape[0], -1, channels) for x in (first, second))
        both = jnp.concatenate([first, second], axis=-1)
        of_channels = nn.Dense(2 * channels, name="channel_gate")(squeeze(both))
        both = scale_channels(both, jax.nn.sigmoid(of_channels))
        fused = conv(channels, "reduce")(both)
        places = conv(1, "place_gate_1")(first) + conv(1, "place_gate_2")(second)
        gate = jax.nn.sigmoid(places.astype(jnp.float32)).astype(fused.dtype)
        return (gate * fused).reshape(shape)
