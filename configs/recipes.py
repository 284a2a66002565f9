"""How the networks' own authors train them, beside the one recipe of a comparison.

Values by key, as published for Kinetics-400; what is said of a batch is scaled to the
config's by `optim.reference_batch`. What belongs to a variant of a network, its drop
path and its head's dropout, stays the config's. Sources: the papers, and the configs of
mmaction2 1.2 or of the authors where the paper leaves a number out.
"""

from typing import Any

from jaxact.config import ConfigError, Experiment, set_value

SGD = {"optim.optimizer": "sgd", "optim.weight_decay": 1e-4}
ADAMW = {"optim.optimizer": "adamw", "optim.weight_decay": 0.05}
COSINE = {"schedule.kind": "cosine"}
# Of the networks that learn from little else than the clips.
STRONG = {
    "mix.mixup": 0.8,
    "mix.cutmix": 1.0,
    "data.rand_ops": 4,
    "data.rand_magnitude": 7.0,
    "data.erase": 0.25,
    "train.label_smoothing": 0.1,
}

RECIPES: dict[str, dict[str, Any]] = {
    # Lin et al. 2019: 50 epochs of batches of 128.
    "tsm": {
        **SGD,
        "optim.lr": 0.02,
        "optim.reference_batch": 128,
        "optim.clip_norm": 20.0,
        "schedule.kind": "step",
        "schedule.milestones": (20.0, 40.0),
        "train.epochs": 50.0,
    },
    # Feichtenhofer et al. 2019: from scratch.
    "slowfast": {
        **SGD,
        **COSINE,
        "optim.lr": 0.1,
        "optim.reference_batch": 64,
        "optim.clip_norm": 40.0,
        "schedule.warmup_epochs": 34.0,
        "train.epochs": 256.0,
    },
    # Tran et al. 2019, from weights of IG-65M: batch norm stands still.
    "csn": {
        **SGD,
        "optim.lr": 5e-4,
        "optim.reference_batch": 96,
        "optim.clip_norm": 40.0,
        "schedule.kind": "step",
        "schedule.milestones": (32.0, 48.0),
        "schedule.warmup_epochs": 16.0,
        "train.epochs": 58.0,
        "model.backbone.frozen_norm": "all",
    },
    # Liu et al. 2021, from ImageNet: the classifier learns five times as fast.
    "tanet": {
        **SGD,
        "optim.lr": 0.01,
        "optim.reference_batch": 64,
        "optim.clip_norm": 20.0,
        "optim.part_lr": (("head", 5.0),),
        "schedule.kind": "step",
        "schedule.milestones": (50.0, 75.0, 90.0),
        "train.epochs": 100.0,
    },
    # Liu et al. 2022, from ImageNet: the backbone learns a tenth as fast.
    "video_swin": {
        **ADAMW,
        **COSINE,
        "optim.lr": 1e-3,
        "optim.reference_batch": 64,
        "optim.weight_decay": 0.02,
        "optim.part_lr": (("backbone", 0.1),),
        "schedule.warmup_epochs": 2.5,
        "train.epochs": 30.0,
    },
    # Li et al. 2022, MViTv2-S from scratch.
    "mvit": {
        **ADAMW,
        **COSINE,
        **STRONG,
        "optim.lr": 1.6e-3,
        "optim.reference_batch": 512,
        "optim.clip_norm": 1.0,
        "schedule.warmup_epochs": 30.0,
        "data.repeats": 2,
        "train.epochs": 200.0,
    },
    # Wasim et al. 2023, from FocalNet.
    "video_focalnet": {
        **SGD,
        **COSINE,
        "optim.lr": 0.1,
        "schedule.warmup_epochs": 20.0,
        "mix.mixup": 0.8,
        "mix.probability": 0.5,
        "train.label_smoothing": 0.1,
        "train.epochs": 120.0,
    },
    # Bertasius et al. 2021, from ImageNet.
    "timesformer": {
        **SGD,
        "optim.lr": 0.005,
        "optim.reference_batch": 8,
        "schedule.kind": "step",
        "schedule.milestones": (11.0, 14.0),
        "train.epochs": 15.0,
    },
    # Tong et al. 2022, fine-tuned from its own pretraining.
    "videomae": {
        **ADAMW,
        **COSINE,
        **STRONG,
        "optim.lr": 1e-3,
        "optim.reference_batch": 256,
        "optim.layer_decay": 0.75,
        "schedule.warmup_epochs": 5.0,
        "data.repeats": 2,
        "train.epochs": 75.0,
    },
}


def apply(experiment: Experiment, net: str) -> None:
    """Sets an experiment's values to those of a network's authors.

    Raises:
      ConfigError: they are not known here.
    """
    if net not in RECIPES:
        raise ConfigError(
            f"There is no recipe=own of net={net}; there is one of "
            f"{', '.join(RECIPES)}. Leave recipe out."
        )
    for key, value in RECIPES[net].items():
        set_value(experiment, key, value)
