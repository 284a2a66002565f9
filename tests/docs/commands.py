"""Commands of the pages: those in blocks, and those that a sentence names."""

import dataclasses
import pathlib
import re
import shlex

from tests.paths import ROOT

PAGES = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`]+)`")
# What makes a block one of commands.
_COMMAND = re.compile(
    r"^(\S*/)?(python|make|pip|git|gcloud|srun|\.) | --\w", re.MULTILINE
)
_ENDS = ("&&", "||", "|", ";", "&")


@dataclasses.dataclass(frozen=True)
class Command:
    """A command as it stands on a page.

    Attributes:
      words: of the shell, without what it sets and where its output goes.
      whole: whether it stands in a block; one in a sentence may leave things out.
    """

    words: tuple[str, ...]
    whole: bool = True

    def __str__(self) -> str:
        return shlex.join(self.words)


def programs(text: str) -> list[tuple[str, str]]:
    """Returns what a page has to be run, in order: "sh" or "python", and the block."""
    found = []
    for language, block in _FENCE.findall(text):
        if language == "python":
            found.append(("python", block))
        elif language in ("", "sh", "bash") and _COMMAND.search(block):
            found.append(("sh", block))
    return found


def blocks(text: str) -> list[str]:
    """Returns the blocks of commands of a page, as they stand."""
    return [block for language, block in programs(text) if language == "sh"]


def split(block: str) -> list[Command]:
    """Returns the commands of a block.

    Raises:
      ValueError: a quotation does not end.
    """
    found: list[Command] = []
    lines, text = block.replace("\\\n", " ").splitlines(), ""
    for number, line in enumerate(lines, 1):
        text += line + "\n"
        lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        try:
            words = list(lexer)
        except ValueError:  # a quotation goes on in the next line
            if number == len(lines):
                raise
            continue
        found += _parts(words)
        text = ""
    return found


def _parts(words: list[str]) -> list[Command]:
    parts: list[list[str]] = [[]]
    for word in words:
        if re.fullmatch("[<>&|;]+", word) and word not in _ENDS:
            parts[-1].append("")  # behind it there is nothing of the command's own
        elif word in _ENDS:
            parts.append([])
        elif parts[-1] or not re.match(r"\w+=", word):  # what it sets
            parts[-1].append(word)
    return [Command(tuple(part[: [*part, ""].index("")])) for part in parts if part]


def mentions(text: str) -> list[str]:
    """Returns what a page's sentences have in `quotation marks` of code, on a line."""
    return [" ".join(x.split()) for x in _INLINE.findall(_FENCE.sub("", text))]


def named(text: str) -> list[Command]:
    """Returns the commands that a page's sentences name."""
    found = []
    for mention in mentions(text):
        if re.match(r"(python -m \w|(python )?\w+\.py --|make \w)", mention):
            words = shlex.split(mention)
            words = words if words[0] in ("python", "make") else ["python", *words]
            found.append(Command(tuple(words), whole=False))
    return found


def flags(text: str) -> list[str]:
    """Returns the flags that a page's sentences name, with their values."""
    found = [re.findall(r"(?:^| )(--[a-z]\S*)", mention) for mention in mentions(text)]
    return [flag for each in found for flag in each]


def configs(text: str) -> list[str]:
    """Returns the files of configs/ that a page names, in whatever way."""
    return re.findall(r"configs/[a-z\d_]+\.py", text)


def title(page: pathlib.Path) -> str:
    return page.relative_to(ROOT).as_posix()
