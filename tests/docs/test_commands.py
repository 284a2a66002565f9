"""Commands of the pages are such that the programs understand."""

import json
import os
import re
import shlex
import subprocess
import sys

import pytest

from tests.docs import commands
from tests.paths import ROOT

# Flags of programs that are not ours.
FOREIGN = {"--no-deps", "--worker", "--force", "--version"}
_KEY = re.compile(
    r"(?:--config\.)?((?:model|data|optim|schedule|train|mix|eval)(?:\.\w+)+)(?:=(\S+))?"
)
_FILE = re.compile(r"\.(py|json|onnx|tflite|stablehlo|safetensors)$")


def words_of(mention):
    """The words of a line, by the shell where it is one of the shell's."""
    try:
        return shlex.split(mention)
    except ValueError:
        return mention.split()


def questions(text):
    """What `understood` is to be asked about a page."""
    said = commands.named(text)
    asked = [c for block in commands.blocks(text) for c in commands.split(block)]
    found = [{"words": c.words, "whole": c.whole} for c in [*asked, *said]]
    for flag in commands.flags(text):
        name = flag.partition("=")[0]
        if name not in FOREIGN and not name.startswith("--config."):
            every = [c.words for c in [*asked, *said]]
            found.append({"flag": name, "commands": every})
    for mention in commands.mentions(text):
        for word in words_of(mention):
            key = _KEY.fullmatch(word)
            if key and not _FILE.search(word):
                found.append({"key": key[1], "value": key[2] or ""})
    return found


def answers(asked):
    """What the programs say."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.docs.understood"],
        input=json.dumps(asked),
        cwd=ROOT,
        env=os.environ | {"JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


WRONG = """
```
python trian.py --config configs/demo_dam.py
python -m jaxact.nothing
python train.py --config configs/demo_dam.py --workdr runs/a
python train.py --config configs/demo_dam.py --config.train.epoch=2
python train.py --config configs/demo_dam.py --config.train.epochs=two
python train.py --config configs/demo_dam.py:protocl=xsub
python train.py --config configs/demo_damn.py
python predict.py --rgb a.avi
python -m input_pipeline.split a.csv --person --out b.csv
python -m jaxact folder --config configs/demo_dam.py
make dmeo && pip install -e ".[gpus]"
pyhton train.py --config configs/demo_dam.py
```
Say `--windw` or `--workdir`, `--config.data.folds=nobody`, `data.fold`, `data.fald`.
```
python train.py --config configs/demo_dam.py --config.optim.lr=0.1 \\
    --workdir runs/a > log.txt 2>&1 &
srun --nodes=2 .venv/bin/python train.py --config configs/own_dam.py:dataset=mine
```
""".replace("\\\\", "\\")
EXPECTED = [
    "There is no script trian.py",
    "There is no module jaxact.nothing",
    "Unknown command line flag 'workdr'",
    "no field 'epoch'",
    "epochs",
    "'protocl' is unknown",
    "No config file at 'configs/demo_damn.py'",
    "No experiment is given",
    "unrecognized arguments: --person",
    "are required: --out",
    "no target dmeo",
    "no extra 'gpus'",
    "No program of ours",
    *("", ""),  # both of the second block
    "No program that the page names has the flag --windw",
    "",
    "No config takes data.folds=nobody",
    "",
    "No config has the key data.fald",
]


@pytest.fixture(scope="module")
def said():
    """What the programs say of the pages, and of the page that is wrong."""
    pages = [
        (commands.title(page), question)
        for page in commands.PAGES
        for question in questions(page.read_text(encoding="utf-8"))
    ]
    found = answers([question for _, question in pages] + questions(WRONG))
    return list(zip(pages, found, strict=False)), found[len(pages) :]


def test_every_command_of_every_page_is_understood(said):
    pages, _ = said
    assert len(pages) > 250
    wrong = [
        f"{page}: {question.get('words') or question}\n  {answer}"
        for (page, question), answer in pages
        if answer
    ]
    assert not wrong, "\n".join(wrong)


def test_what_is_wrong_on_a_page_is_found(said):
    _, answers = said
    for answer, part in zip(answers, EXPECTED, strict=True):
        assert part in answer and bool(part) == bool(answer)


def test_every_config_that_a_page_names_is_there():
    for page in commands.PAGES:
        for name in commands.configs(page.read_text(encoding="utf-8")):
            there = (ROOT / name).is_file() or name == "configs/mine.py"
            assert there, f"{commands.title(page)} names {name}"
