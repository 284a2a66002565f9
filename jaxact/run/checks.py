"""What is checked before the first training step."""

import dataclasses
import math
from collections.abc import Sequence, Set
from typing import Any

from jax.sharding import Mesh

from jaxact import config as config_lib
from jaxact import errors
from jaxact.batch import Facts
from jaxact.devices import distributed


def in_training(
    experiment: config_lib.Experiment, facts: Facts
) -> config_lib.Experiment:
    """Returns the experiment with ``eval.split`` that of the evaluations in training.

    What a checkpoint is chosen on is no measure of it: validation clips, where there
    are any, are for choosing, and the test clips stay for the report.

    Raises:
      UserError: there is no clip in that split, or the model cannot be trained so.
    """
    experiment.model.check_training(experiment.train)
    spec = experiment.eval
    has_val = bool(facts.num_clips.get("val"))
    split = spec.choose_on or ("val" if has_val else spec.split)
    _check_split("choose_on" if spec.choose_on else "split", split, facts)
    if experiment.train.patience and split in ("test", spec.split):
        raise errors.UserError(
            f"train.patience is {experiment.train.patience}, but the evaluations in "
            f"training are of the split {split!r}, which is reported: it must not "
            "choose when training ends. Hold out validation clips, "
            "--config.data.val_share=0.1, or set train.patience to 0."
        )
    return dataclasses.replace(experiment, eval=dataclasses.replace(spec, split=split))


def check(experiment: config_lib.Experiment, facts: Facts) -> None:
    """Compares the experiment with the data set.

    Args:
      experiment: what is to be run.
      facts: the pipeline's facts of the data set.

    Raises:
      UserError: they do not fit together.
    """
    classes = len(facts.classes)
    if experiment.model.num_classes != classes:
        raise errors.UserError(
            f"The model has {experiment.model.num_classes} classes "
            f"(model.num_classes), but the data set {facts.name!r} has {classes}. Add "
            f"--config.model.num_classes={classes}, or name another data set."
        )
    experiment.model.check_clips(len(facts.names))
    known = {*map(str, facts.names), *facts.classes}
    unknown = [name for name in experiment.eval.show if name not in known]
    if unknown:
        raise errors.UserError(
            f"eval.show names {', '.join(unknown)}, which are neither clips nor "
            f"classes of {facts.name!r}. Its classes are "
            f"{', '.join(facts.classes)}; its clips are named like {facts.names[0]}."
        )
    _at_least("eval.batch_size", experiment.eval.batch_size, 1)
    _at_least("eval.pictures", experiment.eval.pictures, 0)
    _check_split("split", experiment.eval.split, facts)


def _check_split(field: str, split: str, facts: Facts) -> None:
    """Raises UserError if no clip is in the split that a field of eval names."""
    if not facts.num_clips.get(split):
        there = ", ".join(f"{k} ({n})" for k, n in facts.num_clips.items() if n)
        raise errors.UserError(
            f"The data set {facts.name!r} has no clips in the split {split!r} of "
            f"protocol {facts.protocol!r}, which eval.{field} names; it has {there}. "
            f"Choose with --config.eval.{field}."
        )


def check_batch(train: config_lib.TrainConfig, mesh: Mesh) -> None:
    """Checks that the batch can be divided.

    Raises:
      UserError: it cannot, or a number that must be positive is not.
    """
    for name in ("batch_size", "accumulate", "log_every", "keep"):
        _at_least(f"train.{name}", getattr(train, name), 1)
    for name in ("eval_every", "checkpoint_every", "patience"):
        _at_least(f"train.{name}", getattr(train, name), 0)
    if not 0 < train.epochs < math.inf:
        raise errors.UserError(
            f"train.epochs is {train.epochs:g}; expected more than 0, and an end."
        )
    parts = mesh.devices.size * train.accumulate
    if train.batch_size % parts:
        nearest = max(1, round(train.batch_size / parts)) * parts
        raise errors.UserError(
            f"The batch of {train.batch_size} (train.batch_size) cannot be divided by "
            f"{mesh.devices.size} devices x {train.accumulate} micro-batches "
            f"(train.accumulate). Take a multiple of {parts}, for example "
            f"--config.train.batch_size={nearest}."
        )


def _at_least(key: str, value: float, least: int) -> None:
    if not least <= value < math.inf:
        raise errors.UserError(
            f"{key} is {value:g}; expected {least} or more. Change --config.{key}."
        )


def eval_batch_size(wanted: int, mesh: Mesh) -> int:
    """Rounds up to a multiple of the devices; what is too much is masked."""
    devices = mesh.devices.size
    return -(-max(wanted, 1) // devices) * devices


def data_identity(facts: Facts) -> dict[str, Any]:
    """Returns what tells the clips of a run from any others, for JSON."""
    return {
        "name": facts.name,
        "version": facts.version,
        "protocol": facts.protocol,
        "clips": {split: int(n) for split, n in facts.num_clips.items()},
        "digest": facts.digest,
    }


def check_same_everywhere(experiment: config_lib.Experiment, facts: Facts) -> None:
    """Compares config and data with those of the main process.

    Raises:
      UserError: on all processes, if they are not the same on one.
    """
    text, identity = config_lib.config_text(experiment), data_identity(facts)
    main_text, main_identity = distributed.broadcast_from_main([text, identity])
    with distributed.raise_on_all():
        own = config_lib.keys_that_may_differ(experiment, "processes")
        changed = differences(main_text, text, own)
        changed += _other_data(main_identity, identity)
        if changed:
            raise errors.UserError(
                "This process was started with another config or data than the main "
                'one ("was"):\n' + "\n".join(changed) + "\nStart the same command "
                "with the same data on every machine."
            )


def other_values(stored: str, experiment: config_lib.Experiment) -> list[str]:
    """Returns a line for each value that is not that of the stored config's text.

    What may differ between a run and its continuation is left out, and what did not
    exist then and is as if it did not.
    """
    free = config_lib.keys_that_may_differ(experiment, "runs")
    free |= config_lib.keys_left_alone(experiment) - _table(stored).keys()
    return differences(stored, config_lib.config_text(experiment), free)


def averaged(stored: str) -> str:
    """Returns the train.ema_decay of a stored config's text; "": none was kept."""
    decay = _table(stored).get("train.ema_decay", "")
    return "" if decay in ("0", "0.0") else decay


def check_same_config(
    stored: str, experiment: config_lib.Experiment, where: str
) -> None:
    """Compares the config of a run with the one it is to be continued with.

    Raises:
      UserError: a key that changes what is computed differs.
    """
    changed = other_values(stored, experiment)
    if changed:
        raise errors.UserError(
            f"The run in {where} was begun with another config:\n"
            + "\n".join(changed)
            + "\nTo continue it, give the same values again. To train with the new "
            "ones, choose another --workdir; with --config.train.init_from="
            f"{where} it starts from these weights."
        )


def check_labels(of_model: Sequence[str], of_data: Sequence[str]) -> None:
    """Compares the class names of a model folder with the data set's; (): not known.

    Raises:
      UserError: they are others, or in another order.
    """
    if not of_model or tuple(of_model) == tuple(of_data):
        return
    index = next(
        (i for i, (a, b) in enumerate(zip(of_model, of_data, strict=False)) if a != b),
        min(len(of_model), len(of_data)),
    )
    pair = [repr(x[index]) if index < len(x) else "none" for x in (of_model, of_data)]
    raise errors.UserError(
        f"The model folder's class {index} is {pair[0]}, the data set's {pair[1]}: the "
        "model was trained on other classes, or on these in another order. Evaluate it "
        "on data with its own classes (the labels in its config.json)."
    )


def check_same_data(
    stored: dict[str, Any] | None, current: dict[str, Any], where: str
) -> None:
    """Compares the clips of a run with those it is to be continued on.

    Raises:
      UserError: they are others.
    """
    if stored is None or stored == current:  # None: of an earlier version
        return
    changed = _other_data(stored, current)
    raise errors.UserError(
        f"The run in {where} was begun on other data:\n"
        + "\n".join(changed)
        + "\n(The digest is of what the data set was prepared from, and how.) To "
        "continue it, name the data of before with --config.data.dir and "
        "--config.data.version. To train on these, choose another --workdir; with "
        f"--config.train.init_from={where} it starts from these weights."
    )


def differences(stored: str, current: str, free: Set[str]) -> list[str]:
    """Returns a line for each key of two configs that differs and is not free to."""
    old, new = _table(stored), _table(current)
    return [
        f"  {key}: was {old.get(key, 'absent')}, now {new.get(key, 'absent')}"
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key) and key not in free
    ]


def _other_data(stored: dict[str, Any], current: dict[str, Any]) -> list[str]:
    return [
        f"  {key}: was {stored.get(key)}, now {value}"
        for key, value in current.items()
        if stored.get(key) != value
    ]


def _table(text: str) -> dict[str, str]:
    pairs = (line.partition(" = ") for line in text.splitlines())
    return {key: value for key, _, value in pairs if key}
