"""How patches tile a frame, by hand."""

import pytest

from jaxact.report import overlays


@pytest.mark.parametrize(
    ("patches", "size", "grid"),
    [(196, (224, 224), (14, 14)), (36, (48, 48), (6, 6)), (8, (32, 64), (2, 4))],
)
def test_patch_grid(patches, size, grid):
    assert overlays.patch_grid(patches, *size) == grid


def test_patch_grid_refuses_what_no_square_patch_gives():
    with pytest.raises(ValueError, match="10 patches of a 48 x 48 frame"):
        overlays.patch_grid(10, 48, 48)
