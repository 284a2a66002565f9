"""The training step compiled ahead of time: what it needs of devices one may not have.

JAX describes TPU slices to the compiler of the `libtpu` package; no TPU is needed. Used
by ``python train.py --config FILE --compile_only [--topology v5e:16x16]``.
"""

import contextlib
import copy
import dataclasses
import os
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import topologies
from jax.sharding import Mesh

from jaxact import config as config_lib
from jaxact import errors
from jaxact.ahead_of_time.collectives import Collective, collectives
from jaxact.devices import distributed, platform
from jaxact.ledger import ledger
from jaxact.run import checks
from jaxact.run.program import make_plan, make_program

GIB = 2**30
# Memory of a chip in GB, by JAX's name of it (the systems' pages v5e, v5p and v6e below
# cloud.google.com/tpu/docs). The compiler keeps a little for itself; it has the last
# word on what fits.
CHIP_GB = {"TPU v5 lite": 16, "TPU v5": 95, "TPU v6 lite": 32}
# The slices that can be had, up to 256 chips (the same pages).
_FLAT = ("2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16")
_CUBE = ("2x2x1", "2x2x2", "2x2x4", "2x4x4", "4x4x4", "4x4x8", "4x8x8")
TOPOLOGIES = {"v5e": _FLAT, "v5p": _CUBE, "v6e": _FLAT}
# Only the learning rate's schedule depends on how many clips there are.
PLACEHOLDER_CLIPS = 100_000
# The search for the largest batch ends after this many compilations, or when it is
# known to one part in `CLOSE`.
COMPILATIONS, CLOSE = 8, 16
GROWTH = 16  # a try has at most so many times the rows of the last that fitted


class DoesNotFit(Exception):
    """The compiler found no room; ``needed`` bytes of a device's, 0 if it says none."""

    def __init__(self, needed: int):
        super().__init__(needed)
        self.needed = needed


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A compiled training step, in numbers of one device.

    Attributes:
      rows: of the batch on each device.
      devices: how many there are.
      arguments: bytes of the state and the batch.
      temporaries: bytes of what is computed on the way.
      output: bytes of results that do not take the place of an argument.
      code: bytes of the program.
      flops: of a step by the compiler's count; -1 where it has none.
      moved: bytes to and from memory in a step, likewise.
      collectives: exchanges between devices, by kind.
      seconds: it took to compile.
    """

    rows: int
    devices: int
    arguments: int
    temporaries: int
    output: int
    code: int
    flops: float
    moved: float
    collectives: dict[str, Collective]
    seconds: float

    @property
    def memory(self) -> int:
        """Bytes of a device's memory that are taken during the step."""
        return self.arguments + self.temporaries + self.output + self.code


def topology_devices(name: str) -> Sequence[Any]:
    """Returns the devices of a TPU slice as the compiler knows them.

    Args:
      name: chip and shape, as "v5e:16x16".

    Raises:
      UserError: there is no such slice, or `libtpu` is not installed.
    """
    chip, _, shape = name.partition(":")
    if shape not in TOPOLOGIES.get(chip, ()):
        known = "\n".join(
            "  " + " ".join(f"{chip}:{shape}" for shape in shapes)
            for chip, shapes in TOPOLOGIES.items()
        )
        raise errors.UserError(
            f"Got --topology {name}; expected a chip and the shape of a slice, one of\n"
            f"{known}"
        )
    # JAX and the library look for TPUs in this machine, for the cluster around it and
    # for others that use its chips, unless they are told not to.
    with contextlib.suppress(RuntimeError):  # it is too late: the devices are known
        jax.config.update("jax_platforms", "cpu")
    for key, value in {
        "TPU_SKIP_MDS_QUERY": "1",
        "TPU_ACCELERATOR_TYPE": "v5litepod-8",
        "TPU_WORKER_HOSTNAMES": "localhost",
        "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    }.items():
        os.environ.setdefault(key, value)
    try:
        return topologies.get_topology_desc(name, "tpu").devices
    except RuntimeError as error:
        if "not installed" not in str(error):
            raise
        raise errors.UserError(
            f"The compiler for {name} is in the package libtpu, which is not "
            'installed. Install it with: pip install -e ".[tpu]"'
        ) from None


def compile_step(
    experiment: config_lib.Experiment, devices: Sequence[Any], rows: int | None = None
) -> Compiled:
    """Compiles the training step as `train.py` would run it on these devices.

    Args:
      experiment: what is trained.
      devices: real ones, or those of a topology.
      rows: of the batch on each device; None: as ``train.batch_size`` says.

    Raises:
      DoesNotFit: the compiler says that it needs more memory than there is.
      UserError: the batch or ``train.fsdp`` does not fit the number of devices.
    """
    mesh = distributed.make_mesh(experiment.train.fsdp, devices)
    experiment = copy.deepcopy(experiment)
    if rows is not None:
        experiment.train.batch_size = rows * len(devices)
    checks.check_batch(experiment.train, mesh)
    platform.cache_programs(experiment.train.compilation_cache)
    start = time.perf_counter()
    try:
        compiled = _lower(experiment, mesh).compile()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise DoesNotFit(_needed(str(error))) from None
    seconds = time.perf_counter() - start
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis() or {}
    return Compiled(
        rows=experiment.train.batch_size // len(devices),
        devices=len(devices),
        arguments=memory.argument_size_in_bytes,
        temporaries=memory.temp_size_in_bytes,
        output=memory.output_size_in_bytes - memory.alias_size_in_bytes,
        code=memory.generated_code_size_in_bytes,
        flops=float(cost.get("flops", -1.0)),
        moved=float(cost.get("bytes accessed", -1.0)),
        collectives=collectives(compiled.as_text() or ""),
        seconds=seconds,
    )


def _lower(experiment: config_lib.Experiment, mesh: Mesh) -> Any:
    with platform.compiling_for(mesh.devices.flat[0].platform):
        plan = make_plan(experiment.train, PLACEHOLDER_CLIPS)
        program = make_program(experiment, mesh, plan)
        size = experiment.train.batch_size
        shapes: dict[str, Any] = {
            name: ((size, *spec.shape), spec.dtype)
            for name, spec in program.network.inputs.items()
        }
        shapes |= {name: ((size,), jnp.int32) for name in ("label", "id")}
        shapes["mask"] = ((size,), jnp.bool_)
        by_row = distributed.batch_sharding(mesh)
        batch = {
            name: jax.ShapeDtypeStruct(*shape, sharding=by_row)
            for name, shape in shapes.items()
        }
        return program.train_step.lower(program.abstract, batch)


_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40, "": 1}


def _needed(message: str) -> int:
    """Reads "(18.38G) exceeds" or "Used 18.38G of"; 0 where it says something else."""
    match = re.search(r"(?:\(|Used )([\d.]+)([KMGT]?)(?:\) exceeds| of)", message)
    return round(float(match[1]) * _UNITS[match[2]]) if match else 0


def memory_limit(device: Any, devices: int) -> int:
    """Returns the bytes of memory that one device has.

    Devices of the processor share the machine's memory among all of them.
    """
    if device.device_kind in CHIP_GB:
        return CHIP_GB[device.device_kind] * GIB
    stats = device.memory_stats() or {}
    if "bytes_limit" in stats:
        return int(stats["bytes_limit"])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // devices


@dataclasses.dataclass(frozen=True)
class Try:
    """One compilation of a search: rows on a device, and the memory they need.

    Attributes:
      rows: on a device.
      needed: bytes; 0: not known.
      fits: whether a device has as many.
      fixed: those of them that do not grow with the rows, about; 0: not known.
    """

    rows: int
    needed: int
    fits: bool
    fixed: int = 0


def search_largest(
    attempt: Callable[[int], Try], first: Try, limit: int, unit: int = 1
) -> tuple[int, int]:
    """Looks for the most rows that fit, by compiling.

    Memory grows about linearly with the rows, so the next try is where a line through
    two known ones (or one and what is fixed) meets the limit; later tries halve what is
    left.

    Args:
      attempt: compiles so many rows.
      first: a try already made.
      limit: bytes that a device has.
      unit: rows are multiples of it, for micro-batches of equal size.

    Returns:
      The most rows that were seen to fit and the fewest that were not; 0: none were.
    """
    tries = [first]
    while True:
        low = max((t.rows for t in tries if t.fits), default=0)
        high = min((t.rows for t in tries if not t.fits), default=0)
        close = max(unit, low // CLOSE // unit * unit)
        if len(tries) == COMPILATIONS or (high and high - low <= close):
            return low, high
        guess = _crossing(tries, limit)
        if not guess or (high and len(tries) >= COMPILATIONS // 2):
            guess = (low + high) // 2 if high else low * 2
        guess = max(guess // unit * unit, low + unit)
        tries.append(attempt(min(guess, high - unit if high else low * GROWTH)))


def _crossing(tries: Sequence[Try], limit: int) -> int:
    """Returns where the line through the two largest known tries meets the limit."""
    known = sorted({t.rows: t.needed for t in tries if t.needed}.items())
    if len(known) == 1 and (fixed := max(t.fixed for t in tries)):
        known.insert(0, (0, fixed))
    if len(known) < 2:
        return 0
    (rows, needed), (more, larger) = known[-2:]
    slope = (larger - needed) / (more - rows)
    return int(rows + (limit - needed) / slope) if slope > 0 else 0


def report(
    experiment: config_lib.Experiment,
    topology: str = "",
    say: Callable[[str], None] = print,
) -> tuple[Compiled | None, tuple[int, int]]:
    """Compiles for a topology, or for the devices here, and tells what was found.

    Returns:
      The step at the config's batch, None where it does not fit, and the result of
      `search_largest`.

    Raises:
      UserError: see `topology_devices` and `compile_step`.
    """
    devices = topology_devices(topology) if topology else jax.devices()
    device, number = devices[0], len(devices)
    limit = memory_limit(device, number)
    what = f"{number} x {device.device_kind}, train.fsdp {experiment.train.fsdp}"
    say(f"Compiling the training step of {experiment.name} for {what}.")
    say(f"The schedule is that of {PLACEHOLDER_CLIPS:,} clips; no data set is read.")

    compiled: list[Compiled] = []

    def attempt(rows: int | None) -> Try:
        wanted = experiment.train.batch_size // number if rows is None else rows
        try:
            step = compile_step(experiment, devices, rows)
        except DoesNotFit as error:
            needed = _gib(error.needed) if error.needed else "refused"
            say(f"  {wanted} clips a device: {needed}, does not fit")
            return Try(wanted, error.needed, False)
        compiled.append(step)
        fits = step.memory <= limit
        say(
            f"  {wanted} clips a device: {_gib(step.memory)}, "
            f"{'fits' if fits else 'does not fit'} ({step.seconds:.0f} s)"
        )
        return Try(wanted, step.memory, fits, step.memory - step.temporaries)

    first = attempt(None)
    if compiled:
        say(describe(compiled[0], limit, model_flops(experiment)))
    own = compiled[0] if first.fits else None
    say(f"Looking for the largest batch, with at most {COMPILATIONS} compilations.")
    low, high = search_largest(attempt, first, limit, experiment.train.accumulate)
    say(
        f"Largest batch: {low} clips a device, {low * number} in all"
        + (f"; {high} do not fit." if high else "; no limit was found.")
    )
    return own, (low, high)


def model_flops(experiment: config_lib.Experiment) -> float:
    """Returns the operations of a step for one clip that the model itself asks for.

    Two for each multiply-accumulate, and twice as many backward as forward.
    """
    with platform.compiling_for("tpu"):  # the plain form of what has several
        return 6.0 * ledger(experiment).macs


def describe(step: Compiled, limit: int, flops: float) -> str:
    """Returns a compiled step's numbers for a person."""
    kinds = [
        f"{kind} {found.count} ({found.bytes / 2**20:,.1f} MiB)"
        for kind, found in step.collectives.items()
    ]
    rows = {
        "batch": f"{step.rows * step.devices}, {step.rows} a device",
        "memory": f"{_gib(step.memory)} of {_gib(limit)} a device",
        "arguments": f"{_gib(step.arguments)}, the state and the batch",
        "temporaries": _gib(step.temporaries),
        "output": f"{_gib(step.output)} besides the state",
        "program": _gib(step.code),
        "FLOP": f"{step.flops * step.devices:.4g} a step by the compiler's count "
        "(a loop's body once), "
        f"{flops * step.rows * step.devices:.4g} by the ledger's, 6 x MAC x clips",
        "moved": f"{_gib(step.moved)} to and from a device's memory, by its count",
        "exchanged": ", ".join(kinds) or "nothing",
    }
    return "\n".join(f"  {name:<12} {text}" for name, text in rows.items())


def _gib(number: float) -> str:
    return f"{number / GIB:.3g} GiB"
