"""A trained model for inference: its weights, and what it says of a clip.

No optimiser, schedule or train step is built.
"""

import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxact import config as config_lib
from jaxact import errors, model_folder
from jaxact.batch import PRESENT
from jaxact.checkpoints import files, folder_weights, manager
from jaxact.devices import distributed, platform
from jaxact.run import checks
from jaxact.run.network import Network, make_network
from jaxact.run.workdir import default_workdir

Clip = Mapping[str, np.ndarray]


def load_model(
    config: str | config_lib.Experiment, checkpoint: str | pathlib.Path = "best"
) -> tuple[nn.Module, dict[str, Any]]:
    """Loads a trained model: ``module.apply(variables, batch, train=False)``.

    Args:
      config: "configs/x.py", "configs/x.py:ARG", a model folder or an experiment.
      checkpoint: the folder of a run (its last checkpoint) or of one step, or "last" or
        "best" of the run in runs/NAME; or a model folder, which is its own checkpoint.

    Returns:
      The module, and its variables "params" and "batch_stats", a copy on every device.

    Raises:
      ConfigError: the config cannot be read, or no model can be built of it.
      UserError: there is no checkpoint, it is damaged, or of another model.
    """
    predictor = Predictor(config, checkpoint)
    return predictor.network.module, predictor.variables


class Predictor:
    """A trained model that is asked about a clip, or about several.

    >>> predictor = jaxact.Predictor("configs/demo_stafusion.py", "runs/demo_stafusion")
    >>> predictor({"rgb": rgb, "ir": ir})["scores"]

    Args:
      config, checkpoint: see `load_model`, also for what is raised.

    Attributes:
      experiment: what the config says.
      folder, step: of the checkpoint.
      classes: their names, if a model folder has them; else none.
      network: the model.
      variables: its weights.
      values: by stream of more than 8 bits, which raw values are to become 0 and 255
        (`input_pipeline.formats.levels.Scaling.parse`), as in training.
    """

    def __init__(
        self,
        config: str | config_lib.Experiment,
        checkpoint: str | pathlib.Path = "best",
    ):
        if isinstance(config, str):
            checkpoint = model_folder.own_weights(config, checkpoint)
            config = config_lib.load_experiment(config)
        self.experiment = config
        self.folder, self.step = find_checkpoint(config, checkpoint)
        self.classes = model_folder.labels(self.folder)
        platform.cache_programs(config.train.compilation_cache)
        self.network = make_network(config.model, distributed.make_mesh())
        self.variables = restore_weights(
            self.folder, self.step, self.network, self.experiment
        )
        self.values = files.values_of(self.folder, self.step)

    @property
    def checkpoint(self) -> str:
        """Where its weights come from."""
        return str(files.step_folder(self.folder, self.step))

    def __call__(self, clip: Clip) -> dict[str, np.ndarray]:
        """Returns ``scores`` [y], and what the model looked at, where it tells.

        Args:
          clip: the model's streams by name, of the shapes and types of its inputs; a
            stream may have a view axis in front, over whose views scores are averaged.
            Of one that lacks streams, zeros, and ``present`` bool [s]: which it has.

        Returns:
          ``scores``, float32 probabilities of the classes; ``scores/NAME`` [y] of a
          stream or a teacher alone; and of the first view those of `jaxact.out`'s
          ``SELECTION`` that the model has.

        Raises:
          UserError: a stream is missing, too many, or of another shape or type.
        """
        found = self._ask([clip], 1)
        own = ("id", "label", "mask")
        return {name: value[0] for name, value in found.items() if name not in own}

    def scores(self, clips: Sequence[Clip], most: int = 8) -> np.ndarray:
        """Returns the ``scores`` [n y] of several clips, ``most`` of them at a time.

        One program is compiled for one clip and one for ``most``; no others.
        """
        parts = [clips[i : i + most] for i in range(0, len(clips), most)]
        asked = [
            self._ask(part, 1 if len(part) == 1 else most)["scores"][: len(part)]
            for part in parts
        ]
        return np.concatenate(asked)

    def warm_up(self, clip: Clip, most: int = 8) -> float:
        """Compiles what `scores` needs of clips like this; returns a clip's seconds."""
        self.scores([clip] * most, most)
        self.scores([clip], most)
        start = time.perf_counter()
        self.scores([clip], most)
        return time.perf_counter() - start

    def _ask(self, clips: Sequence[Clip], size: int) -> dict[str, np.ndarray]:
        """What the model says of clips, a row a clip; the last fills up to ``size``."""
        for clip in clips:
            self._check(clip)
        mesh = self.network.mesh
        devices = mesh.devices.size  # which all get as many rows
        rows = -(-size // devices) * devices
        filled = [*clips, *[clips[-1]] * (rows - len(clips))]
        batch = {name: np.stack([one[name] for one in filled]) for name in clips[0]}
        batch |= {"label": np.zeros(rows, np.int32), "id": np.zeros(rows, np.int64)}
        batch |= {"mask": np.ones(rows, bool)}
        found = self.network.eval_step(
            self.variables, distributed.put_batch(batch, mesh)
        )
        return distributed.to_host(dict(found))

    def _check(self, clip: Clip) -> None:
        """Compares the clip with the model's inputs."""
        inputs = self.network.inputs
        if set(clip) - {PRESENT} != set(inputs):
            raise errors.UserError(
                f"Got a clip of {', '.join(sorted(clip)) or 'nothing'}; the model "
                f"reads {' and '.join(inputs)}."
            )
        present = np.asarray(clip.get(PRESENT, [True] * len(inputs)))
        if present.shape != (len(inputs),) or present.dtype != bool:
            raise errors.UserError(
                f"Got {PRESENT} {present.dtype}{list(present.shape)}; expected a bool "
                f"for each of {', '.join(inputs)}."
            )
        for name, spec in inputs.items():
            stream = np.asarray(clip[name])
            shapes = (stream.shape, stream.shape[1:])  # the latter with views
            if spec.shape not in shapes or stream.dtype != spec.dtype:
                cure = ""
                if name in self.values:
                    cure = f" Raw values become these first, {self.values[name]}."
                raise errors.UserError(
                    f"Got {name} {stream.dtype}{list(stream.shape)}; the model reads "
                    f"{np.dtype(spec.dtype)}{list(spec.shape)}, or several such views "
                    f"one behind the other.{cure}"
                )


def find_checkpoint(
    experiment: config_lib.Experiment,
    checkpoint: str | pathlib.Path,
    workdir: pathlib.Path | None = None,
) -> tuple[pathlib.Path, int]:
    """Returns the folder of checkpoints and the step that a person means.

    Args:
      experiment: its name tells the run's default folder, runs/NAME.
      checkpoint: see `load_model`.
      workdir: the run's folder, where it is another.

    Raises:
      UserError: there is no checkpoint.
    """
    which = str(checkpoint)
    of_run = which in ("last", "best")
    path = workdir or default_workdir(experiment) if of_run else checkpoint
    return files.find(path, which, experiment.eval.best_metric)


def restore_weights(
    folder: pathlib.Path,
    step: int,
    network: Network,
    experiment: config_lib.Experiment,
) -> dict[str, Any]:
    """Returns the variables of a checkpoint or model folder on the network's devices.

    Of a training that averaged its weights, the averages; with
    `EvalConfig.average_last` the mean of several checkpoints' weights, and of their
    batch statistics. Says that, and which values of model and data are not those of the
    training.

    Raises:
      UserError: the checkpoint is damaged or of another model.
    """
    source: Any = folder_weights.FolderWeights(folder)
    if not model_folder.is_ours(folder):
        source = manager.Checkpoints(folder, read_only=True)
    try:
        current = config_lib.config_text(experiment)
        stored = source.meta(step).get("config", current)
        others = "\n".join(
            line
            for line in checks.other_values(stored, experiment)
            if line.startswith(("  model.", "  data."))
        )
        variables = _mean_of_last(source, step, network, experiment.eval.average_last)
    except manager.DamagedError:
        raise
    except errors.UserError as error:
        if not others:
            raise
        raise errors.UserError(
            f"{error}\nIt was trained with other values:\n{others}"
        ) from None
    finally:
        source.close()
    if decay := checks.averaged(stored):
        distributed.say(f"Weights: averaged in training (train.ema_decay {decay}).")
    if others:
        distributed.say(
            f"Note: this checkpoint was trained with other values:\n{others}"
        )
    return variables


def _mean_of_last(source: Any, step: int, network: Network, number: int) -> Any:
    """Returns the mean of so many checkpoints' variables, the last of them ``step``.

    Raises:
      UserError: there are fewer, or one cannot be read.
    """
    total = source.restore_weights(step, network.abstract)
    if number == 1:
        return total
    # A folder of one model has no others.
    known = source.steps() if isinstance(source, manager.Checkpoints) else [step]
    steps = [each for each in known if each <= step][-max(number, 1) :]
    if len(steps) < number or number < 1:
        raise errors.UserError(
            f"eval.average_last is {number}, but there are {len(steps)} checkpoints up "
            f"to step {step}: {steps}. Ask for fewer, at least 1, or train with a "
            "larger train.keep."
        )
    distributed.say(f"Weights: the mean of the checkpoints {steps}.")
    for each in steps[:-1]:
        more = source.restore_weights(each, network.abstract)
        total = jax.tree.map(jnp.add, total, more)
    return jax.tree.map(lambda x: x / number, total)
