"""STAFusion's fusion: masked and packed forms agree, dropped patches do nothing."""

import chex
import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxact.layers.fusion import (
    AdaptiveMaskedFusion,
    packed_places,
    put_packed,
    take_packed,
)
from jaxact.layers.selection import select_frames, select_regions
from tests.layers.test_masking import FRAMES, HEADS, PATCHES, WIDTH

FRACTIONS = dict(frames=(2, 3), regions=(5, 3))


def test_packed_places_by_hand():
    marks = jnp.array([[0, 1, 2]])
    keep = jnp.array([[[0, 0, 0, 0], [0, 0, 1, 0], [1, 0, 0, 1]]], bool)
    key, secondary = packed_places(marks, keep, (1, 1), (2, 1))
    np.testing.assert_array_equal(key, [[[8, 11]]])
    np.testing.assert_array_equal(secondary, [[[6]]])
    patches = jnp.arange(12.0).reshape(1, 3, 4, 1)
    taken = take_packed(patches, key)
    np.testing.assert_array_equal(taken[0, 0, :, 0], [8, 11])
    back = put_packed(jnp.zeros_like(patches), taken, key)
    np.testing.assert_array_equal(back.ravel(), [0] * 8 + [8, 0, 0, 11])
    with pytest.raises(ValueError, match="nothing is kept"):
        packed_places(marks, keep, (0, 0), (2, 1))


def fusion_case(seed=0):
    random = np.random.default_rng(seed)
    shape = (2, FRAMES, PATCHES)
    token = random.normal(size=(2, WIDTH)).astype(np.float32)
    patches = random.normal(size=(*shape, WIDTH)).astype(np.float32)
    scores = jnp.asarray(random.random(shape), jnp.float32)
    marks = select_frames(scores[..., 0], 2 / 7, 3 / 7)
    keep = select_regions(scores, marks, 5 / 11, 3 / 11)
    return token, patches, marks, keep


def random_variables(module, case, seed=1):
    """Variables without a zero among them, so that nothing hides behind one."""
    variables = jax.jit(module.init)(jax.random.key(0), *case)
    random = np.random.default_rng(seed)  # jax.random compiles for every shape
    return jax.tree.map(
        lambda x: x + 0.1 * random.normal(size=x.shape).astype(np.float32), variables
    )


@pytest.mark.parametrize("depth", [pytest.param(1, marks=pytest.mark.long), 2])
def test_packed_and_masked_forms_are_equal_in_value_and_gradient(depth):
    case = fusion_case()

    weights = jnp.linspace(0.5, 1.5, 2 * FRAMES).reshape(2, FRAMES)

    def loss(variables, token, patches, weights, packed):
        module = AdaptiveMaskedFusion(HEADS, **FRACTIONS, depth=depth, packed=packed)
        token, fused = module.apply(variables, token, patches, *case[2:], weights)
        factors = jnp.cos(jnp.arange(fused.size, dtype=jnp.float32))
        total = (token**3).mean() + (fused * factors.reshape(fused.shape)).mean()
        return total, (token, fused)

    module = AdaptiveMaskedFusion(HEADS, **FRACTIONS, depth=depth)
    variables = random_variables(module, case)
    results = [
        jax.jit(
            jax.value_and_grad(loss, argnums=(0, 1, 2, 3), has_aux=True),
            static_argnums=4,
        )(variables, *case[:2], weights, packed)
        for packed in (True, False)
    ]
    flat = [flax.traverse_util.flatten_dict(grads[0]) for _, grads in results]
    assert flat[0].keys() == flat[1].keys()
    for name, grad in flat[0].items():
        assert np.any(grad != 0), f"no gradient reaches {name}"
    chex.assert_trees_all_close(*results, atol=1e-5, rtol=1e-5)
    # The class token alone already moves the weights of the frames in use, no others.
    to_weights = jax.jit(
        jax.grad(lambda w: module.apply(variables, *case[:2], *case[2:], w)[0].sum())
    )(weights)
    used = np.asarray(case[2]) > 0
    np.testing.assert_array_equal(np.abs(to_weights) > 1e-4, used)


@pytest.mark.parametrize("packed", [True, False])
def test_dropped_patches_cannot_influence_the_fusion(packed):
    token, patches, marks, keep = case = fusion_case()
    module = AdaptiveMaskedFusion(HEADS, **FRACTIONS, depth=2, packed=packed)
    variables = random_variables(module, case)
    apply = jax.jit(module.apply)
    outputs = apply(variables, *case)
    for poison in (1e6, jnp.nan):
        changed = jnp.where(keep[..., None], patches, poison)
        again = apply(variables, token, changed, marks, keep)
        chex.assert_trees_all_equal(outputs, again)
    np.testing.assert_array_equal(np.asarray(outputs[1])[~np.asarray(keep)], 0.0)


def test_kept_patches_and_every_frame_kept_do_influence_it():
    token, patches, marks, keep = case = fusion_case()
    module = AdaptiveMaskedFusion(HEADS, **FRACTIONS)
    variables = random_variables(module, case)
    grad = jax.jit(
        jax.grad(lambda x: module.apply(variables, token, x, marks, keep)[0].sum())
    )(patches)
    moves = np.asarray(jnp.abs(grad).max(axis=-1) > 0)
    np.testing.assert_array_equal(moves, np.asarray(keep))


def test_table_5_switches_let_dropped_patches_in():
    token, patches, marks, keep = case = fusion_case()
    for switches, moved in (
        (dict(masked_attention=False), True),
        (dict(masked_attention=False, masked_mlp=False), True),
        (dict(masked_mlp=False), False),  # the MLP works on each token alone
    ):
        module = AdaptiveMaskedFusion(HEADS, **FRACTIONS, **switches)
        variables = random_variables(module, case)
        other = jnp.where(keep[..., None], patches, patches + 1.0)
        apply = jax.jit(module.apply)
        first = apply(variables, *case)[0]
        second = apply(variables, token, other, marks, keep)[0]
        assert bool(jnp.any(first != second)) == moved, switches


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_nothing_kept_at_all_is_finite(dtype):
    token, patches, marks, keep = fusion_case()
    case = (token, patches, jnp.zeros_like(marks), jnp.zeros_like(keep))
    module = AdaptiveMaskedFusion(HEADS, **FRACTIONS, packed=False, dtype=dtype)
    variables = random_variables(module, case)

    def total(variables):
        token, fused = module.apply(variables, *case)
        return (token.astype(jnp.float32) ** 2).sum() + fused.astype(jnp.float32).sum()

    value, grads = jax.jit(jax.value_and_grad(total))(variables)
    assert np.isfinite(value)
    chex.assert_tree_all_finite(grads)


def test_parameters_of_the_paper_s_block():
    module = AdaptiveMaskedFusion(12, frames=(4, 4), regions=(118, 69))
    shapes = jax.eval_shape(
        module.init,
        jax.random.key(0),
        jnp.zeros((1, 768)),
        jnp.zeros((1, 16, 196, 768)),
        jnp.zeros((1, 16), jnp.int32),
        jnp.zeros((1, 16, 196), bool),
    )
    kernels = sum(x.size for x in jax.tree.leaves(shapes) if x.ndim == 2)
    assert kernels == 12 * 768**2


def test_shapes_that_do_not_fit():
    token, patches, marks, keep = fusion_case()
    module = AdaptiveMaskedFusion(HEADS, **FRACTIONS)
    with pytest.raises(ValueError, match=r"expected \[b t n d\], \[b t\] and \[b t n"):
        module.init(jax.random.key(0), token, patches, marks, keep[:, 1:])
