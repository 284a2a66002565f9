"""Whether a report can be kept is tried before anything is computed."""

import pytest

from jaxact import errors
from jaxact.devices import distributed
from jaxact.report import output


def test_only_the_main_process_tries_to_write_but_all_leave(tmp_path, monkeypatch):
    monkeypatch.setattr(distributed, "is_main", lambda: False)
    output.check(tmp_path / "report")
    assert not (tmp_path / "report").exists()
    monkeypatch.setattr(distributed, "any_process", lambda flag: True)
    with pytest.raises(errors.UserError, match="The main process cannot write to"):
        output.check(tmp_path / "report")
