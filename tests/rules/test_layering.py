"""The one-way flow: who may import whom, read from the source with `ast`.

Imports inside functions and under TYPE_CHECKING count as well: what a file names, it
depends on.
"""

import ast
import importlib.metadata
import itertools
import pathlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator

import pytest

from tests.paths import ROOT

# Lower rooms first; a file imports from its own row and from those above it here.
ROOMS = (
    ("jaxact",),  # the contracts: config, errors, batch, out, state, losses, ...
    ("jaxact.devices", "jaxact.weights"),
    ("jaxact.layers", "jaxact.checkpoints", "jaxact.report"),
    ("jaxact.backbones",),
    ("jaxact.models", "jaxact.run"),
    ("jaxact.ahead_of_time", "jaxact.export"),
)
# The library's face and its command line: whatever they need.
FACES = ("jaxact", "jaxact.__main__")
# Inside a row, and between the packages: neither the importer nor anything inside it
# names the imported.
FORBIDDEN = (
    *(("jaxact", name) for name in ("tensorflow", "tensorflow_datasets", "torch")),
    ("jaxact", "input_pipeline"),
    ("jaxact", "configs"),
    ("input_pipeline", "jaxact"),
    ("input_pipeline", "configs"),
    ("jaxact.run", "jaxact.models"),
    ("jaxact.models", "jaxact.run"),
    ("jaxact.devices", "jaxact.weights"),
    ("jaxact.weights", "jaxact.devices"),
    *(
        (f"jaxact.{a}", f"jaxact.{b}")
        for a, b in itertools.permutations(("layers", "checkpoints", "report"), 2)
    ),
)
# It writes what is TensorFlow's own, and imports it inside functions, see
# `test_importing_the_library_touches_no_device`.
MAY = {("jaxact.export.to_tensorflow", "tensorflow")}
# Packages whose own requirements do not go with ours: installed by hand.
BY_HAND = {"jax2onnx"}
# The one room that may name a package.
ONLY = {"orbax": "jaxact.checkpoints"}


def row(module: str) -> int:
    """Says on which row a module of the library stands."""
    folders = {name: i for i, names in enumerate(ROOMS) for name in names}
    return folders.get(".".join(module.split(".")[:2]), folders["jaxact"])


def inside(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def imports(path: pathlib.Path, module: str) -> Iterator[str]:
    """Yields the dotted name of everything the file imports, relative ones resolved.

    ``from a import b`` yields ``a.b``, for b may be a module; if it is a function,
    ``a.b`` is still inside ``a``.
    """
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                parents = parents[: len(parents) - node.level + 1]
                base = ".".join([*parents, *filter(None, [base])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def modules(root: pathlib.Path) -> Iterator[tuple[str, pathlib.Path]]:
    """Yields every module of the two packages, the configs and the scripts."""
    for folder in ("jaxact", "input_pipeline", "configs"):
        for path in sorted((root / folder).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            yield ".".join(parts).removesuffix(".__init__"), path
    for path in sorted(root.glob("*.py")):
        yield path.stem, path


def violations(root: pathlib.Path) -> list[str]:
    found = []
    for module, path in modules(root):
        for name in sorted(set(imports(path, module))):
            for importer, imported in FORBIDDEN:
                if (module, imported) in MAY:
                    continue
                if inside(module, importer) and inside(name, imported):
                    found.append(f"{module} imports {name}")
            ours = inside(module, "jaxact") and inside(name, "jaxact")
            if ours and module not in FACES and row(name) > row(module):
                found.append(f"{module} imports {name}, which stands above it")
            for package, owner in ONLY.items():
                if inside(name, package) and not inside(module, owner):
                    found.append(f"{module} imports {name}; only {owner} may")
    return found


def test_imports_follow_the_one_way_flow():
    assert violations(ROOT) == []


@pytest.mark.parametrize(
    ("file", "source", "expected"),
    [
        ("jaxact/a.py", "import tensorflow as tf", "jaxact.a imports tensorflow"),
        (
            "jaxact/a.py",
            "def f():\n    from input_pipeline.config import X",
            "jaxact.a imports input_pipeline.config.X",
        ),
        (
            "input_pipeline/formats/a.py",
            "from jaxact import losses",
            "input_pipeline.formats.a imports jaxact.losses",
        ),
        (
            "jaxact/backbones/a.py",
            "from ..models import stafusion",
            "jaxact.backbones.a imports jaxact.models.stafusion, which stands above it",
        ),
        (
            "jaxact/backbones/__init__.py",
            "from ..models import stafusion",
            "jaxact.backbones imports jaxact.models.stafusion, which stands above it",
        ),
        (
            "jaxact/losses.py",
            "from jaxact.layers import masking",
            "jaxact.losses imports jaxact.layers.masking, which stands above it",
        ),
        (
            "jaxact/run/steps.py",
            "import jaxact.models.dam",
            "jaxact.run.steps imports jaxact.models.dam",
        ),
        (
            "train.py",
            "import orbax.checkpoint as ocp",
            "train imports orbax.checkpoint; only jaxact.checkpoints may",
        ),
    ],
)
def test_a_wrong_import_is_found(tmp_path, file, source, expected):
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    assert violations(tmp_path) == [expected]


def test_allowed_imports_are_not_reported(tmp_path):
    (tmp_path / "jaxact" / "models").mkdir(parents=True)
    (tmp_path / "jaxact" / "checkpoints").mkdir()
    manager = tmp_path / "jaxact" / "checkpoints" / "manager.py"
    manager.write_text("import orbax.checkpoint")
    (tmp_path / "jaxact" / "models" / "dam.py").write_text(
        "from jaxact.layers import attention\nfrom ..backbones import i3d\n"
    )
    (tmp_path / "train.py").write_text("import input_pipeline, jaxact.models, configs")
    assert violations(tmp_path) == []


def declared(root: pathlib.Path) -> set[str]:
    """Returns the names of all distributions the project says it needs to run."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    lines = (root / "requirements.txt").read_text().splitlines()
    for extra in ("beam", "hub", "litert", "onnx"):
        lines += project["optional-dependencies"][extra]
    names = (re.match(r"[\w.-]+", line) for line in lines)
    return {canonical(match[0]) for match in names if match}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_imported_package_is_declared():
    own = {"jaxact", "input_pipeline", "configs"} | {p.stem for p in ROOT.glob("*.py")}
    owners = importlib.metadata.packages_distributions()
    known = declared(ROOT)
    assert {"jax", "tensorflow-cpu", "apache-beam"} <= known
    missing = set()
    for module, path in modules(ROOT):
        for name in imports(path, module):
            top = name.partition(".")[0]
            if top in own | BY_HAND or top in sys.stdlib_module_names:
                continue
            if not known & {canonical(owner) for owner in owners.get(top, [top])}:
                missing.add(f"{module} imports {name}")
    assert sorted(missing) == []


def run(code: str) -> str:
    """Runs code in a fresh interpreter, in the root of the tree."""
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_importing_the_library_touches_no_device():
    """JAX takes a new number of CPU devices only while no backend is up yet."""
    printed = run(
        "import importlib, pkgutil, sys, jax, jaxact\n"
        "for module in pkgutil.walk_packages(jaxact.__path__, 'jaxact.'):\n"
        "    if not module.name.endswith('__main__'):\n"
        "        importlib.import_module(module.name)\n"
        "jax.config.update('jax_num_cpu_devices', 3)\n"
        "print(len(jax.devices('cpu')), 'tensorflow' in sys.modules)\n"
    )
    assert printed.split() == ["3", "False"]


def test_the_device_test_sees_a_module_that_touches_one():
    with pytest.raises(AssertionError, match="jax_num_cpu_devices"):
        run("import jax; jax.devices(); jax.config.update('jax_num_cpu_devices', 3)")


def test_configs_are_read_without_tensorflow():
    printed = run(
        "import sys, input_pipeline.config\nprint('tensorflow' in sys.modules)"
    )
    assert printed.split() == ["False"]
