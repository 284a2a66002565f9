"""What the scripts' command lines have in common: --config, --workdir, overrides."""

import itertools
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from absl import app, flags, logging
from ml_collections import config_flags

from jaxact import config as config_lib
from jaxact import errors
from jaxact.devices import host_memory
from jaxact.run.workdir import default_workdir

CONFIG = config_flags.DEFINE_config_file("config", help_string="FILE[:ARG]")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run [runs/NAME].")


def experiment() -> config_lib.Experiment:
    """Returns the experiment of --config with all --config.KEY=VALUE applied."""
    return CONFIG.value


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

    ``--config.KEY=VALUE`` is tried on the config first, because absl answers an
    unknown key with a traceback.
    """
    try:
        if not any(word.startswith(("-h", "--help")) for word in argv[1:]):
            check_overrides(argv)
        return flags.FLAGS(list(argv))
    except (flags.Error, config_lib.ConfigError) as error:
        errors.die(error, errors.EXIT_USER_ERROR)


def check_overrides(argv: Sequence[str]) -> None:
    """Applies the ``--config...`` arguments to a throw-away copy of the experiment.

    Raises:
      ConfigError: no config, no such file or key, or a value of another type.
    """
    path, overrides = "", {}
    for word, following in itertools.pairwise([*argv[1:], "-"]):
        name, has_value, value = word.lstrip("-").partition("=")
        if not word.startswith("-") or name.partition(".")[0] != "config":
            continue
        if not has_value:  # "--config FILE", or "--config.x.flag" alone: true
            value = "True" if following.startswith("-") else following
        if name == "config":
            path = value
        else:
            overrides[name.removeprefix("config.")] = value
    if not path:
        raise config_lib.ConfigError(
            "No experiment is given. Add --config FILE, for example --config "
            "configs/demo_stafusion.py."
        )
    config_lib.load_experiment(path, overrides)
