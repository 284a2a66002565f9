"""I3D on paired visible and infrared clips, one network for both streams.

Command:  python -m input_pipeline.prepare clips --manifest my/manifest.csv --out data
          python train.py --config configs/infar_i3d.py
          python train.py --config configs/infar_i3d.py:layout=unshared,fusion=average
Hardware: one GPU of 24 GB with `--config.train.accumulate=4`.
Metric:   none published: the paper's Table 1 has no I3D.

I3D halves its frames three times, so that it gets 16 of each stream, not the table's 8.
Arguments and recipe are those of `configs/infar_tsm.py`. Start from Kinetics-400
weights with `--config.train.init_from=FILE`, see `configs/ntu_ccdfarm.py`.
"""

from configs import infar_tsm
from jaxact.backbones.i3d import I3DConfig
from jaxact.config import Experiment


def get_config(arg: str = "") -> Experiment:
    return infar_tsm.make_experiment("i3d", I3DConfig(), arg, frames=16)
