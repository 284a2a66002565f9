"""Exports a model of every kind to every format, for the table in docs/export.md.

python -m results.exports                    # all; continues where it stopped
python -m results.exports --formats onnx     # some

Models are small, for what a format holds does not depend on sizes; weights and clips
are random. Every export is a line of results/data/exports.jsonl; without the file all
are made afresh. ONNX needs the extra of docs/export.md.
"""

import argparse
import json
import pathlib
import re
import tempfile
from typing import Any

import jax
import numpy as np

from jaxact import errors, example_batch
from jaxact.config import load_experiment
from jaxact.devices import distributed
from jaxact.export import convert, describe
from jaxact.run.network import make_network

FILE = pathlib.Path(__file__).parent / "data" / "exports.jsonl"
CLIPS = 3
_TIMESFORMER = {"depth": 1, "width": 8, "heads": 2, "image_size": 16, "frames": 4}
_RESNET = {"image_size": 32, "frames": 4, "width": 8}
_CCDFARM = {"image_size": 32, "frames": 8, "width": 0.125, "skeleton_frames": 16}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "STAFusion": ("demo_stafusion.py", _TIMESFORMER),
    "its baseline": ("demo_stafusion.py:baseline", _TIMESFORMER),
    "CC-DFARM": ("demo_ccdfarm.py", _CCDFARM),
    "HCN": ("precog_hcn.py", {}),
    "DAM": ("demo_dam.py", _RESNET),
    "TSM-NetVLAD": ("demo_tsm_netvlad.py:stream=both", _RESNET),
    "TSM": ("demo_infar.py:net=tsm", {}),
    "SlowFast": ("demo_infar.py:net=slowfast", {}),
    "CSN": ("demo_infar.py:net=csn", {}),
    "TimeSformer": ("demo_infar.py:net=timesformer", {}),
    "Video Swin": ("demo_infar.py:net=video_swin", {}),
    "Hiera": ("demo_infar.py:net=hiera", {}),
    "MViT": ("demo_infar.py:net=mvit", {}),
    "TANet": ("demo_infar.py:net=tanet", {}),
    "Video-FocalNet": ("demo_infar.py:net=video_focalnet", {}),
    "VideoMAE": ("demo_infar.py:net=videomae", {}),
    "I3D": ("demo_infar.py:net=i3d", {}),
}


def made() -> list[dict[str, Any]]:
    """Returns the exports that were made."""
    if not FILE.is_file():
        return []
    return [json.loads(line) for line in FILE.read_text().splitlines()]


def one(model: str, name: str) -> dict[str, Any]:
    """Exports a model; returns what became of it."""
    config, changes = MODELS[model]
    keys = {f"model.{key}": value for key, value in changes.items()}
    experiment = load_experiment(f"configs/{config}", keys)
    network = make_network(experiment.model, distributed.make_mesh())
    variables = network.init(jax.random.key(0))
    batch = example_batch(experiment, CLIPS)
    clips = {stream: np.asarray(batch[stream]) for stream in network.inputs}
    labels = [str(index) for index in range(experiment.model.num_classes)]
    result: dict[str, Any] = {"model": model, "format": name}
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out"
        try:
            written = convert.export(
                name, out, experiment, variables, labels, clips, "random clips"
            )
        except errors.UserError as error:
            return result | {"reason": reason(error)}
    return result | {"batch": written.batch, "difference": written.difference}


def reason(error: Exception) -> str:
    """Returns what the format said, without the converter's places in files."""
    said = str(error.__cause__ or error)
    found = re.search(r"error: (.+)", said)
    return (found[1] if found else errors.first_line(error.__cause__ or error)).strip()[
        :120
    ]


def table() -> str:
    """Returns the table for the page."""
    found = {(row["model"], row["format"]): row for row in made()}
    rows = [
        [model, *(_cell(found.get((model, name))) for name in convert.FORMATS)]
        for model in MODELS
    ]
    reasons = sorted({row["reason"] for row in found.values() if "reason" in row})
    notes = [f"{index}. {text}" for index, text in enumerate(reasons, 1)]
    for row in rows:
        for index, text in enumerate(reasons, 1):
            row[1:] = [f"no ({index})" if x == text else x for x in row[1:]]
    text = describe.table(rows, ["model", *convert.FORMATS])
    return "\n".join([text, "", *notes]) + "\n" if notes else text + "\n"


def _cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return "not tried"
    if "reason" in row:
        return row["reason"]
    fixed = f", {row['batch']} clip a call" if row["batch"] else ""
    return f"{row['difference']:.0e}{fixed}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    formats = ",".join(convert.FORMATS)
    parser.add_argument("--formats", default=formats, help=f"[{formats}]")
    parser.add_argument("--models", default=",".join(MODELS), help="[all]")
    args = parser.parse_args()
    for model in args.models.split(","):
        for name in args.formats.split(","):
            if any((row["model"], row["format"]) == (model, name) for row in made()):
                continue
            convert.check_installed(name)
            row = one(model, name)
            with FILE.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(row, flush=True)


if __name__ == "__main__":
    main()
