"""The staged world: NTU's layout, with the ground truth of who is seen where."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from input_pipeline import encode
from input_pipeline.builders.base import RawDataError
from input_pipeline.builders.ntu import NtuLayout
from input_pipeline.formats import ntu

WORLD_FILE = "world.json"
TRUTH_FOLDER = "truth"
KEYS = ("classes", "difficulties", "complete")


class Synthetic(NtuLayout):
    """A small staged world in NTU's file format, every clip with ground truth."""

    name = "synthetic"
    protocols = ("xview", "xsub", "xsub_dev")

    def __init__(
        self, *, raw: Path | str, options: encode.EncodeOptions, **kwargs: Any
    ):
        difficulties = tuple(read_world(Path(raw))["difficulties"])
        options = dataclasses.replace(options, difficulties=difficulties)
        super().__init__(raw=raw, options=options, **kwargs)

    @property
    def classes(self) -> list[str]:
        return read_world(self.raw)["classes"]

    def wanted(self, name: ntu.NtuName) -> bool:
        return True

    def source(self) -> dict[str, Any]:
        return {"world": read_world(self.raw)}

    def pixels(self, stream: str) -> tuple[int, int] | None:
        sensor = read_world(self.raw).get("config", {}).get(stream)
        return (sensor["height"], sensor["width"]) if sensor else None

    def extra_paths(self, name: str) -> dict[str, Path]:
        return {encode.TRUTH: self.raw / TRUTH_FOLDER / f"{name}.json"}


def read_world(raw: Path) -> dict[str, Any]:
    """Read what a staged world holds; raises RawDataError if it is not complete."""
    path = raw / WORLD_FILE
    stage = f"python -m input_pipeline.synthetic --out {raw}"
    try:
        world = json.loads(path.read_text())
        complete = all(key in world for key in KEYS) and world["complete"]
    except FileNotFoundError:
        complete = False
    except (ValueError, TypeError) as error:
        raise RawDataError(
            f"{path} is damaged ({type(error).__name__}: {error}). Delete {raw} and "
            f"stage it again: {stage}"
        ) from None
    if not complete:
        raise RawDataError(
            f"{raw} holds no complete staged world ({WORLD_FILE} is missing or says "
            f"that it is not finished). Stage it, or finish it, with the flags of the "
            f"world that is wanted (docs/worlds.md): {stage}"
        )
    return world
