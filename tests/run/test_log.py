"""metrics.jsonl: full disks, damaged lines, and lines cut off."""

import pytest

from jaxact import errors
from jaxact.run import log as progress
from tests.scripts.test_faults import full_disk, steps_of


def test_numbers_that_cannot_be_written_say_so_and_stay_readable(tmp_path):
    log = progress.MetricsLog(tmp_path, 0)
    log.write(1, {"loss": 1.0})
    size = (tmp_path / "metrics.jsonl").stat().st_size
    with full_disk(size + 5), pytest.raises(errors.UserError, match="Make room there"):
        log.write(2, {"loss": 0.5})
    log.close()  # does not try again
    assert (tmp_path / "metrics.jsonl").read_text().endswith('{"ste')
    assert steps_of(tmp_path) == [1]
    log = progress.MetricsLog(tmp_path, 1)
    log.write(2, {"loss": 0.25})
    log.close()
    assert [row["loss"] for row in progress.read_history(tmp_path)] == [1.0, 0.25]


def lines_of(*steps):
    return [b'{"step": %d, "loss": 1.0}' % step for step in steps]


@pytest.mark.parametrize("damage", [b'{"ste', b"", b"\0" * 99, b"[1]", b'{"loss": 1}'])
def test_damage_in_the_middle_of_the_numbers_removes_no_others(
    tmp_path, capsys, damage
):
    path = tmp_path / "metrics.jsonl"
    text = b"\n".join([*lines_of(1, 2), damage, *lines_of(3, 4, 5), b'{"step": 6, '])
    path.write_bytes(text)
    assert steps_of(tmp_path) == [1, 2, 3, 4, 5]
    log = progress.MetricsLog(tmp_path, 4)
    kept = tmp_path / "metrics.jsonl.damaged"
    assert kept.read_bytes() == text
    assert capsys.readouterr().out == (
        f"1 damaged lines of {path} are left out; {kept} keeps all.\n"
    )
    log.write(5, {"loss": 0.5})
    log.close()
    assert steps_of(tmp_path) == [1, 2, 3, 4, 5]
    # Another time the copy of before stays.
    path.write_bytes(b"\n".join([damage, *lines_of(7), damage, *lines_of(8), b""]))
    progress.MetricsLog(tmp_path, 8).close()
    assert steps_of(tmp_path) == [7, 8] and kept.read_bytes() == text
    assert "2 damaged lines" in capsys.readouterr().out
    assert (tmp_path / "metrics.jsonl.damaged1").is_file()


def test_a_last_line_cut_off_is_no_damage(tmp_path, capsys):
    for end in (b'{"step": 3, ', b'{"step": 3, \n'):
        (tmp_path / "metrics.jsonl").write_bytes(b"\n".join([*lines_of(1, 2), end]))
        progress.MetricsLog(tmp_path, 2).close()
        assert steps_of(tmp_path) == [1, 2]
    assert capsys.readouterr().out == ""
    assert not list(tmp_path.glob("*.damaged*"))
