"""Writes a model folder: weights, config.json and a card, whole or not at all."""

import json
import os
import pathlib
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

import jaxact
from jaxact import errors, model_folder
from jaxact.batch import Facts
from jaxact.checkpoints import files, folder_weights
from jaxact.config import Experiment
from jaxact.export import describe
from jaxact.report import output

_SHOWN = ("top1", "top5", "mean_class_accuracy", "loss")


def write(
    out: pathlib.Path,
    experiment: Experiment,
    variables: Mapping[str, Any],
    labels: Sequence[str],
    *,
    step: int = 0,
    facts: Facts | None = None,
    metrics: Mapping[str, float] | None = None,
    split: str = "",
    values: Mapping[str, str] | None = None,
    licence: str = "unknown",
) -> pathlib.Path:
    """Writes a folder that `jaxact.load_model` reads anywhere.

    Args:
      out: where; not there yet, or empty.
      experiment: whose model it is; its paths and run are not needed any more.
      variables: "params" and "batch_stats".
      labels: the classes' names, [y].
      step: after how many steps of training.
      facts: of the data that it was trained on, where they are known.
      metrics, split: of an evaluation, and of which clips.
      values: which raw values are to become 0 and 255, by stream.
      licence: of the weights, an identifier of the hub's list.

    Returns:
      The folder.

    Raises:
      UserError: it cannot be written, or there are other labels than classes.
      ConfigError: the model's family stands outside the library.
    """
    classes = experiment.model.num_classes
    if len(labels) != classes:
        raise errors.UserError(
            f"Got {len(labels)} labels; the model has {classes} classes "
            "(model.num_classes). Give one name for each, in their order."
        )
    parameters = sum(int(np.size(x)) for x in jax.tree.leaves(variables["params"]))
    found = {
        "jaxact_version": jaxact.__version__,
        "name": experiment.name,
        "license": licence,
        "labels": list(map(str, labels)),
        "inputs": describe.inputs_of(experiment),
        **describe.preprocessing_of(experiment),
        "values": dict(values or {}),
        "parameters": parameters,
        "step": step,
        "data": data_of(facts),
        "metrics": {"split": split, **_numbers(metrics or {})},
        "experiment": model_folder.values_of(experiment),
    }
    if out.is_dir() and any(out.iterdir()):
        raise errors.UserError(
            f"{out} is there already and not empty; it stays as it is. Remove it, or "
            "choose another folder with --out."
        )
    half = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    with output.writing(out):
        try:
            half.mkdir(parents=True)
            file = folder_weights.write(half, variables)
            size, checksum = file.stat().st_size, model_folder.sha256(file)
            found["weights"] = {"bytes": size, "sha256": checksum}
            text = json.dumps(model_folder.sealed(found), indent=1)
            output.write(half / model_folder.CONFIG_FILE, text.encode())
            output.write(half / model_folder.CARD_FILE, card(found).encode())
            if out.is_dir():
                out.rmdir()
            half.rename(out)
        finally:
            shutil.rmtree(half, ignore_errors=True)
    return out


def of_checkpoint(folder: pathlib.Path, step: int) -> tuple[dict[str, float], str]:
    """Returns the metrics of a checkpoint's evaluation, and of which split."""
    return files.read_metrics(folder, step), files.evaluated_split(folder, step)


def data_of(facts: Facts | None) -> dict[str, Any]:
    """Returns what is known of the data that a model was trained on."""
    if facts is None:
        return {}
    return {
        "name": facts.name,
        "version": facts.version,
        "protocol": facts.protocol,
        "clips": dict(facts.num_clips),
        "digest": facts.digest,
    }


def _numbers(metrics: Mapping[str, float]) -> dict[str, float]:
    return {k: float(metrics[k]) for k in _SHOWN if np.isfinite(metrics.get(k, np.nan))}


def card(found: Mapping[str, Any]) -> str:
    """Returns README.md: the hub's header, and the same for people."""
    data, metrics, family = found["data"], dict(found["metrics"]), found["experiment"]
    split, streams = metrics.pop("split"), list(found["inputs"])
    header = {
        "license": found["license"],
        "library_name": "jaxact",
        "pipeline_tag": "video-classification",
        "tags": ["action-recognition", "multimodal", *streams],
    }
    if data:
        header["datasets"] = [data["name"]]
    if "top1" in metrics:
        header["metrics"] = ["accuracy"]
        value = {"type": "accuracy", "name": "top-1", "value": metrics["top1"]}
        where = {"type": data.get("name", "unknown"), "split": split}
        where["name"] = where["type"]
        task = {"type": "video-classification"}
        results = [{"task": task, "dataset": where, "metrics": [value]}]
        header["model-index"] = [{"name": found["name"], "results": results}]
    # JSON is YAML.
    lines = [f"{key}: {json.dumps(value)}" for key, value in header.items()]
    trained = (
        f"Trained on {data['name']} {data['version']}, protocol {data['protocol']} "
        f"({', '.join(f'{n:,} {s}' for s, n in data['clips'].items())} clips), "
        f"{found['step']:,} steps."
        if data
        else f"Trained for {found['step']:,} steps; on what, this folder does not know."
    )
    measured = (
        describe.table([[k, f"{v:.4f}"] for k, v in metrics.items()], ["metric", split])
        if metrics
        else "Not evaluated."
    )
    labels = describe.table(list(enumerate(found["labels"])), ["label", "class"])
    sampling = {**found["sampling"], **found["normalisation"]}
    settings = describe.table([[f"`{k}`", v] for k, v in sampling.items()], ["", ""])
    return f"""---
{chr(10).join(lines)}
---

# {found["name"]}

`{family["classes"]["model"].rpartition(".")[2]}` of jaxact {found["jaxact_version"]},
{found["parameters"]:,} parameters, {len(found["labels"])} classes. {trained}

```
import jaxact
predictor = jaxact.Predictor("FOLDER")
predictor({{{", ".join(f'"{name}": {name}' for name in streams)}}})["scores"]
```

`python predict.py --config FOLDER` and `python evaluate.py --config FOLDER` take this
folder, too.

## Input

Values as they are: the model itself normalises them.

{describe.inputs_table(found["inputs"])}

{settings}

## Metrics

{measured}

## Licence

Of the weights: {found["license"]}.

## Classes

{labels}
"""
