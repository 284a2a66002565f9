"""Experiments as typed dataclasses: every key in one place, unknown keys refused.

A config file is a Python file with ``get_config(arg: str = "") -> Experiment``, read by
`load_experiment`. A field that is a choice is annotated ``Literal[...]``; whatever sets
it, `Config` refuses other values, as it refuses attributes that are not fields.
"""

import contextlib
import dataclasses
import importlib.util
import math
import pathlib
import sys
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

import flax.linen as nn
import jax

from jaxact import model_folder
from jaxact.strict import (
    MAY_DIFFER,
    Config,
    ConfigError,
    checked,
    free,
    leaves,
    local,
    set_value,
)
from jaxact.strict import annotations as annotations
from jaxact.strict import keys_that_may_differ as keys_that_may_differ


@dataclasses.dataclass
class ModelConfig(Config):
    """What every model family's config has; a family adds its own fields."""

    num_classes: int = 60
    # Of the computation; parameters, norms and softmax stay float32.
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"

    def build(self) -> nn.Module:
        """Returns the Flax module this config describes."""
        raise TypeError(f"{type(self).__name__} must define build().")

    def inputs(self) -> dict[str, jax.ShapeDtypeStruct]:
        """Returns one example's streams (no batch axis); key order is stream order."""
        raise TypeError(f"{type(self).__name__} must define inputs().")

    def losses(self) -> tuple[Any, ...]:
        """Returns the loss terms, see `jaxact.losses`."""
        raise TypeError(f"{type(self).__name__} must define losses().")

    def reads(self) -> tuple[str, ...]:
        """Returns what the model asks of a batch besides streams, see `jaxact.out`."""
        return ()

    def notes(self, experiment: "Experiment") -> list[str]:
        """Returns what a person should know of these values before the first step."""
        del experiment
        return []

    def check_clips(self, count: int) -> None:
        """Compares the config with the number of clips of the data set, of all splits.

        Raises:
          UserError: they do not fit together.
        """
        del count

    def check_training(self, train: "TrainConfig") -> None:
        """Compares the config with how it is to be trained.

        Raises:
          UserError: they do not fit together.
        """
        del train

    def prepare(
        self,
        params: Any,
        batch_stats: Any,
        batches: Callable[[], Iterator[Any]],
        seed: int,
    ) -> Any:
        """Returns the parameters to train from, where they depend on training clips.

        Called once, before the first step of a run that begins; most models need not.

        Args:
          params: random, or of `TrainConfig.init_from`.
          batch_stats: likewise.
          batches: opens the training batches, on the devices; from the first one on.
          seed: of what is random.
        """
        del batch_stats, batches, seed
        return params


@dataclasses.dataclass
class OptimConfig(Config):
    """The optimiser. Weight decay skips biases, norms, class tokens and positions."""

    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: float = 0.005  # peak learning rate at `reference_batch`
    reference_batch: int = 0  # > 0: lr is scaled by batch_size / reference_batch
    momentum: float = 0.9  # sgd only
    nesterov: bool = True  # sgd only
    weight_decay: float = 1e-4  # sgd and adam: L2; adamw: decoupled
    clip_norm: float = 0.0  # > 0: gradients are clipped to this global norm
    # < 1: the rate of a backbone's block is this much smaller than of the next one.
    layer_decay: float = 1.0
    # Parts of the model whose rate is multiplied, as (("backbone", 0.1),).
    part_lr: tuple[tuple[str, float], ...] = ()
    # Parts that stay as they are: no update, no decay, and computed as in evaluation,
    # by the stored batch statistics and without dropout.
    freeze: tuple[str, ...] = ()


@dataclasses.dataclass
class ScheduleConfig(Config):
    """The learning rate over time; all durations are in epochs."""

    kind: Literal["step", "cosine", "exponential", "constant"] = "step"
    warmup_epochs: float = 0.0  # linear from 0
    milestones: tuple[float, ...] = (35.0, 70.0)  # "step": epochs at which to decay
    decay: float = 0.1  # "step": factor at a milestone; "exponential": per epoch


@dataclasses.dataclass
class TrainConfig(Config):
    """The training run."""

    batch_size: int = 64  # global: over all hosts and devices
    epochs: float = 100.0
    accumulate: int = 1  # micro-batches whose gradients are added in one step
    fsdp: int = free(1)  # devices over which parameters and optimiser state are divided
    seed: int = 0  # of weights, data order, augmentation and dropout
    # Weights to start from: a run or a foreign file; or several, with commas between,
    # each of which gives what it has besides heads (two streams from two runs).
    init_from: str = free("")
    # Of a run: all, all but the heads (classes may differ), the backbone (blocks and
    # fusion start from the seed, too), or all of it as the teacher of a model that has
    # one: its head is then that teacher's. A foreign file only ever holds a backbone.
    init_part: Literal["all", "all_but_heads", "backbone", "teacher"] = free("all")
    # > 0: the weights that are evaluated and used are the moving average of the trained
    # ones, after step n by the decay min(this, (1 + n) / (10 + n)).
    ema_decay: float = 0.0
    label_smoothing: float = 0.0  # e: a label is 1 - e + e/y, each other class e/y
    # A clip's losses are weighed by n ** -this, n its class's clips; the mean is 1.
    class_balance: float = 0.0
    # > 0: training ends when so many evaluations in a row were no better than the best
    # before them; of validation clips alone, for test clips must not choose when.
    patience: int = free(0)
    log_every: int = free(20)  # steps between progress lines
    eval_every: float = free(1.0)  # epochs between evaluations; 0: only at the end
    checkpoint_every: int = free(0)  # steps between checkpoints; 0: as evaluations
    keep: int = free(2)  # latest checkpoints kept, besides the best one
    compilation_cache: str = local("")  # folder of JAX's compilation cache; "": off


@dataclasses.dataclass
class MixConfig(Config):
    """Clips mixed in pairs in training, all streams alike; see `jaxact.run.mixing`."""

    mixup: float = 0.0  # a of Beta(a, a), of which the share of a clip is drawn; 0: off
    cutmix: float = 0.0  # likewise, of the part that stays; 0: off
    # What is cut: a box of all frames, or a stretch of the clip, joints included.
    along: Literal["space", "time"] = "space"
    probability: float = 1.0  # with which a clip is mixed


@dataclasses.dataclass
class EvalConfig(Config):
    """The evaluation run. How many views a clip has is said in the data config."""

    batch_size: int = free(64)  # global
    split: str = free("test")  # that evaluate.py reports on
    # The split that training evaluates on, by which the best checkpoint is chosen. "":
    # "val" where the data have one, else `split`.
    choose_on: str = free("")
    # By which the best checkpoint is chosen.
    best_metric: Literal["top1", "top5", "mean_class_accuracy"] = free("top1")
    # Weights are the mean of the last so many checkpoints, the chosen one and those
    # before it; train.keep says how many there are.
    average_last: int = free(1)
    pictures: int = free(8)  # clips shown in the report
    # Names of clips, or of classes, of which they are; (): from all over the split.
    show: tuple[str, ...] = free(())


@dataclasses.dataclass
class Experiment(Config):
    """One experiment, whole: what is trained, on what, and how."""

    name: str = dataclasses.field(metadata={MAY_DIFFER: "runs"})
    model: ModelConfig
    data: Any  # input_pipeline.config.DataConfig, which this library never reads
    optim: OptimConfig = dataclasses.field(default_factory=OptimConfig)
    schedule: ScheduleConfig = dataclasses.field(default_factory=ScheduleConfig)
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    mix: MixConfig = dataclasses.field(default_factory=MixConfig)
    eval: EvalConfig = dataclasses.field(default_factory=EvalConfig)


def config_text(config: Any) -> str:
    """Returns the whole config as ``key = value`` lines: what is stored beside runs."""
    return "\n".join(f"{key} = {value!r}" for key, value in leaves(config)) + "\n"


def keys_left_alone(config: Any) -> set[str]:
    """Returns the dotted keys that have their fields' default values."""
    found = set()
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            found |= {f"{field.name}.{key}" for key in keys_left_alone(value)}
            if field.default_factory is type(value):
                found.add(field.name)
        elif value == field.default:
            found.add(field.name)
    return found


def parse_overrides(words: Iterable[str]) -> dict[str, str]:
    """Reads ``["model.depth=2"]`` as ``{"model.depth": "2"}``.

    Raises:
      ConfigError: a word has no "=".
    """
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise ConfigError(
                f"Got the override {word!r}; expected KEY=VALUE, for example "
                "model.depth=2."
            )
        found[key] = value
    return found


# Whole numbers that may be 0: what there may be none of, and joints, which are counted
# from 0. All others are at least one.
MAY_BE_ZERO = (
    *("key_width", "value_width", "fusion_depth", "kmeans_clips", "origin"),
    *("history", "reference_batch", "positions"),
)
# How many numbers a field of several has.
LENGTHS = {
    "blocks": (1, 4),
    "depths": (1, 99),
    "origin": (1, 99),
    "patch": (3, 3),
    "time_strides": (3, 3),
    "window": (3, 3),
}
# What is left out at random, and what running statistics keep: less than all.
LESS_THAN_ONE = ("dropout", "head_dropout", "drop_path", "norm_momentum")
# Numbers with a fraction that something is divided by, or that nothing is left of at 0.
MORE_THAN_ZERO = ("temperature", "weights", "width")


def check_sizes(config: Any, prefix: str = "model") -> None:
    """Checks the numbers among the values of a model (or of another part of a config),
    and of what is nested in it.

    Raises:
      ConfigError: one is negative or has no end, zero where there must be something,
        or one where there must be less; or there are too few of them, or too many.
    """
    for field in dataclasses.fields(config):
        value, key = getattr(config, field.name), f"{prefix}.{field.name}"
        if dataclasses.is_dataclass(value):
            check_sizes(value, key)
        fewest, most = LENGTHS.get(field.name, (0, math.inf))
        if isinstance(value, tuple) and not fewest <= len(value) <= most:
            many = f"{fewest}" if fewest == most else f"{fewest} to {most}"
            raise ConfigError(f"{key} is {value}; expected {many} numbers.")
        least = int(field.name not in MAY_BE_ZERO)
        for number in value if isinstance(value, tuple) else (value,):
            if type(number) is int and number < least:
                raise ConfigError(f"{key} is {value}; expected {least} or more.")
            if type(number) is float and not 0 <= number < math.inf:
                raise ConfigError(f"{key} is {value}; expected 0 or more, and an end.")
            if field.name in MORE_THAN_ZERO and not number:
                raise ConfigError(f"{key} is {value}; expected more than 0.")
        if field.name in LESS_THAN_ONE and value >= 1:
            raise ConfigError(f"{key} is {value}; expected less than 1.")


@contextlib.contextmanager
def _importable(folder: pathlib.Path) -> Iterator[None]:
    """A config may build on another of its folder, wherever the caller stands."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def load_experiment(
    config: str, overrides: Mapping[str, Any] | None = None
) -> Experiment:
    """Loads ``"configs/x.py"``, ``"configs/x.py:ARG"`` or that of a model folder.

    Args:
      config: path of the config file; what follows the colon goes to ``get_config``.
        Or of a folder, see `jaxact.model_folder`.
      overrides: values by dotted key, for example ``{"model.depth": 2}``.

    Raises:
      ConfigError: the file is missing, has no ``get_config``, or a key is unknown; or
        the folder is damaged.
    """
    if pathlib.Path(config).is_dir():
        experiment = model_folder.experiment(config, Experiment)
    else:
        experiment = _of_file(config)
    for key, value in (overrides or {}).items():
        set_value(experiment, key, value)
    return experiment


def _of_file(config: str) -> Experiment:
    """Returns what the ``get_config`` of FILE[:ARG] returns."""
    path, _, arg = config.partition(":")
    file = pathlib.Path(path)
    if not file.is_file():
        raise ConfigError(
            f"No config file at {path!r}. Give the path of a Python file with a "
            "get_config function, for example configs/demo_stafusion.py."
        )
    spec = importlib.util.spec_from_file_location(f"config_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ConfigError(
            f"{path!r} is no Python file. Give one with a get_config function, for "
            "example configs/demo_stafusion.py."
        )
    module = importlib.util.module_from_spec(spec)
    with _importable(file.resolve().parent.parent):
        spec.loader.exec_module(module)
        get_config = typing.cast(Any, getattr(module, "get_config", None))
        if get_config is None:
            raise ConfigError(f"{path!r} defines no get_config(arg='') -> Experiment.")
        return get_config(arg) if arg else get_config()


def parse_arg(arg: str, **defaults: Any) -> dict[str, Any]:
    """Reads a config argument ``"protocol=xsub,classes=12"`` over ``defaults``.

    A bare word sets a boolean default to True. A tuple as default names the choices,
    ``dataset=("ntu60", "ntu120")``; the first one is the default.

    Raises:
      ConfigError: a name that is not among the defaults, a value of another type, or
        none of the choices.
    """
    choices = {
        name: tuple(dict.fromkeys(value))
        for name, value in defaults.items()
        if isinstance(value, tuple)
    }
    values = {k: v[0] if k in choices else v for k, v in defaults.items()}
    for part in filter(None, arg.split(",")):
        name, has_value, text = part.partition("=")
        if name not in defaults:
            known = ", ".join(defaults) or "none"
            raise ConfigError(f"Config argument {name!r} is unknown; known: {known}.")
        if not has_value and not isinstance(values[name], bool):
            raise ConfigError(f"Config argument {name!r} needs a value: {name}=...")
        values[name] = checked(name, text if has_value else True, values[name])
        if name in choices and values[name] not in choices[name]:
            raise ConfigError(
                f"Got {name}={values[name]}; choose one of "
                f"{', '.join(map(str, choices[name]))}."
            )
    return values
