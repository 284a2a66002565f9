"""Tables of the site that are read from code: every field once, with what it is for."""

import dataclasses

from docs.making import tables
from jaxact.layers.fusions.table import FUSIONS
from jaxact.models.stafusion import STAFusionConfig

SOURCE = '''
class Some(Base):
    """Words."""

    # Of both
    # that follow.
    one: int = 1
    two: Literal["a", "b"] = "a"  # or b
    three: tuple[int, ...] = (1, 2)

    # Alone.
    four: Other = dataclasses.field(default_factory=Other)
    five: ClassVar[int] = 5

    def six(self) -> int:
        # no field
        value: int = 6
        return value
'''


def test_fields_and_their_comments():
    assert list(tables.fields_of(SOURCE)) == [
        tables.Field("one", "int", "1", "Of both that follow."),
        tables.Field("two", "a | b", "a", "or b"),
        tables.Field("three", "tuple[int, ...]", "(1, 2)", ""),
        tables.Field("four", "Other", "Other()", "Alone."),
    ]


def test_inherited_fields_are_there_once():
    text = tables.fields("jaxact.models.stafusion.STAFusionConfig")
    rows = [line.split("`")[1] for line in text.splitlines()[2:]]
    names = {field.name for field in dataclasses.fields(STAFusionConfig)}
    assert len(rows) == len(set(rows)) and set(rows) == names


def test_all_fusions_and_backbones_are_there():
    fusions = tables.fusions()
    assert all(f"| `{name}` |" in fusions for name in FUSIONS)
    assert "hard=True" in fusions
    backbones = tables.backbones()
    assert "| `hiera` |" in backbones and "tiny, small, base, base_plus" in backbones
    assert "time_strides" in backbones and "shared" not in backbones
    assert "VideoMAE, Hugging Face names" in backbones


def test_bars_in_cells_are_escaped():
    assert tables.table(("a",), [("b | c",)]) == "| a |\n| --- |\n| b \\| c |"
