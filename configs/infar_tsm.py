"""TSM-ResNet-50 on visible and infrared clips: the TSM row of STAFusion's Table 1.

One network for both streams, their features added under one classifier.

Command:  python -m input_pipeline.prepare clips --manifest my/manifest.csv --out data
          python train.py --config configs/infar_tsm.py
          python train.py --config configs/infar_tsm.py:classes=5,dataset=mine
          python train.py --config configs/infar_tsm.py:fusion=average
Hardware: one GPU of 16 GB.
Metric:   Top-1 49.58 / Top-5 92.50 (the paper's Table 1, 240 testing pairs). Not
          trained by us: the paper's pairs are private, and it does not say which
          weights it started from.

Arguments: `fusion` add, concat or average; `layout` passes, time (both streams one
after the other as one clip) or unshared (a network each). The network's fields are
`--config.model.backbone.width=32` and so on. The recipe is the paper's for all rows
(section 4.2). Start from public weights of TSM or torchvision with
`--config.train.init_from=FILE`.
"""

from configs import ntu_stafusion
from input_pipeline.config import DataConfig
from jaxact.backbones.protocol import BackboneConfig
from jaxact.backbones.resnet import TSMResNetConfig
from jaxact.config import Experiment, parse_arg
from jaxact.models.dual_stream import DualStreamConfig


def get_config(arg: str = "") -> Experiment:
    return make_experiment("tsm", TSMResNetConfig(), arg)


def make_experiment(
    net: str, backbone: BackboneConfig, arg: str, **fields: int
) -> Experiment:
    """Returns a row of Table 1: a backbone under the paper's recipe.

    Args:
      net: its name, in the run's.
      backbone: its config.
      arg: of the config file.
      **fields: of `DualStreamConfig`.
    """
    args = parse_arg(arg, dataset="clips", classes=12, fusion="add", layout="passes")
    experiment = ntu_stafusion.get_config()
    experiment.name = f"{args['dataset']}_{net}_{args['fusion']}_{args['layout']}"
    experiment.model = DualStreamConfig(
        num_classes=args["classes"],
        backbone=backbone,
        fusion=args["fusion"],
        layout=args["layout"],
        **fields,
    )
    experiment.data = DataConfig(name=args["dataset"])
    return experiment
