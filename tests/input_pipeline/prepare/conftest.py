"""Raw clips, and what an uninterrupted run prepares of them; nobody changes either."""

from pathlib import Path

import pytest

from tests.input_pipeline import raw
from tests.input_pipeline.prepare.small import CLIPS, run


@pytest.fixture(scope="session")
def raw_dir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    raw.ntu_tree(folder, CLIPS)
    return folder


@pytest.fixture(scope="session")
def whole(raw_dir, tmp_path_factory) -> Path:
    """The data set of an uninterrupted run."""
    return run(raw_dir, tmp_path_factory.mktemp("whole"))
