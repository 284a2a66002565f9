"""SlowFast's own rules about its frames."""

import jax
import jax.numpy as jnp
import pytest

from tests.backbones.test_resnet3d_weights import NETS


def test_slowfast_wants_a_multiple_of_its_ratio():
    with pytest.raises(ValueError, match="clips of 6 frames; .* alpha 4 wants a mult"):
        NETS["slowfast"].init(jax.random.key(0), jnp.zeros((1, 6, 32, 32, 3)))
