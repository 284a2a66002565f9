"""What several configs share: class counts, and the recipe of the small experiments."""

from collections.abc import Callable, Mapping
from typing import Any

from input_pipeline.config import DataConfig
from jaxact.config import (
    ConfigError,
    EvalConfig,
    Experiment,
    ModelConfig,
    OptimConfig,
    ScheduleConfig,
    TrainConfig,
)
from jaxact.models.dual_stream import BaselineConfig
from jaxact.models.stafusion import STAFusionConfig

# The classes of each data set, as its authors have them.
CLASSES = {
    "hmdb51": 51,
    "minikinetics": 400,
    "ntu120": 120,
    "ntu60": 60,
    "something": 174,  # Something-Something V1
    "synthetic": 16,
    "ucf101": 101,
}


def demo(
    name: str,
    family: Callable[..., ModelConfig],
    protocol: str,
    image_size: int,
    **fields: Any,
) -> Experiment:
    """Returns a small experiment on the synthetic set: one recipe for all models.

    No paper states these numbers; they are chosen for the size of the set. Clips are
    resized to a little more than the model's image, of which a part is cut.
    """
    model = family(
        num_classes=CLASSES["synthetic"],
        dtype="float32",  # bfloat16 is emulated, and slow, on most CPUs
        image_size=image_size,
        **fields,
    )
    return Experiment(
        name=f"demo_{name}",
        model=model,
        data=DataConfig(
            name="synthetic",
            protocol=protocol,
            resize_min=image_size + 2,
            resize_max=image_size + 10,
            test_resize=image_size + 4,
        ),
        optim=OptimConfig(optimizer="adamw", lr=2e-3, weight_decay=0.05, clip_norm=1.0),
        schedule=ScheduleConfig(kind="cosine", warmup_epochs=1.0),
        train=TrainConfig(batch_size=16, epochs=12.0, eval_every=4.0),
        eval=EvalConfig(batch_size=32),
    )


# STAFusion's presets, as `jaxact.config.parse_arg` takes them.
STAFUSION_PRESETS = {
    "literal": False,
    "mmaction2": False,
    "teacher": "",
    "ranked": False,
}


def stafusion_presets(experiment: Experiment, args: Mapping[str, Any]) -> None:
    """Changes an experiment of STAFusion, or of its baseline, as presets say.

    Args:
      experiment: it is changed.
      args: those of `STAFUSION_PRESETS`, and maybe others.

    Raises:
      ConfigError: a preset of STAFusion's own parts is asked of the baseline.
    """
    literal(experiment, args["literal"])
    mmaction2(experiment, args["mmaction2"])
    two_stages(experiment, args["teacher"])
    ranked(experiment, args["ranked"])


def literal(experiment: Experiment, on: bool) -> None:
    """Has STAFusion be the paper as printed, where our defaults read it otherwise."""
    if not on:
        return
    model = _stafusion(
        experiment, "The baseline has no preset 'literal': leave out one of them."
    )
    experiment.name += "_literal"
    model.estimator = "none"
    model.rollout = "literal"
    model.teacher_weight = 0.0


def mmaction2(experiment: Experiment, on: bool) -> None:
    """Adds what the paper leaves out and mmaction2's TimeSformer recipe has."""
    if not on:
        return
    model: Any = experiment.model
    experiment.name += "_mmaction2"
    model.mean = model.std = (0.5,)
    model.drop_path = 0.1
    experiment.optim.clip_norm = 40.0
    experiment.data.test_resize = model.image_size
    experiment.data.eval_views_space = 3


def two_stages(experiment: Experiment, teacher: str) -> None:
    """Has a finished baseline teach STAFusion, standing still itself.

    "The baseline network's features as teacher": the first stage is the baseline's own
    training. Its token is the sum of the streams', so that the teacher's is, too; it
    has no loss, for nothing of it moves.

    Args:
      experiment: of STAFusion; it is changed.
      teacher: the run of the baseline, a folder; "": both learn together.

    Raises:
      ConfigError: the model is no STAFusion.
    """
    if not teacher:
        return
    model = _stafusion(
        experiment, "The baseline has no teacher: leave out one of them."
    )
    experiment.name += "_two_stages"
    model.class_token = "sum"
    model.teacher_weight = 0.0
    experiment.train.init_from = teacher
    experiment.train.init_part = "teacher"
    experiment.optim.freeze = ("branches", "teacher_head")


def ranked(experiment: Experiment, on: bool) -> None:
    """Has STAFusion's scorer learn from the labels which moments show the action.

    Where frames matter (`docs/worlds.md`) it is what finds them, and has the student
    see no others: a ranking loss in place of an estimator, a competition within each
    stream, and a second look at what is kept. The teacher, who saw all frames, answers,
    too: it takes back what leaving frames out costs where all of them matter. What
    single frames say is little, so that scorer and frame heads learn at higher rates.

    Args:
      experiment: of STAFusion; it is changed, after `two_stages` if that is asked for.
      on: False: nothing is.

    Raises:
      ConfigError: the model is no STAFusion.
    """
    if not on:
        return
    model = _stafusion(
        experiment, "The baseline has no scorer: leave out baseline or ranked."
    )
    if model.rollout == "literal":
        raise ConfigError("The paper as printed ranks no frames: literal or ranked.")
    experiment.name += "_ranked"
    model.class_token = "sum"
    model.compete = "stream"
    model.scorer = "centred"
    model.estimator = "none"
    model.ranking_weight = 1.0
    model.look = "again"
    model.answer = "both"
    experiment.optim.part_lr = (("scorer", 10.0), ("frame_heads", 10.0))


def _stafusion(experiment: Experiment, otherwise: str) -> STAFusionConfig:
    """Returns the model, or raises ConfigError with what is said of any other."""
    if not isinstance(experiment.model, STAFusionConfig):
        raise ConfigError(otherwise)
    return experiment.model


def stafusion_or(
    baseline: bool,
) -> tuple[str, type[STAFusionConfig] | type[BaselineConfig]]:
    """Returns the name and the family of STAFusion, or of what it is compared with."""
    if baseline:
        return "baseline", BaselineConfig
    return "stafusion", STAFusionConfig
