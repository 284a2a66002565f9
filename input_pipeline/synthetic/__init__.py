"""The staged world: a small data set of two videos and skeletons a clip, with truth.

Real files in NTU RGB+D's formats and names, rendered from moving bodies, so that the
whole road from raw files to a report can be walked without any download.
"""

from input_pipeline.synthetic.config import Sensor, SyntheticConfig, clip_names
from input_pipeline.synthetic.files import generate

__all__ = ["Sensor", "SyntheticConfig", "clip_names", "generate"]
