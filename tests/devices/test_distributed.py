"""Several devices and several real processes: the numbers are those of one device."""

import os
import pickle
import shutil
import socket
import subprocess
import sys
import time
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from jaxact import errors
from jaxact.devices import distributed
from jaxact.devices.distributed import DATA, FSDP
from jaxact.report import predictions
from jaxact.run import program
from jaxact.run.log import read_history
from tests import tiny, worker
from tests.paths import ROOT


def run_processes(folder, count, devices, *words, ends=(0,)):
    """Runs a Python command line in ``count`` processes; returns what they printed.

    Each must end with one of the exit codes ``ends``.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = f"--xla_force_host_platform_device_count={devices}"
    running = []
    for index in range(count):
        environ = os.environ | {
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}",
            "JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{port}",
            "JAX_NUM_PROCESSES": str(count),
            "JAX_PROCESS_ID": str(index),
        }
        command = [sys.executable, *map(str, words)]
        with (folder / f"log.{index}").open("w") as log:
            running.append(
                subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)
            )
    try:
        codes = [process.wait(timeout=900) for process in running]
    finally:
        for process in running:
            process.kill()
    logs = [(folder / f"log.{index}").read_text() for index in range(count)]
    assert set(codes) <= {*ends}, "\n".join(log[-3000:] for log in logs)
    return logs


def processes(folder, count, devices, *tasks):
    """Runs the tasks in ``count`` processes; returns each task's results by process."""
    logs = run_processes(folder, count, devices, "-m", "tests.worker", folder, *tasks)
    return [
        [pickle.loads((folder / f"{task}.{i}").read_bytes()) for i in range(count)]
        for task in tasks
    ], logs


def on_devices(devices):
    """Lets the scripts find so many devices, until the patch is undone."""
    patch = pytest.MonkeyPatch()
    patch.setattr(distributed, "make_mesh", lambda fsdp=1: tiny.mesh_of(devices, fsdp))
    return patch


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the run on one device is."""
    return tmp_path_factory.mktemp("alone")


@pytest.fixture(scope="module")
def alone(folder):
    """What it came to."""
    patch = on_devices(1)
    yield worker.whole(folder)
    patch.undo()


def assert_same(one, other):
    """Compares two outcomes; exact in what is counted, to rounding in the rest."""
    compare = np.testing.assert_allclose
    assert one.keys() <= other.keys()
    if "history" in one:
        assert min(row["loss"] for row in one["history"] if "loss" in row) > 0.01
        assert len(one["history"]) == len(other["history"])
        for left, right in zip(one["history"], other["history"], strict=True):
            assert left == pytest.approx(right, rel=2e-4, abs=2e-5)
        pairs = one["state"], other["state"]
        jax.tree.map(lambda a, b: compare(a, b, atol=2e-5), *pairs)
    if "ids" in one:
        assert list(one["ids"]) == list(other["ids"]) == list(range(20, 31))
        compare(one["scores"], other["scores"], atol=2e-5)
        assert one["loss"] == pytest.approx(other["loss"], abs=2e-5)
        assert one["selection"] == pytest.approx(other["selection"])
    if "steps" in one:
        assert one["steps"] == other["steps"] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "fsdp", [pytest.param(1, marks=pytest.mark.long), pytest.param(4, id="fsdp4")]
)
def test_four_devices_are_as_one(alone, tmp_path, fsdp):
    patch = on_devices(4)
    try:
        assert_same(worker.whole(tmp_path, **{"train.fsdp": fsdp}), alone)
    finally:
        patch.undo()


def test_two_processes_are_as_one_device(alone, tmp_path):
    """They train, save, restore and evaluate together; one writes and speaks."""
    (found,), logs = processes(tmp_path, 2, 2, "whole")
    for outcome in found:
        assert_same(outcome, alone)
    assert "4 x cpu (2 processes)" in logs[0] and "top-1" in logs[0]
    assert "top-1" not in logs[1]


@pytest.mark.long
def test_eight_devices_are_as_one(alone, tmp_path):
    ((found,),), _ = processes(tmp_path, 1, 8, "whole")
    assert_same(found, alone)


@pytest.mark.long
def test_sigterm_to_one_process_stops_both(tmp_path):
    (found,), _ = processes(tmp_path, 2, 1, "terminated")
    first, second = found
    assert first["codes"] == second["codes"] == [143, 143]
    assert first["steps"] == second["steps"]
    (one,), (_, two) = first["steps"]  # the second signal comes in a continued run
    assert 2 <= one < two <= one + 10 < 60
    for outcome in found:
        history, state = outcome["terminated"]
        assert [row["step"] for row in history] == [*range(1, 61), 60]
        assert history == outcome["left_alone"][0]
        jax.tree.map(np.testing.assert_array_equal, state, outcome["left_alone"][1])


@pytest.mark.long
def test_two_processes_cross_validate_as_one(tmp_path, tmp_path_factory):
    """Every fold is trained by both, stopped and continued; the main one reports."""
    patch = on_devices(1)
    one = worker.folds(tmp_path_factory.mktemp("alone"))
    patch.undo()
    ((main, other),), logs = processes(tmp_path, 2, 1, "folds")
    assert main["codes"] == other["codes"] == [143, 0] and other["found"] is None
    assert one["found"]["ids"].tolist() == list(range(30))
    for name, value in one["found"].items():
        np.testing.assert_allclose(main["found"][name], value, atol=2e-5)
    assert logs[0].count("Fold 2 of 3") == 2 and "Fold" not in logs[1]


@pytest.mark.long
def test_what_one_process_cannot_read_none_takes(tmp_path):
    (found,), logs = processes(tmp_path, 2, 1, "harmed")
    for outcome, said in zip(found, ("Another process cannot", "now"), strict=True):
        assert said in outcome[PermissionError]
        assert outcome[ValueError] == (5, 5, [1, 2, 3, 4, 5])
    assert "6 is damaged and left out: DATA_LOSS" not in logs[1]
    assert "Checkpoint 6 is damaged and left out" in logs[0]
    assert (tmp_path / "harmed" / "checkpoints" / "6.unreadable").is_dir()


@pytest.mark.long
@pytest.mark.parametrize(
    ("task", "said"),
    [("crashed", "The record is damaged."), ("unmounted", "There is no data set.")],
)
def test_what_ends_one_process_ends_all_at_once(tmp_path, task, said):
    start = time.monotonic()
    words = ("-m", "tests.worker", tmp_path, task)
    logs = run_processes(tmp_path, 2, 1, *words, ends=(1, 2))
    assert time.monotonic() - start < 120  # JAX's own patience is 300 s
    assert f"Error: {said}" in logs[1] and "Traceback" not in logs[1]
    hint = "Another process of this run" if task == "unmounted" else "another process"
    assert hint in logs[0]


@pytest.mark.long
def test_two_processes_divide_the_state(alone, tmp_path):
    (found,), _ = processes(tmp_path, 2, 4, "divided")
    for outcome in found:
        assert_same(outcome, alone)


@pytest.mark.long
def test_three_processes_evaluate_every_clip_once(alone, folder, tmp_path):
    shutil.copytree(folder / "whole", tmp_path / "whole")
    (found,), _ = processes(tmp_path, 3, 1, "evaluated")
    for outcome in found:
        assert_same(outcome, alone)


@pytest.mark.long
def test_streams_fail_in_two_processes_as_in_one(tmp_path):
    patch = on_devices(1)
    one = worker.failing(tmp_path)
    patch.undo()
    ((main, other),), logs = processes(tmp_path, 2, 1, "failing")
    assert len({row["top1"] for row in one}) > 1  # there is something to tell apart
    for found in (main, other):
        for mine, row in zip(found, one, strict=True):
            assert mine.keys() == row.keys() and "top1" in row
            assert mine.get("interval", ()) == pytest.approx(row.get("interval", ()))
            for key in row.keys() - {"interval", "example", "examples"}:
                assert mine[key] == pytest.approx(row[key], abs=1e-6), key
    assert "rgb black 1: top-1" in logs[0] and "top-1" not in logs[1]


@pytest.mark.long
def test_the_scripts_in_two_processes_are_as_in_one(tmp_path):
    """From prepared records to the report's scores; batches and clips that divide by
    neither, so that the last ones are filled up."""
    data, raw = tmp_path / "data", tmp_path / "raw"
    for words in (
        ("input_pipeline.synthetic", "--clips", 44, "--out", raw),
        ("input_pipeline.prepare", "synthetic", "--raw", raw, "--out", data),
    ):
        run_processes(tmp_path, 1, 1, "-m", *words)
    changes = {"data.dir": data, "train.batch_size": 6, "train.epochs": 2.5}
    changes |= {"train.log_every": 1, "eval.batch_size": 5, "model.frames": 3}
    changes["optim.lr"] = 1e-5  # larger steps make rounding grow tenfold in each
    overrides = [f"--config.{key}={value}" for key, value in changes.items()]
    config = ("--config", "configs/demo_dam.py", *overrides)
    losses, scores = [], []
    for count, devices in ((1, 2), (2, 1)):
        folder = tmp_path / f"run{count}"
        where = (*config, "--workdir", folder)
        run_processes(tmp_path, count, devices, "train.py", *where)
        where = (*where, "--checkpoint", "last", "--out", folder / "report")
        run_processes(tmp_path, count, devices, "evaluate.py", *where)
        rows = read_history(folder)
        losses.append([row["loss"] for row in rows if "loss" in row])
        scores.append(predictions.read(folder / "report"))
    assert len(losses[0]) > 5 and len(scores[0].ids) > 5
    np.testing.assert_allclose(*losses, rtol=1e-3)
    np.testing.assert_array_equal(scores[0].ids, scores[1].ids)
    np.testing.assert_allclose(scores[0].scores, scores[1].scores, atol=1e-3)


@pytest.mark.long
def test_eight_four_one_eight_devices(alone, tmp_path):
    ((found,),), _ = processes(tmp_path, 1, 8, "chain")
    assert found.pop("batches") == [0, 1, 2, 3, 4, 5]  # each once, in order
    assert_same(found, alone)


def test_the_state_is_divided_and_takes_less_memory():
    bytes_of = {}
    for fsdp in (1, 2, 4):
        experiment = worker.experiment(**{"train.fsdp": fsdp})
        plan = program.make_plan(experiment.train, 20)
        made = program.make_program(experiment, tiny.mesh_of(4, fsdp), plan)
        state = made.create()
        shardings = jax.tree.map(lambda x: x.sharding, state)
        assert shardings == jax.tree.map(lambda x: x.sharding, made.abstract)
        bytes_of[fsdp] = sum(
            leaf.addressable_shards[0].data.nbytes for leaf in jax.tree.leaves(state)
        )
    # Two kernels of 3 x 2**13 with their momentum, in float32; the rest is small.
    kernels = 4 * 3 * 2**13 * 4
    assert bytes_of[1] - bytes_of[2] == kernels // 2
    assert bytes_of[1] - bytes_of[4] == kernels * 3 // 4


@pytest.mark.parametrize(
    ("shape", "spec"),
    [
        ((96, 512), PartitionSpec(None, FSDP)),
        ((512, 96), PartitionSpec(FSDP)),
        ((7, 3, 2048), PartitionSpec(None, None, FSDP)),
        ((4, 16383), PartitionSpec(FSDP)),  # the longest that 4 divides
        ((127, 131), PartitionSpec()),  # 4 divides neither
        ((64, 128), PartitionSpec()),  # small
        ((), PartitionSpec()),
    ],
)
def test_the_longest_axis_that_can_be_is_divided(shape, spec):
    leaf = jax.ShapeDtypeStruct(shape, jnp.float32)
    assert distributed.state_shardings(leaf, tiny.mesh_of(4, 4)).spec == spec
    whole = distributed.state_shardings(leaf, tiny.mesh_of(4, 1)).spec
    assert whole == PartitionSpec()


def test_batches_are_divided_over_all_devices():
    for fsdp in (1, 2, 4):
        mesh = tiny.mesh_of(4, fsdp)
        assert mesh.shape == {DATA: 4 // fsdp, FSDP: fsdp}
        rows = tiny.put({"label": np.arange(8)}, mesh)["label"]
        parts = [tuple(np.asarray(shard.data)) for shard in rows.addressable_shards]
        assert parts == [(0, 1), (2, 3), (4, 5), (6, 7)]


@pytest.mark.parametrize(("fsdp", "shown"), [(3, 2), (0, 1), (8, 4)])
def test_fsdp_must_divide_the_devices(fsdp, shown):
    with pytest.raises(errors.UserError) as error:
        tiny.mesh_of(4, fsdp)
    text = str(error.value)
    assert f"over {fsdp} devices (train.fsdp)" in text and "the 4 devices" in text
    assert f"one of 1, 2, 4, for example --config.train.fsdp={shown}" in text


def initialized(monkeypatch, environ):
    """Returns the arguments of JAX's own initialize; None if it is not called."""
    calls = []
    monkeypatch.setattr(jax.distributed, "initialize", lambda *a: calls.append(a))
    distributed.initialize(environ)
    return calls[0] if calls else None


THREE = {
    "JAX_COORDINATOR_ADDRESS": "10.0.0.1:1234",
    "JAX_NUM_PROCESSES": "2",
    "JAX_PROCESS_ID": "1",
}


@pytest.mark.parametrize(
    ("environ", "arguments"),
    [
        ({}, None),
        ({"JAX_NUM_PROCESSES": "1"}, None),
        (THREE, ("10.0.0.1:1234", 2, 1)),
        ({"SLURM_NTASKS": "4", "SLURM_PROCID": "2"}, ()),
        ({"SLURM_NTASKS": "1", "SLURM_PROCID": "0"}, None),
        ({"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0"}, ()),
        ({"TPU_ML_PLATFORM": "JAX"}, ()),  # a Cloud TPU machine
        # What libtpu puts there where there is no TPU, commas included.
        ({"TPU_WORKER_HOSTNAMES": "WARNING: could not determine, please set"}, None),
    ],
)
def test_processes_find_one_another(monkeypatch, environ, arguments):
    assert initialized(monkeypatch, environ) == arguments


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"JAX_PROCESS_ID": None}, "but JAX_PROCESS_ID is not set. Set all of"),
        ({"JAX_PROCESS_ID": "2"}, "from 0 to JAX_NUM_PROCESSES - 1"),
        ({"JAX_NUM_PROCESSES": "two"}, "Got .*JAX_NUM_PROCESSES=two"),
        ({"JAX_COORDINATOR_ADDRESS": "10.0.0.1"}, "expected HOST:PORT"),
    ],
)
def test_contradictions_are_said(monkeypatch, changes, message):
    environ = {k: v for k, v in (THREE | changes).items() if v is not None}
    with pytest.raises(errors.UserError, match=message):
        initialized(monkeypatch, environ)


def test_others_that_do_not_answer_are_named(monkeypatch):
    def vain(*_):
        raise jax.errors.JaxRuntimeError("DEADLINE_EXCEEDED: no answer")

    monkeypatch.setattr(jax.distributed, "initialize", vain)
    with pytest.raises(errors.UserError, match="Process 1 of 2 waited in vain") as e:
        distributed.initialize(THREE)
    assert "10.0.0.1:1234" in str(e.value) and "DEADLINE_EXCEEDED" in str(e.value)


def test_a_tpu_without_a_cluster_runs_alone(monkeypatch):
    def none(*_):
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax.distributed, "initialize", none)
    distributed.initialize({"TPU_ML_PLATFORM": "JAX"})


def test_the_mesh_goes_by_processes_whatever_the_devices_numbers():
    """As on a slice of 4 x 4 chips, of which every machine has a square."""
    pairs = [(0, 0), (1, 0), (2, 1), (3, 1), (4, 0), (5, 0), (6, 1), (7, 1)]
    devices = [types.SimpleNamespace(id=i, process_index=p) for i, p in pairs]
    grid = distributed.grid(devices, 4)
    assert [[device.id for device in row] for row in grid] == [
        [0, 1, 4, 5],
        [2, 3, 6, 7],
    ]
