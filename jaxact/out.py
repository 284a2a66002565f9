"""What a model returns: a dict of arrays by name, and the names that others look at.

``logits``, float32 ``[b y]``, is always there. Losses and metrics name what they read;
evaluation and the report look at the names below, where a model has them.
"""

import math
from collections.abc import Mapping
from typing import Any

Out = Mapping[str, Any]

# Entries of a model's out that evaluation and report look at, where a model has them.
FRAME_SCORES, FRAME_MARKS = "frame_scores", "frame_marks"
REGION_SCORES, KEEP = "region_scores", "keep"
ACTIVATION, ASSIGNMENTS = "activation", "assignments"
SELECTION = (FRAME_SCORES, FRAME_MARKS, REGION_SCORES, KEEP, ACTIVATION, ASSIGNMENTS)
# Entries of a batch that they are compared with, where a data set has the truth.
ACTOR_VISIBLE, ACTOR_BOX, DIFFICULTY = "actor_visible", "actor_box", "difficulty"
TRUTH = (ACTOR_VISIBLE, ACTOR_BOX, DIFFICULTY)
# Where the camera sees the joints: for pictures, and for a model that reads it.
JOINTS_SEEN = "joints_seen"
# The share of the streams' cost that a clip needs, [b], where a model chooses.
EXPECTED_COST = "expected_cost"
# How little a model of evidence knows of a clip, by its own account, [b]: 1, nothing.
UNCERTAINTY = "uncertainty"
# What a model says of its own working on a clip; an evaluation gives the mean.
OF_ITSELF = (EXPECTED_COST, UNCERTAINTY)
# What an evaluation keeps of every clip; of all else, of those that are shown.
SCORES = "scores"
OF_EVERY_CLIP = (
    *("id", "label", SCORES, DIFFICULTY, FRAME_MARKS, ACTOR_VISIBLE),
    *OF_ITSELF,
)
# What a frame is to a model that chooses frames: the values of ``frame_marks``.
BACKGROUND = 0
SECONDARY = 1
KEY = 2
# The end of the names of a model's other predictions: of one stream, of a teacher.
BRANCH = "_logits"


def patch_grid(patches: int, height: int, width: int) -> tuple[int, int]:
    """Returns the rows and columns of square patches that tile a frame.

    Raises:
      ValueError: no square patch cuts the frame into that many.
    """
    side = math.sqrt(height * width / patches) if patches else 0.0
    rows, columns = (round(height / side), round(width / side)) if side else (0, 0)
    if rows * columns != patches or rows * width != columns * height:
        raise ValueError(
            f"Got {patches} patches of a {height} x {width} frame, which no square "
            "patch gives; pass grid=(rows, columns)."
        )
    return rows, columns
