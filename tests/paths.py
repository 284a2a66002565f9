"""Where tests find the tree and its golden files, from whichever folder they lie in."""

import pathlib

ROOT = pathlib.Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "golden"
