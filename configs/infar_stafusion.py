"""STAFusion on a folder of paired visible and infrared clips, as the paper's InfRA.

The paper's 12-class set (960 training and 240 testing pairs, visible 720 x 480,
infrared 293 x 256) is a private paired extension of the public infrared set InfAR. Any
folder of paired clips with a CSV manifest is read in its place: one's own cameras too.

Command:  python -m input_pipeline.prepare clips --manifest my/manifest.csv --out data
          python train.py --config configs/infar_stafusion.py
          python train.py --config configs/infar_stafusion.py:classes=5,dataset=mine
Hardware: one GPU of 24 GB with `--config.train.accumulate=8`, or 8 TPU devices.
Metric:   Top-1 89.17 / Top-5 98.33, baseline 85.42 / 97.08 (the paper's Table 1; one
          test pair is 0.42 points). Not trained by us: the paper's pairs are private.

Presets, as of `configs/ntu_stafusion.py`: "ranked", "teacher=RUN", "literal" and
"mmaction2". Start from Kinetics or ImageNet weights with
`--config.train.init_from=FILE`.
"""

from configs import common, ntu_stafusion
from input_pipeline.config import DataConfig
from jaxact.config import Experiment, parse_arg


def get_config(arg: str = "") -> Experiment:
    args = parse_arg(
        arg,
        dataset="clips",
        classes=12,
        baseline=False,
        **common.STAFUSION_PRESETS,
    )
    name, family = common.stafusion_or(args["baseline"])
    experiment = ntu_stafusion.get_config()  # the same recipe (section 4.2)
    experiment.name = f"{args['dataset']}_{name}"
    experiment.model = family(num_classes=args["classes"])
    experiment.data = DataConfig(name=args["dataset"])
    common.stafusion_presets(experiment, args)
    return experiment
