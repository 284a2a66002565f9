"""A model folder: a trained model outside its run, whole, read without a network.

``model.safetensors`` holds the variables under flat names (``params.head.kernel``),
``config.json`` what it takes to use them, ``README.md`` the same for people.
config.json is sealed by a digest and holds size and SHA-256 of the weights: what was
cut short or changed is refused.
"""

import dataclasses
import functools
import hashlib
import importlib
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from jaxact.strict import (
    ConfigError,
    keys_that_may_differ,
    leaves,
    part_name,
    set_value,
)

CONFIG_FILE, WEIGHTS_FILE, CARD_FILE = "config.json", "model.safetensors", "README.md"
FORMAT, VERSION = "jaxact model folder", 1
# Where the classes stand that a folder may name: it is data, and starts nothing else.
_PACKAGES = ("jaxact.", "input_pipeline.")
_NEEDED = ("experiment", "labels", "inputs", "step", "weights")

Described = dict[str, Any]  # the content of config.json


def is_ours(path: str | pathlib.Path) -> bool:
    """Says whether the folder has a config.json of this library: others' have one."""
    try:
        found = json.loads((pathlib.Path(path) / CONFIG_FILE).read_bytes())
        return found["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def labels(path: str | pathlib.Path) -> tuple[str, ...]:
    """Returns the class names of a model folder; none of a folder that is none."""
    return tuple(read(path)["labels"]) if is_ours(path) else ()


def own_weights(config: str, checkpoint: str | pathlib.Path) -> str | pathlib.Path:
    """Returns which checkpoint is meant: "last" and "best" of a folder are its own."""
    own = str(checkpoint) in ("last", "best") and pathlib.Path(config).is_dir()
    return config if own else checkpoint


def read(path: str | pathlib.Path) -> Described:
    """Reads config.json.

    Raises:
      ConfigError: it is missing, damaged, changed, of another version or not ours.
    """
    file = pathlib.Path(path) / CONFIG_FILE
    again = "Copy or download the folder again"
    try:
        found = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise ConfigError(
            f"{path} is no model folder: it has no {CONFIG_FILE}. Give a folder that "
            "`python -m jaxact folder` wrote, or a config file."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{file} cannot be read ({error}). {again}.") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ConfigError(
            f"{file} is not of this library: its format is not {FORMAT!r}. Weights of "
            "other libraries are a start for training (--config.train.init_from), with "
            "a config of ours."
        )
    if found.get("format_version") != VERSION:
        raise ConfigError(
            f"{file} has version {found.get('format_version')!r} of the format; this "
            f"jaxact reads version {VERSION}. It was written by jaxact "
            f"{found.get('jaxact_version')!r}: install that one."
        )
    missing = [key for key in _NEEDED if key not in found]
    if missing or found.get("digest") != digest(found):
        raise ConfigError(
            f"{file} was changed or damaged after it was written. {again}; a value of "
            "the config is changed by --config.KEY=VALUE, labels by writing the folder "
            "anew."
        )
    return found


def digest(found: Mapping[str, Any]) -> str:
    """Returns the checksum of all of config.json but itself."""
    rest = {key: value for key, value in found.items() if key != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def sealed(found: Mapping[str, Any]) -> Described:
    """Returns it with its format, version and digest."""
    marked = {"format": FORMAT, "format_version": VERSION, **found}
    # As JSON gives it back: tuples are lists there.
    plain: Described = json.loads(json.dumps(marked, allow_nan=False))
    return {**plain, "digest": digest(plain)}


def values_of(experiment: Any) -> dict[str, Any]:
    """Returns an experiment as JSON can hold it: names of classes, and all values.

    But for those that are a machine's own, as folders: they stay what they are there.

    Raises:
      ConfigError: a class of it stands outside the library.
    """
    classes = {}
    for key, kind in _classes(experiment):
        classes[key] = name = f"{kind.__module__}.{kind.__qualname__}"
        if not name.startswith(_PACKAGES):
            raise ConfigError(
                f"{name} cannot be written into a model folder: it names classes of "
                f"{' and '.join(_PACKAGES)} alone. Move the class there."
            )
    own = keys_that_may_differ(experiment, "processes") | {"train.init_from"}
    values = {key: value for key, value in leaves(experiment) if key not in own}
    return {"classes": classes, "values": values}


def _classes(config: Any, prefix: str = "") -> Iterator[tuple[str, type]]:
    """Yields the class of every config inside, but of those that values name."""
    for field in dataclasses.fields(config):
        value, key = getattr(config, field.name), f"{prefix}{field.name}"
        if dataclasses.is_dataclass(value):
            if not part_name(config, field.name):
                yield key, type(value)
            yield from _classes(value, f"{key}.")


def experiment(path: str | pathlib.Path, kind: Any) -> Any:
    """Returns the experiment of a folder, of this ``kind``: `jaxact.config.Experiment`.

    Raises:
      ConfigError: see `read`; or this version of the library knows no such value.
    """
    found = read(path)
    try:
        values = dict(found["experiment"]["values"])
        classes = {k: _class(v) for k, v in found["experiment"]["classes"].items()}
        result = kind(values.pop("name"), classes["model"](), classes["data"]())
        for key, of in classes.items():
            *parents, last = key.split(".")
            holder = functools.reduce(getattr, parents, result)
            if type(getattr(holder, last)) is not of:
                setattr(holder, last, of())
        for key, value in values.items():
            set_value(result, key, _tuples(value))
    except (ImportError, AttributeError, TypeError, ValueError, KeyError) as error:
        raise ConfigError(
            f"The config in {path} cannot be used ({error}). It was written by jaxact "
            f"{found.get('jaxact_version')!r}; this one may be older or newer."
        ) from None
    return result


def weights_file(path: str | pathlib.Path) -> pathlib.Path:
    """Returns the file of the weights, whose size and SHA-256 are those written.

    Raises:
      ConfigError: they are not, or the file cannot be read; or see `read`.
    """
    stored = read(path)["weights"]
    file = pathlib.Path(path) / WEIGHTS_FILE
    try:
        size = file.stat().st_size
        same = size == stored["bytes"]
        same = same and sha256(file) == stored["sha256"]
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be read ({error.strerror}). Copy or download the folder "
            "again."
        ) from None
    if not same:
        raise ConfigError(
            f"{file} is not the file that was written: it has {size:,} bytes of "
            f"{stored['bytes']:,}, or another SHA-256 than {stored['sha256']}. Copy or "
            "download it again."
        )
    return file


def sha256(file: pathlib.Path) -> str:
    """Returns a file's SHA-256 in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _class(name: str) -> Any:
    """Returns a config's class by its full name."""
    module, _, kind = name.rpartition(".")
    found = None
    if module.startswith(_PACKAGES):
        found = getattr(importlib.import_module(module), kind)
    if not isinstance(found, type) or not dataclasses.is_dataclass(found):
        raise ValueError(f"{name} is no config of {' or '.join(_PACKAGES)}")
    return found


def _tuples(value: Any) -> Any:
    """JSON's lists are a config's tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
