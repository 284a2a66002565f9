"""Asks the programs themselves whether they would understand a command; runs none.

python -m tests.docs.understood < questions.json > answers.json

Questions are answered by "" or what is wrong:
{"words": [...], "whole": true}: is this a command;
{"flag": "--x", "commands": [[...], ...]}: has a program of these commands this flag;
{"key": "data.fold", "value": "3"}: has a config this key, and takes it this value.
A process of its own, for every script defines its flags in one table.
"""

import argparse
import contextlib
import functools
import importlib
import importlib.util
import io
import itertools
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from typing import Any

from absl import flags

from jaxact.config import ConfigError, load_experiment
from jaxact.run import commandline
from jaxact.strict import field_names, parts_of
from tests.docs.commands import Command, split
from tests.paths import ROOT

# Words of pages that are the reader's to fill in, and what is asked in their place.
STANDS_FOR = {
    "...": "configs/demo_stafusion.py",
    "CONFIG": "configs/demo_stafusion.py",
    "X": "configs/demo_stafusion.py",
    "configs/mine.py": "configs/demo_stafusion.py",
    "model": "configs/demo_stafusion.py",  # a model folder, written by what is above it
    "steps_model": "configs/demo_stafusion.py",
    "N": "1",
    "NAME": "resnet",
}
# A set of one's own is not prepared here; the config can be had without it.
OWN = re.compile(r"(configs/own_\w+\.py:dataset=\w+)")
# Keys that stand for any.
ANY = re.compile(r"\b[A-Z]+\b")
# Programs whose flags are absl's, each of which can be defined once.
PROGRAMS = ("train", "evaluate", "predict", "export", "crossvalidate")
# Programs of others, as they are called.
OTHERS = ("git", "cd", ".", "ls", "head", "sudo", "ffmpeg", "cat", "mkdir")


class Refused(Exception):
    """A program does not understand a command; the message is its own."""


class _Parsed(Exception):
    """Ends a program once its command line is parsed."""


def main() -> None:
    """Answers the questions of the standard input."""
    sys.path.insert(0, str(ROOT))
    answers = []
    for question in json.load(sys.stdin):
        try:
            if "key" in question:
                key(question["key"], question["value"])
            elif "flag" in question:
                flag(question["flag"], question["commands"])
            else:
                understand(Command(tuple(question["words"]), question["whole"]))
            answers.append("")
        except Refused as refused:
            answers.append(str(refused))
        # Defined again, its flags are refused: at times, by where in memory it lies.
        assert not set(PROGRAMS) & set(sys.modules), f"{question} left a program"
    json.dump(answers, sys.stdout)


def flag(name: str, commands: list[list[str]]) -> None:
    """Raises Refused where no program of these commands has a flag."""
    if not any(name in flags_of(tuple(command)) for command in commands):
        raise Refused(f"No program that the page names has the flag {name}.")


def key(name: str, value: str) -> None:
    """Raises Refused where no config has a key, or none takes the value."""
    if ANY.search(name):
        return
    if not any(has(experiment, name) for experiment in experiments()):
        raise Refused(f"No config has the key {name}.")
    if (
        value
        and not ANY.search(value)
        and not any(takes(x, name, value) for x in FILES)
    ):
        raise Refused(f"No config takes {name}={value}.")


def has(config: Any, name: str) -> bool:
    """Says whether a config, or one of several that it may hold, has a key."""
    field, _, rest = name.partition(".")
    if field not in field_names(config):
        return False
    may_be = [getattr(config, field), *(x() for x in parts_of(config, field).values())]
    return not rest or any(has(part, rest) for part in may_be)


def takes(file: str, name: str, value: str) -> bool:
    """Says whether a config file's experiment takes a value."""
    try:
        load_experiment(file, {name: value})
    except (ConfigError, AttributeError):
        return False
    return True


def understand(command: Command) -> None:
    """Raises Refused where a program would not understand its command line."""
    words = [word.removeprefix("!").removeprefix("%") for word in command.words]
    words = [OWN.sub(r"\1,classes=3", stands_for(word)) for word in words]
    program = words[0].rpartition("/")[2] if len(words[0]) > 1 else words[0]
    inner = [w.partition("=")[2] for w in words if w.startswith("--command=")]
    if program == "python":
        python(words[1:], command.whole)
        configs(words)
    elif program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
        lacking = set(words[1:]) - set(targets)
        if lacking:
            raise Refused(f"The Makefile has no target {', '.join(lacking)}.")
    elif program == "pip":
        facts = tomllib.loads((ROOT / "pyproject.toml").read_text())
        for extra in itertools.chain(*(re.findall(r"\.\[(\w+)\]", w) for w in words)):
            if extra not in facts["project"]["optional-dependencies"]:
                raise Refused(f"pyproject.toml has no extra {extra!r}.")
    elif program in ("srun", "nohup"):
        understand(Command(tuple(itertools.dropwhile(_is_no_python, words))))
    elif program == "gcloud":
        for text in inner:
            for each in split(text):
                understand(each)
    elif program not in OTHERS and program not in ("python3",):
        raise Refused(f"No program of ours or of {', '.join(OTHERS)}: {program}")


def _is_no_python(word: str) -> bool:
    return not word.endswith("python")


def stands_for(word: str) -> str:
    """Returns a word, or a flag's value, with what is asked in its place."""
    name, equals, value = word.rpartition("=")
    return f"{name}{equals}{STANDS_FOR.get(value, value)}"


def configs(words: list[str]) -> None:
    """Loads the config that a command names, with the values that it sets."""
    _, overrides = commandline.split_overrides(words)
    values = {k: v for k, v in overrides.items() if not ANY.search(k)}
    for word in words:
        if re.match(r"configs/\w+\.py", word):
            try:
                load_experiment(word, values)
            except (ConfigError, AttributeError) as error:
                raise Refused(str(error)) from error


def python(words: list[str], whole: bool) -> None:
    """Has a script or module parse its command line."""
    if words[0] == "-c":
        return
    if words[0] != "-m":
        if not (ROOT / words[0]).is_file():
            raise Refused(f"There is no script {words[0]}.")
        name, arguments = words[0].removesuffix(".py"), words[1:]
    else:
        name, arguments = words[1], words[2:]
        if "/" in name or importlib.util.find_spec(name) is None:
            raise Refused(f"There is no module {name}.")
    source = source_of(name)
    if source is None or not ("parse_args(" in source or is_absl(source)):
        return  # of others; or without flags
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            parse(name, arguments)
    except SystemExit:
        text = said.getvalue().strip()
        may = ("are required", "No experiment is given")  # in a sentence
        if whole or not any(words in text for words in may):
            raise Refused(text) from None
    except ModuleNotFoundError:  # of an extra that is not installed
        known = flags_in(source)
        for word in arguments:
            if word.startswith("--") and word.partition("=")[0] not in known:
                raise Refused(f"{name} has no {word}.") from None


def is_absl(source: str) -> bool:
    """Says whether a program has its flags from absl, as those with --config."""
    return "commandline.run(main" in source


def source_of(name: str) -> str | None:
    """Returns the source of a module of ours that is run as a program."""
    path = ROOT / name.replace(".", "/")
    for file in (path.with_suffix(".py"), path / "__main__.py"):
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            # A study's flags are those of `results.study`.
            return text.replace("main(STUDY)", "parse_args()")
    return None


def parse(name: str, arguments: list[str]) -> None:
    """Parses a command line by the program's own parser.

    Raises:
      SystemExit: the program does not understand it, and has said why.
    """
    with program(name) as called:
        if called is None:
            for flag in flags.FLAGS.__dict__["__flags"].values():
                flag.unparse()
            commandline.parse_flags([name, *arguments])
            return
        with _parsers(lambda _: None), contextlib.suppress(_Parsed):
            with _called_with(name, *arguments):
                called()


@contextlib.contextmanager
def program(name: str) -> Iterator[Callable[[], Any] | None]:
    """A program's ``main``; None: flags of absl, which are defined inside alone."""
    module = name
    if (ROOT / name.replace(".", "/") / "__main__.py").is_file():
        module = f"{name}.__main__"
    before = set(flags.FLAGS)
    try:
        loaded = importlib.import_module(module)
        if is_absl(source_of(name) or ""):
            yield None
        else:
            study = getattr(loaded, "STUDY", None)
            yield functools.partial(loaded.main, study) if study else loaded.main
    finally:  # of another kind of program, too: some import these
        for flag in set(flags.FLAGS) - before:
            delattr(flags.FLAGS, flag)
        for other in PROGRAMS:
            sys.modules.pop(other, None)


@contextlib.contextmanager
def _parsers(look: Callable[[argparse.ArgumentParser], None]) -> Iterator[None]:
    """Programs end where they have parsed; abbreviated flags are refused."""
    original = argparse.ArgumentParser.parse_args

    def parse_args(self: Any, args: Any = None, namespace: Any = None) -> Any:
        look(self)
        for parser in parsers_of(self):
            parser.allow_abbrev = False
        original(self, args, namespace)
        raise _Parsed

    argparse.ArgumentParser.parse_args = parse_args  # type: ignore[assignment]
    try:
        yield
    finally:
        argparse.ArgumentParser.parse_args = original  # type: ignore[method-assign]


def parsers_of(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """Returns a parser and those of its commands."""
    found = [parser]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                found += parsers_of(inner)
    return found


def flags_in(source: str) -> frozenset[str]:
    """Returns the flags whose names stand in a source as such."""
    return frozenset(re.findall(r'"(--[a-z]\w*)"', source))


@functools.cache
def flags_of(words: tuple[str, ...]) -> frozenset[str]:
    """Returns the flags of the program that a command calls, other commands' too."""
    if len(words) < 2 or not words[0].endswith("python"):
        return frozenset(w.partition("=")[0] for w in words if w.startswith("--"))
    name = words[2] if words[1] == "-m" else words[1].removesuffix(".py")
    source = source_of(name) or ""
    if is_absl(source):
        with program(name):
            return frozenset(f"--{flag}" for flag in flags.FLAGS)
    if "parse_args(" not in source:
        return frozenset()
    seen: list[argparse.ArgumentParser] = []
    try:
        with contextlib.redirect_stderr(io.StringIO()), _parsers(seen.append):
            with program(name) as called, _called_with(name):
                assert called is not None
                called()
    except (_Parsed, SystemExit):
        pass
    except ModuleNotFoundError:
        return flags_in(source)
    parsers = itertools.chain(*map(parsers_of, seen))
    return frozenset(x for p in parsers for x in p._option_string_actions)


@contextlib.contextmanager
def _called_with(*words: str) -> Iterator[None]:
    kept, sys.argv = sys.argv, list(words)
    try:
        yield
    finally:
        sys.argv = kept


@functools.cache
def experiments() -> list[Any]:
    """Returns the experiment of every config that can be had without data."""
    return [load_experiment(file) for file in FILES]


FILES = [
    f"{path}:dataset=any,classes=3" if path.stem.startswith("own_") else str(path)
    for path in sorted((ROOT / "configs").glob("[a-z]*_*.py"))
]

if __name__ == "__main__":
    main()
