"""TSM-NetVLAD on HMDB51: colour video and RGB differences, one network each.

Command:  python -m input_pipeline.prepare hmdb51 --raw RAW --out data
          python train.py --config configs/hmdb51_tsm_netvlad.py
          python train.py --config configs/hmdb51_tsm_netvlad.py:stream=rgb_diff,split=2
          python -m jaxact fuse runs/hmdb51_split1_tsm_netvlad_rgb \
              runs/hmdb51_split1_tsm_netvlad_rgb_diff
Hardware: one GPU of 16 GB; a GTX 1080 Ti (the paper's) with
          `--config.train.accumulate=2`.
Metric:   top-1 73.1 of both streams fused (the paper's Table 1, which does not say of
          which splits; tolerance 0.5 points). Not trained by us yet.

The recipe, and how the streams are fused, is that of `configs/ucf101_tsm_netvlad.py`.
"""

from configs import ucf101_tsm_netvlad
from jaxact.config import Experiment


def get_config(arg: str = "") -> Experiment:
    return ucf101_tsm_netvlad.make_experiment("hmdb51", arg)
