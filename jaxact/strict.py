"""Strict dataclasses: unknown attributes and values that are no choice are refused."""

import ast
import dataclasses
import difflib
import functools
import itertools
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Literal


class ConfigError(ValueError):
    """A config file, key or value that cannot be used; the message says how to mend."""


def unknown_key_message(config: Any, name: str) -> str:
    """Says which fields ``config`` has, the likeliest one first."""
    if not dataclasses.is_dataclass(config):
        return f"{type(config).__name__} has no fields."
    fields = [field.name for field in dataclasses.fields(config)]
    close = difflib.get_close_matches(name, fields, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    kind = type(config).__name__
    known = f"Its fields are: {', '.join(fields)}." if fields else "It has none."
    return f"{kind} has no field {name!r}.{hint} {known}"


class Config:
    """Base of all config dataclasses: only fields can be set, choices to their values.

    Raises:
      AttributeError: another attribute is set.
      ConfigError: a ``Literal`` field is set to something else.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in field_names(self):
            raise AttributeError(unknown_key_message(self, name))
        value = part_of(self, name, value)
        check_choice(name, annotations(self)[name], value)
        object.__setattr__(self, name, value)


# What may stand where: a whole number is also one with a fraction.
_KINDS: dict[Any, tuple[type, ...]] = {int: (int,), float: (float, int), str: (str,)}


def annotations(config: Any) -> dict[str, Any]:
    """Returns the annotations of a config's fields, by name."""
    return _annotations(type(config))  # type: ignore[arg-type]


@functools.cache
def _annotations(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def check_choice(key: str, annotation: Any, value: Any, nested: bool = False) -> None:
    """Compares a value, or those in a tuple, with ``Literal`` in the annotation.

    What stands in a tuple has the type of its annotation, too.

    Raises:
      ConfigError: it is none of the choices, or of another type.
    """
    kinds = typing.get_args(annotation)
    if typing.get_origin(annotation) is Literal:
        if value not in kinds:
            raise ConfigError(
                f"{key} is {value!r}; choose one of {', '.join(map(str, kinds))}."
            )
    elif typing.get_origin(annotation) is tuple and isinstance(value, tuple):
        if kinds[-1:] == (...,):
            kinds = tuple(itertools.repeat(kinds[0], len(value)))
        for kind, item in zip(kinds, value, strict=False):
            check_choice(f"{'' if nested else 'An entry of '}{key}", kind, item, True)
    elif nested and type(value) not in _KINDS.get(annotation, (type(value),)):
        raise ConfigError(f"{key} is {value!r}; expected {annotation.__name__}.")


# In a field's metadata: the configs of which it holds one, by name.
PARTS = "parts"


def one_of(parts: Mapping[str, Any], default: str) -> Any:
    """Returns a field that holds one of several configs, each with its own fields.

    It is set by name, which gives that config's defaults, or to such a config.
    """
    return dataclasses.field(default_factory=parts[default], metadata={PARTS: parts})


def parts_of(config: Any, name: str) -> Mapping[str, Any]:
    """Returns the configs of which a field holds one, by name; none of other fields."""
    fields = {field.name: field for field in dataclasses.fields(config)}
    return fields[name].metadata.get(PARTS, {})


def part_of(config: Any, name: str, value: Any) -> Any:
    """Returns what a field is to hold: of one of several configs, that of this name.

    Raises:
      ConfigError: there is no such.
    """
    parts = parts_of(config, name)
    if not parts or type(value) in parts.values():
        return value
    if value not in parts:
        raise ConfigError(f"{name} is {value!r}; choose one of {', '.join(parts)}.")
    return parts[value]()


def part_name(config: Any, name: str) -> str | None:
    """Returns the name of the config that a field holds, if it is one of several."""
    kind = type(getattr(config, name))
    return next((k for k, x in parts_of(config, name).items() if x is kind), None)


# Between what a field's value may differ, in its metadata: "runs" (one and its
# continuation) or "processes" (of one run, and runs). Of no other field it may.
MAY_DIFFER = "may_differ"


def free(default: Any) -> Any:
    """Returns a field that may change when a run is continued.

    What a training step computes does not depend on it.
    """
    return dataclasses.field(default=default, metadata={MAY_DIFFER: "runs"})


def local(default: Any) -> Any:
    """Returns a field that is each machine's own: no number depends on it."""
    return dataclasses.field(default=default, metadata={MAY_DIFFER: "processes"})


def field_names(config: Any) -> set[str]:
    """Returns the names of the fields; none if it is no config."""
    if not dataclasses.is_dataclass(config):
        return set()
    return {field.name for field in dataclasses.fields(config)}


def leaves(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields every ``("a.b", value)`` of a nested config, in declaration order.

    What is one of several configs has its name before its fields.
    """
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if name := part_name(config, field.name):
            yield f"{prefix}{field.name}", name
        if dataclasses.is_dataclass(value):
            yield from leaves(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", value


def set_value(config: Any, key: str, value: Any) -> None:
    """Sets ``config.a.b`` for ``key="a.b"``, checking name and type.

    Raises:
      ConfigError: the key names no field, or the value is of another type.
    """
    *parents, last = key.split(".")
    for name in parents:
        if name not in field_names(config):
            raise ConfigError(f"Key {key!r}: {unknown_key_message(config, name)}")
        config = getattr(config, name)
    if last not in field_names(config):
        raise ConfigError(f"Key {key!r}: {unknown_key_message(config, last)}")
    if not parts_of(config, last):
        value = checked(key, value, getattr(config, last))
    check_choice(f"Key {key!r}", annotations(config)[last], value)
    setattr(config, last, value)


def checked(key: str, value: Any, old: Any) -> Any:
    """Returns ``value`` in the type of ``old``; text is read as a Python literal."""
    if isinstance(value, str) and not isinstance(old, str):
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            pass  # stays text and fails the type check below
    if isinstance(old, float) and type(value) is int:
        value = float(value)
    if isinstance(old, tuple) and isinstance(value, list | tuple):
        value = tuple(value)
    if dataclasses.is_dataclass(old) and type(value) is not type(old):
        one = next((f".{field.name}" for field in dataclasses.fields(old)), "")
        raise ConfigError(
            f"Key {key!r}: got {value!r}, but this is a {type(old).__name__}: set its "
            f"fields ({key}{one}=...), or choose another by the config's argument, as "
            "its file says."
        )
    if type(value) is not type(old):
        cure = " Write it as this is written." if isinstance(old, tuple) else ""
        raise ConfigError(
            f"Key {key!r}: got {value!r} of type {type(value).__name__}, expected "
            f"{type(old).__name__} (its value now is {old!r}).{cure}"
        )
    return value


def keys_that_may_differ(
    config: Any, between: Literal["runs", "processes"]
) -> set[str]:
    """Returns the dotted keys whose values need not agree; see `free` and `local`."""
    found = set()
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            inner = keys_that_may_differ(value, between)
            found |= {f"{field.name}.{key}" for key in inner}
        elif field.metadata.get(MAY_DIFFER) in (between, "processes"):
            found.add(field.name)
    return found
