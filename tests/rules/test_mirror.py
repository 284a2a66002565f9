"""Tests mirror the tree: a module of some size has a test file of its name."""

from tests.paths import ROOT

SMALL = 40  # lines; what is as short is tested by those who use it
ELSEWHERE = {
    # Networks whose numbers are compared with public ones, by their weights.
    "jaxact/backbones/csn.py": "tests/backbones/test_resnet3d_weights.py",
    "jaxact/backbones/timesformer.py": "tests/backbones/test_timesformer_weights.py",
    # The template and the look of a page, which is read as a whole.
    "jaxact/report/page.py": "tests/report/test_html.py",
    "jaxact/report/style.py": "tests/report/test_html.py",
    # What a report is made of: checked where its figures are.
    "jaxact/report/evaluation.py": "tests/report/test_report.py",
    # Starts of runs, which need a whole run before them.
    "jaxact/run/initialize.py": "tests/scripts/test_train.py",
    # What a record becomes, which is seen in batches alone.
    "input_pipeline/examples.py": "tests/input_pipeline/test_pipeline.py",
    # What a damaged index is refused for, with the data set that it is of.
    "input_pipeline/index.py": "tests/input_pipeline/test_dataset.py",
}


def test_modules_have_test_files_of_their_names():
    missing = []
    for module in (*ROOT.glob("jaxact/**/*.py"), *ROOT.glob("input_pipeline/**/*.py")):
        name = module.relative_to(ROOT).as_posix()
        place = name.removeprefix("jaxact/").split("/")
        mirrored = ROOT.joinpath("tests", *place[:-1], f"test_{place[-1]}")
        lines = len(module.read_text(encoding="utf-8").splitlines())
        if module.name.startswith("__") or lines <= SMALL or mirrored.exists():
            assert name not in ELSEWHERE, f"{name} is no exception any more"
        elif name not in ELSEWHERE:
            missing.append(f"{name}: expected {mirrored.relative_to(ROOT)}")
    assert not missing, "\n".join(missing)


def test_exceptions_are_tested_where_they_say():
    for module, tests in ELSEWHERE.items():
        assert (ROOT / module).is_file() and (ROOT / tests).is_file(), module
