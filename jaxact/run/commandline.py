"""What the scripts' command lines have in common: --config, --workdir, overrides."""

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from absl import app, flags, logging

from jaxact import config as config_lib
from jaxact import errors, model_folder
from jaxact.devices import host_memory
from jaxact.run.workdir import default_workdir

CONFIG = flags.DEFINE_string(
    "config",
    None,
    "FILE[:ARG] of the experiment, or a model folder; --config.KEY=VALUE sets a value.",
)
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run [runs/NAME].")
_LOADED: list[config_lib.Experiment] = []


def experiment() -> config_lib.Experiment:
    """Returns the experiment of --config with all --config.KEY=VALUE applied."""
    return _LOADED[-1]


def checkpoint(value: str) -> str:
    """Returns what a --checkpoint means: --config may be a folder with its own."""
    return str(model_folder.own_weights(CONFIG.value or "", value))


def workdir() -> pathlib.Path:
    """Returns the folder of the run."""
    if WORKDIR.value:
        return pathlib.Path(WORKDIR.value)
    return default_workdir(experiment())


def run(main: Callable[[], Any], *known: type[Exception]) -> None:
    """Runs a script: parses its flags, calls main, shows user errors as a paragraph.

    Args:
      main: takes no arguments.
      *known: exception types whose message is meant for the person.
    """
    # Libraries tell what they do at "info" and "warning"; the script does it itself.
    logging.set_verbosity(logging.ERROR)
    host_memory.keep_freed_memory()
    friendly = errors.friendly(main, *known)
    app.run(lambda _: friendly(), flags_parser=parse_flags)


def parse_flags(argv: Sequence[str]) -> list[str]:
    """Parses the command line for ``absl.app.run``; a wrong one ends the program.

    Loads the experiment, too. Returns what is left: the program's name.
    """
    try:
        words, overrides = split_overrides(argv)
        left = flags.FLAGS(words)
        if left[1:]:
            raise config_lib.ConfigError(
                f"Got {' '.join(left[1:])}, which belongs to no flag. A value of the "
                "config is set by --config.KEY=VALUE."
            )
        if not CONFIG.value:
            raise config_lib.ConfigError(
                "No experiment is given. Add --config FILE, for example --config "
                "configs/demo_stafusion.py."
            )
        _LOADED.append(config_lib.load_experiment(CONFIG.value, overrides))
        return left
    except (flags.Error, config_lib.ConfigError) as error:
        errors.die(error, errors.EXIT_USER_ERROR)


def split_overrides(argv: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Takes ``--config.KEY=VALUE`` out of a command line.

    ``--config.KEY VALUE`` is the same; ``--config.KEY`` alone sets True.

    Returns:
      The other words, and the values by key.
    """
    words: list[str] = []
    overrides: dict[str, str] = {}
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word == "--":  # no flags behind it
            return [*words, word, *rest], overrides
        key = word.lstrip("-")
        if not word.startswith("-") or not key.startswith("config."):
            words.append(word)
            continue
        key, has_value, value = key.removeprefix("config.").partition("=")
        if not has_value:
            alone = not rest or rest[0].startswith("-")
            value = "True" if alone else rest.pop(0)
        overrides[key] = value
    return words, overrides
