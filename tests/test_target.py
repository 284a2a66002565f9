"""For which platform programs are made, and what the compiler is told there."""

import jax
import pytest

from jaxact import target


@pytest.fixture(autouse=True)
def _ask_the_compiler_anew():
    target._known_cpu_options.cache_clear()
    yield
    target._known_cpu_options.cache_clear()


def test_the_platform_is_that_of_the_devices_unless_said_otherwise():
    assert target.platform() == "cpu"
    with target.compiling_for("tpu"):
        assert target.platform() == "tpu"
    assert target.platform() == "cpu"


def test_other_platforms_are_told_nothing():
    with target.compiling_for("tpu"):
        assert target.compiler_options() == {}


def test_this_compiler_knows_what_it_is_told():
    options = target.compiler_options()
    assert options  # else the option has been renamed: see its comment in target.py
    compiled = jax.jit(lambda x: 2 * x, compiler_options=options)
    assert compiled(3.0) == 6.0


def test_a_compiler_that_does_not_know_the_option_is_told_nothing(monkeypatch):
    monkeypatch.setattr(target, "_CPU_OPTIONS", {"xla_cpu_no_such_option": "1"})
    assert target.compiler_options() == {}
