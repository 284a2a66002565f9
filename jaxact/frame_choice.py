"""Which frames were kept: how often each, and how often they show the actor.

Precision is compared with two choices that do not look: as many frames of each clip at
random, and as many fixed positions, the same in every clip, that are best for the truth
of these very clips. A model that is no better than the second has learnt where actors
usually are, not to see them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxact.metrics import ratio


def precision(marked: np.ndarray, visible: np.ndarray) -> dict[str, Any]:
    """Returns how often kept frames show the actor, and two choices that do not look.

    Args:
      marked, visible: bool [n f].

    Returns:
      clips, kept (frames a clip), precision, chance (as many of each clip's frames,
      drawn at random), blind (the best fixed positions: as many as are kept a clip) and
      ceiling (as many frames, chosen by the truth). NaN where nothing is kept.
    """
    clips, frames = marked.shape
    number, shown = marked.sum(1), visible.sum(1)
    kept = float(number.mean()) if clips else 0.0
    places = np.argsort(-visible.sum(0), kind="stable")[: round(kept)]
    chosen = visible[:, places]
    total = float(number.sum())
    return {
        "clips": clips,
        "kept": kept,
        "precision": ratio((float((marked & visible).sum()), total)),
        "chance": ratio((float((number * shown / max(frames, 1)).sum()), total)),
        "blind": ratio((float(chosen.sum()), float(chosen.size))),
        "ceiling": ratio((float(np.minimum(number, shown).sum()), total)),
    }


def describe(
    frame_marks: np.ndarray,
    actor_visible: np.ndarray,
    streams: Mapping[str, int],
    difficulty: np.ndarray | None = None,
    difficulty_names: Sequence[str] = (),
) -> dict[str, Any]:
    """Describes the frames kept of n clips.

    Args:
      frame_marks: int [n f], >= 1 where a frame is kept; f are the streams' frames one
        stream after the other.
      actor_visible: bool [n f].
      streams: number of frames of each, in their order.
      difficulty: int [n] bit masks.
      difficulty_names: by bit.

    Returns:
      rows (name, kind "all" | "stream" | "difficulty", and `precision`'s figures) and
      positions: by stream, in which share of the clips each frame is kept.
    """
    marked, visible = frame_marks >= 1, actor_visible.astype(bool)
    rows = [{"name": "all", "kind": "all"} | precision(marked, visible)]
    positions, start = {}, 0
    for name, frames in streams.items():
        part = slice(start, start + frames)
        start += frames
        positions[name] = marked[:, part].mean(0).tolist()
        row = precision(marked[:, part], visible[:, part])
        rows.append({"name": name, "kind": "stream"} | row)
    if difficulty is not None and len(difficulty_names):
        groups = {
            str(name): difficulty >> bit & 1 == 1
            for bit, name in enumerate(difficulty_names)
        }
        groups["none"] = difficulty == 0
        for name, chosen in groups.items():
            if chosen.any():
                row = precision(marked[chosen], visible[chosen])
                rows.append({"name": name, "kind": "difficulty"} | row)
    return {"rows": rows, "positions": positions}
