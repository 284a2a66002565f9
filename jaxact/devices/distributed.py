"""Processes, mesh and shardings: the only place that knows how many devices there are.

The mesh has two axes, "data" and "fsdp". The rows of a global batch are divided over
both. The state has a copy for each place along "data", and each copy is divided over
"fsdp" (fully sharded data parallelism): with an axis of 1, the default, every device
has all of it.
"""

import contextlib
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxact import errors
from jaxact.devices import distributed

DATA, FSDP = "data", "fsdp"
# Arrays of fewer elements are not worth the exchange: every device keeps them whole.
SMALL = 2**14


def initialize(environ: Mapping[str, str] = os.environ) -> None:
    """Joins the other processes of this run, if there are any. Call it first.

    Several processes are assumed where JAX_NUM_PROCESSES (with
    JAX_COORDINATOR_ADDRESS and JAX_PROCESS_ID) says so, under SLURM and Open MPI, and
    on Cloud TPU machines, where JAX finds the others by itself. A single process needs
    no coordinator.

    Raises:
      UserError: the variables contradict each other, or the others do not answer.
    """
    # SIGTERM is noticed by `stopping`, which says why.
    jax.config.update("jax_enable_preemption_service", False)
    names = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")
    if environ.get("JAX_NUM_PROCESSES", "1") != "1":
        missing = [name for name in names if name not in environ]
        if missing:
            raise errors.UserError(
                f"JAX_NUM_PROCESSES is {environ['JAX_NUM_PROCESSES']}, but "
                f"{' and '.join(missing)} is not set. Set all of {', '.join(names)} "
                "on every process, or unset JAX_NUM_PROCESSES to run alone."
            )
        address, count, index = (environ[name] for name in names)
        numbers = count.isdecimal() and index.isdecimal()
        if not numbers or int(index) >= int(count) or ":" not in address:
            raise errors.UserError(
                f"Got {names[0]}={address}, {names[1]}={count} and {names[2]}={index}; "
                "expected HOST:PORT of the first process, the number of processes, and "
                f"the number of this one, from 0 to {names[1]} - 1."
            )
        try:
            jax.distributed.initialize(address, int(count), int(index))
        except jax.errors.JaxRuntimeError as error:
            raise errors.UserError(
                f"Process {index} of {count} waited in vain for the others at "
                f"{address} ({names[0]}): {errors.first_line(error)}. Start the "
                "same command on every machine, with the address of the first one and "
                f"a port that the others can reach, and {names[2]} from 0 on."
            ) from error
    elif _many(environ, "SLURM_NTASKS", "SLURM_PROCID") or _many(
        environ, "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"
    ):
        try:
            jax.distributed.initialize()
        except (ValueError, RuntimeError) as error:
            raise errors.UserError(
                "JAX could not start this process among the others: "
                f"{errors.first_line(error)} Set "
                f"{', '.join(names)} on every process (see docs/scaling.md), or unset "
                "SLURM_NTASKS and OMPI_COMM_WORLD_SIZE to run alone."
            ) from error
    elif environ.get("TPU_ML_PLATFORM") == "JAX":  # JAX sets it where it finds TPUs
        # A TPU without a cluster around it, as in notebooks, is no error.
        with contextlib.suppress(ValueError):
            jax.distributed.initialize()


def _many(environ: Mapping[str, str], count: str, index: str) -> bool:
    return int(environ.get(count, "1")) > 1 and index in environ


def make_mesh(fsdp: int = 1, devices: Sequence[Any] | None = None) -> Mesh:
    """Returns the mesh ("data", "fsdp") of all devices of all processes.

    Devices stand in the order of their processes, whatever their own numbers (on TPU
    slices these run along the rows of chips, across machines): a process's rows of the
    batch are then together, and in the order of processes.

    Args:
      fsdp: the size of that axis, ``train.fsdp``.
      devices: others than all that there are.

    Raises:
      UserError: fsdp does not divide the number of devices.
    """
    devices = list(jax.devices() if devices is None else devices)
    if fsdp < 1 or len(devices) % fsdp:
        fitting = [n for n in range(1, len(devices) + 1) if len(devices) % n == 0]
        raise errors.UserError(
            f"The state is to be divided over {fsdp} devices (train.fsdp), which does "
            f"not divide the {len(devices)} devices there are. Choose one of "
            f"{', '.join(map(str, fitting))}, for example --config.train.fsdp="
            f"{max(n for n in fitting if n <= max(fsdp, 1))}."
        )
    return Mesh(grid(devices, fsdp), (DATA, FSDP), (AxisType.Auto,) * 2)


def grid(devices: Sequence[Any], fsdp: int) -> np.ndarray:
    """Returns the devices ``[data fsdp]`` in the order of processes, then numbers."""
    ordered = sorted(devices, key=lambda device: (device.process_index, device.id))
    return np.array(ordered, object).reshape(-1, fsdp)


def replicated(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of what every device has a copy of."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharding(mesh: Mesh, before: int = 0) -> NamedSharding:
    """Returns the sharding of batches: rows divided over all devices.

    Args:
      mesh: the devices.
      before: how many axes stand before that of the rows.
    """
    return NamedSharding(mesh, PartitionSpec(*[None] * before, mesh.axis_names))


def state_shardings(tree: Any, mesh: Mesh) -> Any:
    """Returns the sharding of every array of a state, from its shape alone.

    The longest axis that "fsdp" divides is divided over it; where there is none, or
    the array is small, each device has a copy.

    Args:
      tree: of anything that has a shape.
      mesh: the devices.
    """
    parts = mesh.shape.get(FSDP, 1)

    def sharding(leaf: Any) -> NamedSharding:
        sizes = {axis: n for axis, n in enumerate(leaf.shape) if n % parts == 0}
        if parts == 1 or math.prod(leaf.shape) < SMALL or not sizes:
            return replicated(mesh)
        axis = max(sizes, key=lambda a: sizes[a])
        return NamedSharding(mesh, PartitionSpec(*[None] * axis, FSDP))

    return jax.tree.map(sharding, tree)


def abstract_on(shapes: Any, mesh: Mesh) -> Any:
    """Returns shapes and dtypes with the shardings of a state on these devices."""
    return jax.tree.map(
        lambda x, sharding: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding),
        shapes,
        state_shardings(shapes, mesh),
    )


def put_batch(batch: Mapping[str, np.ndarray], mesh: Mesh) -> dict[str, jax.Array]:
    """Puts this process's rows onto its devices as part of the global batch.

    64-bit ids become 32-bit: JAX has no 64-bit integers by default.

    Raises:
      ValueError: an id does not fit into 32 bits.
    """
    sharding = batch_sharding(mesh)

    def put(name: str, value: np.ndarray) -> jax.Array:
        value = np.asarray(value)
        if value.dtype == np.int64:
            if value.size and abs(value).max() > np.iinfo(np.int32).max:
                raise ValueError(f"{name!r} has values that do not fit into int32.")
            value = value.astype(np.int32)
        return jax.make_array_from_process_local_data(sharding, value)

    with jax.transfer_guard("allow"):  # these are the transfers that are meant
        return {name: put(name, value) for name, value in batch.items()}


def put_replicated(tree: Any, mesh: Mesh) -> Any:
    """Puts the same values onto every device."""
    return jax.device_put(tree, replicated(mesh))


def put_state(tree: Any, mesh: Mesh) -> Any:
    """Puts the same parameters, given on every process, where their state is."""
    return jax.device_put(tree, state_shardings(tree, mesh))


def to_host(tree: Any) -> Any:
    """Returns global arrays, sharded or not, as whole numpy arrays on every process."""
    if jax.process_count() == 1:
        return jax.device_get(tree)
    with jax.transfer_guard("allow"):
        return multihost_utils.process_allgather(tree, tiled=True)


def any_process(flag: bool) -> bool:
    """Says whether the flag is set on any process; all processes must call it."""
    if jax.process_count() == 1:
        return flag
    with jax.transfer_guard("allow"):
        return bool(multihost_utils.process_allgather(np.array(flag)).any())


@contextlib.contextmanager
def raise_on_all(
    otherwise: str = "Another process of this run cannot start; its output says why.",
) -> Iterator[None]:
    """What fails inside on one process is raised on all; no collective may be inside.

    The others would wait for it in vain. They get a UserError that says ``otherwise``.
    """
    failed: Exception | None = None
    try:
        yield
    except Exception as error:
        failed = error
    if any_process(failed is not None):
        raise failed or errors.UserError(otherwise)


def broadcast_from_main(value: Any) -> Any:
    """Returns the main process's value on every process; all processes must call it.

    Args:
      value: anything that JSON knows; of other processes it is not looked at.
    """
    if jax.process_count() == 1:
        return value
    data = np.frombuffer(json.dumps(value).encode(), np.uint8)
    with jax.transfer_guard("allow"):
        size = int(multihost_utils.broadcast_one_to_all(np.int32(len(data))))
        data = np.resize(data, size)  # as long as the main one's, whatever is in it
        told = np.asarray(multihost_utils.broadcast_one_to_all(data))
    return json.loads(told.astype(np.uint8).tobytes())


def is_main() -> bool:
    """Says whether this is the one process that writes files and prints."""
    return jax.process_index() == 0


def say(text: str) -> None:
    """Prints on the main process only; goes on where nobody reads any more."""
    if distributed.is_main():
        try:
            print(text, flush=True)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def counter(what: str, done: int, total: int) -> None:
    """Shows "what done/total" in place; on a terminal only, so that logs stay short."""
    if sys.stdout.isatty():
        end = "\n" if done >= total else ""
        print(f"\r{what} {done}/{total} ", end=end, flush=True)
