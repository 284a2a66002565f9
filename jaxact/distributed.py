"""Processes, mesh and shardings: the only place that knows how many devices there are.

A global batch is divided over the mesh axis "data"; parameters are replicated.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxact import errors

DATA = "data"


def initialize(environ: Mapping[str, str] = os.environ) -> None:
    """Joins the other processes of this run, if there are any. Call it first.

    Several processes are assumed where JAX_NUM_PROCESSES (with
    JAX_COORDINATOR_ADDRESS and JAX_PROCESS_ID), SLURM_NTASKS or
    TPU_WORKER_HOSTNAMES say so; a single process needs no coordinator.

    Raises:
      UserError: JAX_NUM_PROCESSES is set without the other two.
    """
    if int(environ.get("JAX_NUM_PROCESSES", "1")) > 1:
        names = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")
        missing = [name for name in names if name not in environ]
        if missing:
            raise errors.UserError(
                f"JAX_NUM_PROCESSES is {environ['JAX_NUM_PROCESSES']}, but "
                f"{' and '.join(missing)} is not set. Set all of {', '.join(names)} "
                "on every process, or unset JAX_NUM_PROCESSES to run alone."
            )
        address, count, index = (environ[name] for name in names)
        jax.distributed.initialize(address, int(count), int(index))
        return
    slurm = int(environ.get("SLURM_NTASKS", "1")) > 1 and "SLURM_PROCID" in environ
    hosts = environ.get("TPU_WORKER_HOSTNAMES", "").split(",")
    if slurm or len(hosts) > 1:
        jax.distributed.initialize()


def make_mesh(axes: Sequence[str] = (DATA,)) -> Mesh:
    """Returns a mesh of all devices of all processes; the first axis takes them all.

    Devices stay in process order, so that a process's rows of the batch are together.
    """
    devices = np.array(jax.devices())
    shape = (devices.size,) + (1,) * (len(axes) - 1)
    return Mesh(devices.reshape(shape), tuple(axes), (AxisType.Auto,) * len(axes))


def replicated(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of parameters: a copy on every device."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of batches: rows divided over the data axis."""
    return NamedSharding(mesh, PartitionSpec(DATA))


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


def wait_for_all(what: str) -> None:
    """Waits until every process has come here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(what)


def is_main() -> bool:
    """Says whether this is the one process that writes files and prints."""
    return jax.process_index() == 0
