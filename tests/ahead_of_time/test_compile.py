"""Compiling ahead of time: what is counted, the search, local devices, TPU slices."""

import importlib.util
import types

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding, PartitionSpec

import train
from jaxact import errors
from jaxact.ahead_of_time import collectives, compile
from jaxact.ahead_of_time.compile import Try
from jaxact.devices import distributed, platform
from jaxact.layers import conv3d
from results import topologies
from tests import tiny

needs_libtpu = pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None, reason="the extra tpu is not installed"
)


@pytest.mark.parametrize(
    ("line", "kind", "size"),
    [
        # 6 x 5 float32
        ("%a = f32[6,5]{1,0} all-reduce(%x), channel_id=1", "all-reduce", 120),
        ("%a = (f32[6,5]{1,0}, bf16[7]) all-reduce(%x, %y)", "all-reduce", 134),
        ("%a = (f32[6]{0:T(8)}, u8[3]) all-reduce-start(%x)", "all-reduce", 27),
        ("ROOT %a = f32[]{:T(128)S(6)} all-reduce(%x)", "all-reduce", 4),
        # operand and result
        ("%a = (s32[2], s32[8]{0}) all-gather-start(%x)", "all-gather", 32),
        # Of several at once the sum: 16 x 4 + 32 x 4 bytes.
        (
            "%a = ((f32[4], f32[2,4]{1,0:T(8,128)}), (f32[16], /*index=1*/f32[8,4]"
            "{1,0:T(8,128)S(1)})) all-gather-start(%x, %y), dimensions={0}",
            "all-gather",
            192,
        ),
        (
            "%a = ((f32[12]{0}), f32[3]{0}) reduce-scatter-start(%x), "
            "replica_groups=[2,4]<=[8]",
            "reduce-scatter",
            48,
        ),
        (
            "%a = ((f32[12], f32[8]), (f32[3], f32[2])) reduce-scatter-start(%x, %y), "
            "replica_groups={{0,1,2,3}}",
            "reduce-scatter",
            80,
        ),
        ("%a = ((s8[6]), s8[6], u32[], u32[]) all-to-all-start(%x)", "all-to-all", 6),
        (
            "%a = (pred[9]{0}, pred[9]{0}, u32[], u32[]) collective-permute-start(%x)",
            "collective-permute",
            9,
        ),
        (
            "%a = ((s8[9], s8[5]), (s8[9], s8[5])) collective-permute-start(%x, %y)",
            "collective-permute",
            14,
        ),
        (
            "%a = f32[3] reduce-scatter(%x), replica_groups=[2,4]<=[8], dimensions={0}",
            "reduce-scatter",
            48,
        ),
        (
            "%a = f32[3] reduce-scatter(%x), replica_groups={{0,1},{2,3}}",
            "reduce-scatter",
            24,
        ),
        ("%a = pred[9]{0} collective-permute(%x)", "collective-permute", 9),
    ],
)
def test_exchanges_are_counted_in_bytes(line, kind, size):
    assert collectives.collectives(line) == {kind: collectives.Collective(1, size)}


def test_what_is_no_exchange_is_not_counted():
    text = "%all-reduce.1 = f32[3] add(%x)\n%b = f32[3] all-reduce-done(%a)\n"
    assert collectives.collectives(text) == {}


def test_exchanges_of_a_real_program():
    mesh = tiny.mesh_of(4)
    by_row = NamedSharding(mesh, PartitionSpec(mesh.axis_names))
    sums = jax.jit(lambda x: x.sum(axis=0), out_shardings=distributed.replicated(mesh))
    x = jax.ShapeDtypeStruct((8, 11), jnp.float32, sharding=by_row)
    found = collectives.collectives(sums.lower(x).compile().as_text())
    assert found == {"all-reduce": collectives.Collective(1, 44)}


def search(largest, bytes_of, first=1, unit=1, known=True):
    """Searches where so many rows fit; returns the result and the rows tried."""
    tried = []

    def attempt(rows):
        tried.append(rows)
        fits = rows <= largest
        return Try(rows, bytes_of(rows) if fits or known else 0, fits)

    limit = bytes_of(largest)
    found = compile.search_largest(attempt, attempt(first), limit, unit)
    return found, tried


def test_the_search_goes_where_a_line_meets_the_limit():
    # 100 + 7 n: a third try is at the limit, a fourth shows that it is one.
    found, tried = search(13, lambda n: 100 + 7 * n, first=4)
    assert found == (13, 14) and tried == [4, 8, 13, 14]


def test_the_search_starts_from_what_is_fixed():
    tries = [Try(4, 128, True, 100)]
    assert compile.search_largest(
        lambda n: tries.append(Try(n, 100 + 7 * n, n <= 13)) or tries[-1],
        tries[0],
        100 + 7 * 13,
    ) == (13, 14)
    assert [t.rows for t in tries] == [4, 13, 14]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("largest", [1, 2, 3, 10, 37, 100])
def test_the_search_ends_at_the_largest(largest, known):
    def bent(n):
        return 50 + 10 * n + n * n // 7

    (low, high), tried = search(largest, bent, first=4, known=known)
    assert len(set(tried)) == len(tried)
    assert low <= largest < high
    if len(tried) < compile.COMPILATIONS:
        assert high - low <= max(1, low // compile.CLOSE)
    else:  # given up
        assert len(tried) == compile.COMPILATIONS and high - low <= largest // 4


def test_the_search_keeps_micro_batches_whole():
    (low, high), tried = search(13, lambda n: 100 + 7 * n, first=4, unit=4)
    assert (low, high) == (12, 16) and all(rows % 4 == 0 for rows in tried)


def test_nothing_fits_or_everything_does():
    (low, high), _ = search(0, lambda n: 1 + n, first=6)
    assert (low, high) == (0, 1)
    (low, high), tried = search(10**30, lambda n: 1 + n)
    assert high == 0 and low == max(tried)


def test_the_compilers_refusals_are_read():
    old = "Used 20.00G of 15.75G hbm. Exceeded hbm capacity by 4.25G"
    new = "required for HLO temporaries (18.50G) exceeds available HBM (15.75G)."
    assert compile._needed(old) == 20 * 2**30
    assert compile._needed(new) == 18.5 * 2**30
    assert compile._needed("no room") == 0


def test_another_platforms_form_is_chosen():
    assert conv3d.chosen_form("auto", ["tpu"]) == "taps"
    with platform.compiling_for("tpu"):
        assert conv3d.chosen_form("auto", ["tpu"]) == "native"
    assert conv3d.chosen_form("auto", ["tpu"]) == "taps"


def test_the_devices_here(monkeypatch):
    lines = []
    monkeypatch.setattr(compile, "COMPILATIONS", 3)
    experiment = tiny.experiment(**{"train.batch_size": 8})
    step, (low, _) = compile.report(experiment, say=lines.append)
    number = len(jax.devices())
    assert step.rows == 8 // number and step.devices == number and low > step.rows
    # Parameters, momentum, step number; key; a fourth of the batch.
    parameters = 3 * 5 + 5 + 5 * 3 + 3
    clip = tiny.FRAMES * tiny.SIZE**2 * 3 + 4 + 4 + 1
    state = 4 * (2 * parameters + 2)  # two counters: training's and the schedule's
    assert step.arguments == pytest.approx(state + 8 + step.rows * clip, abs=64)
    # Gradients are summed over the devices.
    assert step.collectives["all-reduce"].bytes >= 4 * parameters
    assert step.flops > 0
    assert step.moved >= step.arguments  # each is read at least once
    text = "\n".join(lines)
    assert "no data set is read" in text
    assert f"batch        8, {8 // number} a device" in text
    assert "Largest batch: " in text


def test_a_batch_that_cannot_be_divided_gives_the_usual_message():
    experiment = tiny.experiment(**{"train.batch_size": 6})
    with pytest.raises(errors.UserError, match="batch of 6 .* cannot be divided by 4"):
        compile.report(experiment, say=lambda _: None)


@pytest.mark.parametrize("name", ["v5e:3x3", "v9:2x2", "v5e", "tpu", "v5p:4x4"])
def test_an_unknown_topology_lists_the_known_ones(name):
    with pytest.raises(errors.UserError) as error:
        compile.topology_devices(name)
    text = str(error.value)
    assert f"Got --topology {name}; expected" in text
    assert "v5e:16x16" in text and "v5p:4x8x8" in text and "v6e:2x4" in text


def test_without_libtpu_the_extra_is_named(monkeypatch):
    def none(*_):
        raise RuntimeError("JAX TPU support not installed; cannot generate ...")

    monkeypatch.setattr(compile.topologies, "get_topology_desc", none)
    with pytest.raises(errors.UserError, match=r'pip install -e "\.\[tpu\]"'):
        compile.topology_devices("v5e:2x4")


def test_the_table_of_slices(monkeypatch, tmp_path):
    """Made from the lines of what was compiled; a line a compilation."""
    monkeypatch.setattr(topologies, "FILE", tmp_path / "lines.jsonl")
    monkeypatch.setattr(topologies, "SLICES", ("v5e:2x4", "v5p:2x2x2", "v6e:4x4"))
    made = []

    def compile_step(experiment, devices, rows):
        made.append(rows)
        if rows > 13:
            raise compile.DoesNotFit(0)
        exchanged = {"all-reduce": collectives.Collective(3, 5 * 2**20)}
        return compile.Compiled(
            rows, 8, 2**29, rows * 2**30, 0, 0, 2e12, 7e9, exchanged, 1
        )

    monkeypatch.setattr(compile, "compile_step", compile_step)
    monkeypatch.setattr(
        compile, "topology_devices", lambda _: [types.SimpleNamespace()] * 8
    )
    monkeypatch.setattr(compile, "memory_limit", lambda *_: 15 * 2**30)
    assert topologies.largest("ntu_ccdfarm", "v5e:2x4", 8) == (13, 14)
    assert made[0] == 4  # a batch of 32 over 8 chips
    number = len(made)
    assert topologies.largest("ntu_ccdfarm", "v5e:2x4", 8) == (13, 14)
    assert len(made) == number  # nothing is compiled twice
    topologies.compiled("ntu_stafusion", "v5p:2x2x2", 64 // 8 * 2)  # not its own batch
    topologies.compiled("ntu_stafusion", "v6e:4x4", 64 // 16)
    text = topologies.table()
    line = (
        "| `ntu_ccdfarm` | v5e:2x4 | 4 | 4.50 of 15.00 | 0.50 | 4.00 | 2.00 | "
        "all-reduce 5 MiB | 13 a chip, 104 in all |"
    )
    assert line in text and "2 of 12 steps compiled so far." in text
    assert "all-reduce 5 MiB | as on 8 chips |" in text


def test_the_flags_of_the_script_reach_the_report(monkeypatch, tmp_path):
    file = tmp_path / "tiny_config.py"
    file.write_text("from tests import tiny\n\nget_config = tiny.experiment\n")
    seen = []

    def report(experiment, topology, say):
        seen.append((experiment.name, topology))

    monkeypatch.setattr(compile, "report", report)
    monkeypatch.chdir(tmp_path)
    words = ["train.py", f"--config={file}", "--topology=v5e:4x4"]
    train.commandline.parse_flags(words)
    train.main()
    assert seen == [("tiny", "v5e:4x4")]
    assert list(tmp_path.iterdir()) == [file]  # nothing was trained


@needs_libtpu
def test_a_slice_of_tpus():
    devices = compile.topology_devices("v5e:4x4")
    # Chips are numbered along rows, across machines; the mesh goes by machines.
    mesh = distributed.make_mesh(1, devices)
    processes = [device.process_index for device in mesh.devices.flat]
    assert processes == sorted(processes) and len(set(processes)) == 4
    assert [device.id for device in mesh.devices.flat][:4] == [0, 1, 4, 5]

    experiment = tiny.experiment(**{"train.batch_size": 32, "model.width": 2**15})
    whole = compile.compile_step(experiment, devices)
    assert whole.rows == 2 and whole.collectives["all-reduce"].count >= 1
    experiment.train.fsdp = 4
    divided = compile.compile_step(experiment, devices)
    # Two kernels of 3 x 2**15, each with its momentum, are divided over 4 chips, which
    # keep their 3 rows as 4 or 8.
    saved = whole.arguments - divided.arguments
    assert 1 <= saved / (4 * 3 * 2**15 * 4 * 3 / 4) <= 8 / 3
