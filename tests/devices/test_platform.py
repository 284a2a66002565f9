"""For which platform programs are made, and what the compiler is told there."""

import jax
import pytest

from jaxact import errors
from jaxact.devices import platform


@pytest.fixture(autouse=True)
def _ask_the_compiler_anew():
    platform._known_cpu_options.cache_clear()
    yield
    platform._known_cpu_options.cache_clear()


def test_the_platform_is_that_of_the_devices_unless_said_otherwise():
    assert platform.platform() == "cpu"
    with platform.compiling_for("tpu"):
        assert platform.platform() == "tpu"
    assert platform.platform() == "cpu"


def test_other_platforms_are_told_nothing():
    with platform.compiling_for("tpu"):
        assert platform.compiler_options() == {}


def test_this_compiler_knows_what_it_is_told():
    options = platform.compiler_options()
    assert options  # else the option has been renamed: see its comment in target.py
    compiled = jax.jit(lambda x: 2 * x, compiler_options=options)
    assert compiled(3.0) == 6.0


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_of_programs_that_cannot_be_written_is_said(tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises(errors.UserError, match="train.compilation_cache is .*/file"):
        platform.cache_programs(str(tmp_path / place))
    before = jax.config.jax_compilation_cache_dir
    platform.cache_programs("")
    assert jax.config.jax_compilation_cache_dir == before


def test_a_compiler_that_does_not_know_the_option_is_told_nothing(monkeypatch):
    monkeypatch.setattr(platform, "_CPU_OPTIONS", {"xla_cpu_no_such_option": "1"})
    assert platform.compiler_options() == {}
