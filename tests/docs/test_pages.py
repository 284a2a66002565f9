"""The how-to pages are done as they stand, shell and Python, on tiny data.

What is different from a page is in this file alone: `CHANGES` (what is slow, or not
here), `SKIPPED` and `SMALL`; and what the reader of a page has: the functions of its
name. Everything else is run as it is written, in one shell a block.
"""

import dataclasses
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from tests.docs import commands
from tests.input_pipeline import recorded
from tests.paths import ROOT

# Added to every command with a config: few steps, few pictures.
SMALL = (
    "--config.train.epochs=0.5 --config.train.eval_every=0 "
    "--config.schedule.warmup_epochs=0 "
    "--config.train.batch_size=2 --config.eval.batch_size=2 --config.eval.pictures=2"
)
# Not run, and why.
SKIPPED = {
    r"^make (env|demo)": "the environment is this one",
    r"^\. \.venv": "the same",
    r"pip install": "nothing is installed in tests",
    r"^git clone": "it is a copy already",
    r"^make test": "these are the tests",
    r"(train|evaluate)\.py --config configs/(ntu|sthv1|ucf101|infar|precog)": (
        "no such data"
    ),
    r"prepare ntu60": "the same",
    r"gcloud|srun|^    (git clone|\.venv/bin)": "machines that are not here",
    r"^[!%]": "a notebook's",
    r"rtsp://|/dev/video": "no camera here; tests/scripts/test_live.py has senders",
}


@dataclasses.dataclass(frozen=True)
class Page:
    """What a page takes.

    Attributes:
      have: writes what its reader has, into the folder of the clone.
      changes: on its commands: what stands there, and what is run.
    """

    have: Callable[[pathlib.Path], object] = lambda home: None
    changes: tuple[tuple[str, str], ...] = ()


def shell(home: pathlib.Path, *lines: str) -> str:
    """Runs lines of a shell in the clone; what they started ends with them.

    Raises:
      AssertionError: one ended with another code than 0; its output is told.
    """
    ending = "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT"
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": "",  # the copy's own modules
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join([ending, *lines])],
        cwd=home,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, "\n".join([*lines, done.stdout[-3000:]])
    return done.stdout


def lines_of(block: str, page: Page) -> list[str]:
    """Returns the lines of a block that are run, with what is changed."""
    found = []
    for line in block.replace("\\\n", " ").splitlines():
        if any(re.search(pattern, line) for pattern in SKIPPED):
            continue
        line = re.sub(r" +#.*", "", line)
        for old, new in page.changes:
            line = line.replace(old, new)
        end = " &" if line.endswith(" &") else ""
        if "--config configs/" in line:
            line = f"{line.removesuffix(' &')} {SMALL}{end}"
        found.append(line)
    return found


def do(home: pathlib.Path, name: str) -> list[str]:
    """Does a page, its blocks one after the other; returns what they printed."""
    page, text = PAGES[name], (ROOT / name).read_text(encoding="utf-8")
    page.have(home)
    said = []
    for language, block in commands.programs(text):
        lines = lines_of(block, page)
        if language == "python":
            lines = ["python - << 'END'", f"{block}END"]
        if lines:
            said.append(shell(home, *lines))
    return said


# ---------------------------------------------------------------- what readers have


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A copy of the tree, in which the demo's data are prepared and it was trained."""
    home = tmp_path_factory.mktemp("clone")
    for name in ("jaxact", "input_pipeline", "configs", "examples", "benchmarks"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, home / name, ignore=ignore)
    for path in (*ROOT.glob("*.py"), ROOT / "README.md"):
        shutil.copy(path, home)
    shell(
        home,
        "python -m input_pipeline.synthetic --out data/raw/synthetic --clips 32",
        "python -m input_pipeline.prepare synthetic --raw data/raw/synthetic "
        "--out data",
        f"python train.py --config configs/demo_stafusion.py {SMALL}",
    )
    return home


def clips(home: pathlib.Path, stream: str) -> list[pathlib.Path]:
    return sorted((home / f"data/raw/synthetic/nturgb+d_{stream}").glob("*.avi"))


def pair(home: pathlib.Path, rgb: str, ir: str) -> None:
    """Lays a clip of both cameras under these names."""
    for stream, name in (("rgb", rgb), ("ir", ir)):
        (home / name).parent.mkdir(exist_ok=True)
        shutil.copy(clips(home, stream)[0], home / name)


def of_export(home: pathlib.Path) -> None:
    pair(home, "visible.avi", "infrared.avi")
    shutil.copy(home / "configs/demo_stafusion.py", home / "configs/mine.py")
    random = np.random.default_rng(0)
    frames = {
        name: random.integers(0, 255, (8, 48, 48, channels), np.uint8)
        for name, channels in (("rgb", 3), ("ir", 1))
    }
    np.savez(home / "clip.npz", **frames)


def of_live(home: pathlib.Path) -> None:
    pair(home, "some_rgb.avi", "some_ir.avi")
    pair(home, "clips/a_rgb.avi", "clips/a_ir.avi")
    pair(home, "clips/b_rgb.avi", "clips/b_ir.avi")
    staged = recorded.stage(home / "day", 20, 2)
    shutil.copy(staged.rgb, home / "day_rgb.mp4")
    shutil.copy(staged.ir, home / "day_ir.mp4")
    shutil.rmtree(home / "day")


def of_recordings(home: pathlib.Path) -> None:
    staged = recorded.stage(home / "staged", 180, 20)
    for folder in ("colour", "thermal"):
        (home / folder).mkdir()
    for number in (1, 2, 3):
        shutil.copy(staged.rgb, home / f"colour/kitchen{number}.mp4")
        shutil.copy(staged.ir, home / f"thermal/kitchen{number}.mkv")
    text = (ROOT / "docs/recordings.md").read_text(encoding="utf-8")
    for name, start in (("events", "recording,label"), ("recordings", "recording,rgb")):
        table, *_ = re.findall(rf"^```\n({start}.*?)^```", text, re.M | re.S)
        (home / f"{name}.csv").write_text(table)


def own_set(home: pathlib.Path) -> None:
    """A manifest of the demo's clips, with people and days."""
    (home / "my").mkdir(exist_ok=True)
    lines = ["rgb,ir,skeleton,label,person,day"]
    skeletons = sorted(home.glob("data/raw/synthetic/*/*.skeleton"))
    for number in range(12):
        for stream in ("rgb", "ir"):
            shutil.copy(clips(home, stream)[number], home / f"my/{number}_{stream}.avi")
        shutil.copy(skeletons[number], home / f"my/{number}.skeleton")
        person, day = ("anna", "ben", "cleo")[number % 3], ("mon", "tue")[number % 2]
        label = ("walk", "wave")[number // 2 % 2]
        files = f"{number}_rgb.avi,{number}_ir.avi,{number}.skeleton"
        lines.append(f"{files},{label},{person},{day}")
    (home / "my/clips.csv").write_text("\n".join([*lines, ""]))
    shutil.copy(home / "my/clips.csv", home / "my/other.csv")


def of_sensors(home: pathlib.Path) -> None:
    folder = home / "nagoya_fir"
    (folder / "recordings").mkdir(parents=True)
    random, lines = np.random.default_rng(0), []
    labels = ("walk1", "walk2", "falling1", "falling2", "sit", "stand", "lie")
    for recording in range(4):
        values = random.normal(21, 1, (140, 16, 16)).astype(np.float32)
        np.save(folder / f"recordings/r{recording}.npy", values)
        for part, label in enumerate(labels):
            day, first = 20170203 + recording % 2, 20 * part
            stop = first + 15
            lines.append(f"r{recording},{first},{stop},{label},p{recording},{day}")
    head = "recording,first,stop,label,person,day"
    (folder / "segments.csv").write_text("\n".join([head, *lines, ""]))
    shutil.copytree(folder / "recordings", home / "recordings")


def of_readme(home: pathlib.Path) -> None:
    own_set(home)
    lines = (home / "my/clips.csv").read_text().splitlines()
    splits = ["split", *("test" if i % 3 == 2 else "train" for i in range(12))]
    both = [f"{line},{split}" for line, split in zip(lines, splits, strict=True)]
    (home / "my/clips.csv").write_text("\n".join([*both, ""]))
    pair(home, "new_rgb.avi", "new_ir.avi")


def of_small_sets(home: pathlib.Path) -> None:
    own_set(home)
    shell(home, prepared("folds"))


def of_mine(home: pathlib.Path) -> None:
    """The README's own set, prepared."""
    of_readme(home)
    shell(home, prepared("mine"))


def prepared(name: str) -> str:
    words = f"--manifest my/clips.csv --name {name} --out data"
    return f"python -m input_pipeline.prepare clips {words}"


NO_ONNX = (
    ()
    if all(map(importlib.util.find_spec, ("jax2onnx", "onnxruntime")))
    else (("--format onnx", "--format stablehlo"), ("run_onnx.py", "run_stablehlo.py"))
)
STEPS = (
    ("--clips 256", "--clips 48"),
    (" --config.train.epochs=2 --config.train.eval_every=1", ""),  # as in SMALL
)
PAGES = {
    "docs/first_steps.md": Page(changes=STEPS),
    "docs/recordings.md": Page(of_recordings),
    "docs/export.md": Page(of_export, (*NO_ONNX, ("/other/data", "data"))),
    "docs/live.md": Page(of_live, (("--seconds 60", "--seconds 6"),)),
    "docs/sensors.md": Page(of_sensors),
    "docs/small_sets.md": Page(
        of_small_sets,
        (
            ("CONFIG", "configs/own_stafusion.py:dataset=folds"),
            ("--num_folds 5", "--num_folds 2"),
        ),
    ),
    "docs/parts.md": Page(of_mine),
    "README.md": Page(of_readme),
}
# Where commands are tried that no test does page by page.
ELSEWHERE = {
    "docs/scaling.md": "machines that are not here; tests/ahead_of_time has a part",
    "docs/systems/ccdfarm.md": "minutes of compiling; tests/rules/test_configs.py",
    "docs/systems/dam.md": "tests/rules/test_configs.py",
    "docs/systems/stafusion.md": "tests/rules/test_configs.py",
    "docs/systems/tsm_netvlad.md": "tests/rules/test_configs.py",
    "docs/trust.md": "the fuzzer's own environment; tests/weights/test_hostile.py",
}


@pytest.mark.long
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_done_as_it_stands(home, tmp_path, name):
    """In a copy of its own, so that no page lives on what another one has left."""
    clone = tmp_path / "clone"
    shutil.copytree(home, clone)
    assert do(clone, name)


def test_every_page_with_commands_is_done():
    found = {
        commands.title(page)
        for page in commands.PAGES
        if commands.blocks(page.read_text(encoding="utf-8"))
    }
    assert found == set(PAGES) | set(ELSEWHERE)
    assert not set(PAGES) & set(ELSEWHERE)


def test_what_is_run_is_the_page_but_for_what_is_stated():
    block = """make env
python train.py --config configs/demo_dam.py \\
    --workdir runs/a      # twice
python predict.py --config configs/x.py --seconds 60 &
python evaluate.py --config model
"""
    page = Page(changes=(("--seconds 60", "--seconds 6"),))
    assert lines_of(block, page) == [
        f"python train.py --config configs/demo_dam.py      --workdir runs/a {SMALL}",
        f"python predict.py --config configs/x.py --seconds 6 {SMALL} &",
        "python evaluate.py --config model",
    ]


def test_a_command_that_fails_is_seen(tmp_path):
    assert shell(tmp_path, "sleep 60 &", "echo here") == "here\n"
    with pytest.raises(AssertionError, match="why"):
        shell(tmp_path, "echo why; false", "echo not any more")
