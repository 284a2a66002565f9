"""What a model returns: a dict of arrays by name, and the names that others look at.

``logits``, float32 ``[b y]``, is always there. Losses and metrics name what they read;
evaluation and the report look at the names below, where a model has them.
"""

from collections.abc import Mapping
from typing import Any

Out = Mapping[str, Any]

# Entries of a model's out that evaluation looks at, where a model has them.
SELECTION = (
    "frame_scores",
    "frame_marks",
    "region_scores",
    "keep",
    "activation",
    "assignments",
)
# What a frame is to a model that chooses frames: the values of ``frame_marks``.
BACKGROUND, SECONDARY, KEY = 0, 1, 2
# The end of the names of a model's other predictions: of one stream, of a teacher.
BRANCH = "_logits"
