"""Writes a staged data set in NTU RGB+D's layout, on all cores, resumable."""

import concurrent.futures
import dataclasses
import json
import multiprocessing
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from tqdm import tqdm

from input_pipeline.formats.ntu import (
    INFERRED,
    TRACKED,
    NtuName,
    Skeletons,
    write_skeleton,
)
from input_pipeline.synthetic import world
from input_pipeline.synthetic.config import (
    WORLDS,
    SyntheticConfig,
    clip_names,
    difficulties,
)
from input_pipeline.synthetic.render import Rendered, frame_count, render
from input_pipeline.synthetic.room import camera

WORLD = "world.json"
# Folder and file ending of each kind of file, as NTU RGB+D is distributed.
RGB = ("nturgb+d_rgb", "_rgb.avi")
IR = ("nturgb+d_ir", "_ir.avi")
SKELETON = ("nturgb+d_skeletons", ".skeleton")
TRUTH = ("truth", ".json")


def generate(
    out_dir: str | os.PathLike,
    config: SyntheticConfig | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> None:
    """Writes the data set of ``config`` to ``out_dir``.

    Clips that are there already are left alone, so that an interrupted run continues.
    ``workers``: processes, default all cores; 1 stays in this process. Raises
    ValueError if the folder holds a data set of another config.
    """
    config = config or SyntheticConfig()
    out = Path(out_dir)
    names = clip_names(config)
    description = {
        "classes": list(config.actions),
        "seed": config.seed,
        "clips": len(names),
        "difficulties": list(difficulties(config)),
        "config": plain(config),
    }
    _claim(out, description)
    todo = [name for name in names if not _path(out, TRUTH, name).exists()]
    if todo:
        _write_json(out / WORLD, {**description, "complete": False})
    for folder, _ in (RGB, IR, SKELETON, TRUTH):
        (out / folder).mkdir(exist_ok=True)
    count = workers or _cores()
    with tqdm(
        total=len(names),
        initial=len(names) - len(todo),
        desc="staging clips",
        unit="clip",
        disable=not progress,
    ) as bar:
        for _ in _run(out, config, todo, min(count, max(1, len(todo)))):
            bar.update()
    _write_json(out / WORLD, {**description, "complete": True})


def _cores() -> int:
    """The cores this process may use, where the system tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _run(
    out: Path, config: SyntheticConfig, todo: list[NtuName], workers: int
) -> Iterator[None]:
    """Writes the clips; yields whenever one is done."""
    if workers == 1:
        for name in todo:
            write_clip(out, config, name)
            yield
        return
    # A fresh interpreter a worker: forking a process that has threads is not safe.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, context) as pool:
        jobs = [pool.submit(write_clip, out, config, name) for name in todo]
        try:
            for job in concurrent.futures.as_completed(jobs):
                job.result()
                yield
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def write_clip(out: Path, config: SyntheticConfig, name: NtuName) -> None:
    """Draws one clip and writes its four files; the truth, written last, ends it."""
    clip = world.stage(config, name)
    truth: dict[str, Any] = {
        "action": clip.action,
        "difficulty": list(clip.difficulties),
        "occluded": list(clip.occluded),
    }
    if config.delay:
        truth["delay"] = round(clip.delay, 5)
    if clip.players[0].carried is not None:
        truth["carried"] = clip.players[0].carried._asdict()
    if clip.intruder is not None:
        truth["intruder"] = clip.intruder.action
    for modality, kind in (("rgb", RGB), ("ir", IR)):
        drawn = render(config, clip, modality)
        truth[modality] = _truth(drawn)
        path = _path(out, kind, name)
        part = path.with_name(path.name + ".part")
        write_video(part, drawn.frames, getattr(config, modality).fps)
        part.replace(path)
    path = _path(out, SKELETON, name)
    part = path.with_name(path.name + ".part")
    write_skeleton(part, skeletons(config, clip))
    part.replace(path)
    _write_json(_path(out, TRUTH, name), truth)


def skeletons(config: SyntheticConfig, clip: world.Clip) -> Skeletons:
    """The actors' joints at the visible camera's rate, in the infrared camera's metres.

    Bystanders are left out: the file describes those whom the label describes. Joint
    orientations, which the staged world has none of, are zero.
    """
    frames = frame_count(clip, config.rgb.fps)
    u = np.arange(frames) / (frames - 1)
    people, _ = world.act(clip.players[0], u)
    result = Skeletons.empty(len(people), frames)
    number = int("".join(f"{part:03d}" for part in clip.name))
    result.ids[:] = 10 * number + np.arange(len(people))
    result.present[:] = True
    result.tracked[:] = TRACKED
    result.body[..., -1] = TRACKED
    points = np.stack([joints for _, joints in people])
    if "noisy_skeleton" in clip.difficulties:
        rng = np.random.default_rng([*clip.seed, 2])  # 0 and 1: pictures
        seconds = np.arange(frames) / config.rgb.fps
        spell = (seconds // config.guess_seconds).astype(int)  # of each frame
        spells = (len(points), spell[-1] + 1, points.shape[2])
        guessed = (rng.random(spells) < config.joints_guessed)[:, spell]
        guess = config.guess_noise * rng.standard_normal((*spells, 3))[:, spell]
        points = points + config.joint_noise * rng.standard_normal(points.shape)
        points += guessed[..., None] * guess
        result.tracked[guessed] = INFERRED
    for modality, pixels in (("ir", result.depth_xy), ("rgb", result.color_xy)):
        lens = camera(config, clip.room, clip.name.camera, modality)
        sensor = getattr(config, modality)
        seen = lens.see(points)
        pixels[:] = lens.project(seen) * [sensor.width, sensor.height]
        if modality == "ir":
            result.points[:] = seen
    return result


def write_video(path: Path, frames: np.ndarray, fps: int) -> None:
    """Writes uint8 [t h w 3] or [t h w] as an AVI file of JPEG frames."""
    with av.open(str(path), "w", format="avi", options={"fflags": "+bitexact"}) as file:
        stream = file.add_stream("mjpeg", rate=Fraction(fps))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuvj420p"
        stream.codec_context.qmin = stream.codec_context.qmax = 3
        stream.codec_context.thread_count = 1
        layout = "rgb24" if frames.ndim == 4 else "gray"
        for values in frames:
            frame = av.VideoFrame.from_ndarray(values, format=layout)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def _truth(drawn: Rendered) -> dict[str, list]:
    truth = {
        "visible": drawn.visible.tolist(),
        "box": np.round(drawn.box, 5).tolist(),
    }
    if drawn.intruded is not None:
        truth["intruded"] = drawn.intruded.tolist()
    return truth


def _path(out: Path, kind: tuple[str, str], name: NtuName) -> Path:
    folder, ending = kind
    return out / folder / f"{name}{ending}"


def plain(config: SyntheticConfig) -> dict[str, Any]:
    """The config as JSON gives it back: lists for tuples, dicts for sensors.

    Worlds that are off are not named: such a data set is what it was before them.
    """
    values = dataclasses.asdict(config)
    for name, off in WORLDS.items():
        if values[name] == off:
            del values[name]
    for name in ("rgb", "ir"):
        values[name] = getattr(config, name)._asdict()
    return json.loads(json.dumps(values))


def _claim(out: Path, description: dict[str, Any]) -> None:
    """Makes the folder, unless it holds the data set of another config."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / WORLD
    if path.exists():
        try:
            found = json.loads(path.read_text())["config"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path} cannot be read ({error}): delete the folder {out} and "
                "generate the data set again."
            ) from None
        wanted = description["config"]
        keys = sorted(set(found) | set(wanted))
        other = [key for key in keys if found.get(key) != wanted.get(key)]
        if other:
            changes = "; ".join(
                f"{key}: there {found.get(key)}, asked for {wanted.get(key)}"
                for key in other
            )
            raise ValueError(
                f"{out} holds a staged data set of another config ({changes}). Choose "
                "another folder, or delete this one."
            )


def _write_json(path: Path, value: dict[str, Any]) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(value))
    part.replace(path)
