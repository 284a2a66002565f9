import jax
import jax.numpy as jnp
import numpy as np

from jaxact.layers.distillation import prediction_distillation, region_distillation


def test_region_distillation_by_hand():
    teacher = jnp.zeros((2, 1, 3, 2))
    student = jnp.array([[[[1.0, 2.0], [3.0, 0.0], [9.0, 9.0]]]] * 2)
    keep = jnp.array([[[True, True, False]], [[False, False, False]]])
    # (1 + 4)/2 and 9/2, averaged over the two kept; nothing kept gives 0
    np.testing.assert_allclose(
        region_distillation(teacher, student, keep), [3.5, 0.0], rtol=1e-6
    )


def test_prediction_distillation_by_hand():
    teacher = jnp.log(jnp.array([[0.5, 0.5], [0.2, 0.8]]))
    student = jnp.log(jnp.array([[0.25, 0.75], [0.2, 0.8]]))
    expected = 0.5 * np.log(2) + 0.5 * np.log(0.5 / 0.75)
    np.testing.assert_allclose(
        prediction_distillation(teacher, student), [expected, 0.0], atol=1e-6
    )


def test_no_gradient_into_the_teacher():
    key = jax.random.key(0)
    teacher, student = jax.random.normal(key, (2, 2, 3, 5, 7))
    keep = jnp.ones((2, 3, 5), bool)
    to_teacher, to_student = jax.grad(
        lambda t, s: region_distillation(t, s, keep).sum(), argnums=(0, 1)
    )(teacher, student)
    assert not np.any(to_teacher) and np.all(to_student != 0)
    to_teacher, to_student = jax.grad(
        lambda t, s: prediction_distillation(t, s).sum(), argnums=(0, 1)
    )(teacher[:, 0, 0], student[:, 0, 0])
    assert not np.any(to_teacher) and np.any(to_student)


def test_dropped_regions_have_no_gradient_even_when_infinite():
    teacher = jnp.zeros((1, 1, 2, 2))
    student = jnp.array([[[[1.0, 1.0], [jnp.inf, 1.0]]]])
    keep = jnp.array([[[True, False]]])
    value, grad = jax.value_and_grad(
        lambda s: region_distillation(teacher, s, keep).sum()
    )(student)
    assert value == 1.0
    np.testing.assert_array_equal(grad[0, 0, 0], [1.0, 1.0])
