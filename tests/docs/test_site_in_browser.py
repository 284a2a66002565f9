"""The site in a real browser: a quiet console, legible on a phone, dark and light."""

import functools
import http.server
import threading

import pytest

from tests.browser import NEEDED, PHONE, light_of, seen
from tests.docs.test_site import site  # noqa: F401

pytestmark = NEEDED


@pytest.fixture(scope="module")
def served(site):  # noqa: F811
    """The site's folder, and its address on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield site, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        "index",
        "systems/stafusion",
        "gallery",
        "design",
        "export",
        "parts",
        "notebooks/staged_set",
        "api/layers",
    ],
)
def test_a_page_of_the_site(served, tmp_path, name, dark):
    folder, address = served
    console, found = seen(folder, f"{name}.html", dark, address, tmp_path)
    assert console == [] and found["faint"] == []
    assert found["width"] <= PHONE and found["words"] > 1000
    assert found["dark"] == dark
    assert (light_of(found["page"]) < 60) == dark
