"""A small prepared data set; nobody changes it."""

import pytest

from tests.input_pipeline import tiny

CLIPS, TEST = 17, 7  # 10 to train on


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    tiny.write(path, [tiny.clip(i) for i in range(CLIPS)], TEST)
    return path
