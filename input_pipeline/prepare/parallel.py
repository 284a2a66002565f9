"""Ways to write all shards: on the cores of one machine, or on Apache Beam."""

import concurrent.futures
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from input_pipeline.prepare.shards import ShardJob, Stopped, write_shard

# Called after each clip with its failure, or None; raises to stop everything.
OnClip = Callable[[dict[str, Any] | None], None]

# What a worker process was started with.
_messages: Any = None
_stop: Any = None


class WorkersDied(RuntimeError):
    """A worker process ended without an error of its own."""


def run_local(jobs: list[ShardJob], workers: int, on_clip: OnClip) -> None:
    """Write the shards with so many processes; 1 stays in this one.

    What ``on_clip`` raises stops the workers after their current clip and is raised.
    """
    if workers == 1 or len(jobs) <= 1:
        for job in jobs:
            write_shard(job, on_clip)
        return
    # A fresh interpreter a worker: forking a process that has threads is not safe.
    context = multiprocessing.get_context("spawn")
    messages, stop = context.Queue(), context.Event()
    pool = concurrent.futures.ProcessPoolExecutor(
        min(workers, len(jobs)), context, _start_worker, (messages, stop, os.getpid())
    )
    try:
        pending = {pool.submit(_work, job) for job in jobs}
        while pending:
            for failure in _drain(messages):
                on_clip(failure)
            done, pending = concurrent.futures.wait(pending, timeout=0)
            for future in done:
                future.result()
        for failure in _drain(messages):
            on_clip(failure)
    except BrokenProcessPool:
        raise WorkersDied(
            "A worker process was ended from outside, most likely because memory ran "
            "out. Run the same command again with fewer --workers: finished shards are "
            "kept."
        ) from None
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def run_beam(jobs: list[ShardJob], arguments: list[str]) -> None:
    """Write the shards as an Apache Beam pipeline, one element a shard.

    ``arguments`` are Beam's own. Raw and prepared folders must be mounted at the same
    place on every worker. Failed clips are found in the shards' tables.
    """
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    with beam.Pipeline(options=PipelineOptions(arguments)) as pipeline:
        _ = (
            pipeline
            | "Shards" >> beam.Create(jobs)
            # Else the runner may fuse the steps and give all shards to one worker.
            | "Spread" >> beam.Reshuffle()
            | "Write" >> beam.Map(write_shard)
        )


def _drain(messages: Any) -> Iterator[dict[str, Any] | None]:
    """Wait a moment for messages, then yield all there are."""
    deadline = time.monotonic() + 0.25
    while True:
        try:
            yield messages.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return


def _start_worker(messages: Any, stop: Any, parent: int) -> None:
    global _messages, _stop
    _messages, _stop = messages, stop
    # Ctrl-C reaches every process of the terminal; the first one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: int) -> None:
    """End this process when the one that started it is gone, even if it was killed."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _work(job: ShardJob) -> None:
    write_shard(job, _report)


def _report(failure: dict[str, Any] | None) -> None:
    _messages.put(failure)
    if _stop.is_set():
        raise Stopped
