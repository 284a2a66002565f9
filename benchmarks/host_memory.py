"""What keeping freed memory is worth: the demo's training step with and without it.

    python -m benchmarks.host_memory

Two processes, one with `jaxact.devices.host_memory` and one without, take their turns
on one batch made in memory; the ratio is the median of the turns' ratios.
"""

import argparse
import functools
import subprocess
import sys
import time
from typing import Any

from benchmarks.arguments import at_least

CONFIG = "configs/demo_stafusion.py"


def serve(keep: bool) -> None:
    """Answers every line on stdin by the seconds of one training step."""
    from jaxact.devices.host_memory import keep_freed_memory

    if keep:
        keep_freed_memory()
    import jax

    import jaxact
    from jaxact.devices import distributed
    from jaxact.run.program import make_plan, make_program

    experiment = jaxact.load_experiment(CONFIG)
    mesh = distributed.make_mesh()
    program = make_program(experiment, mesh, make_plan(experiment.train, 1000))
    batch = jaxact.example_batch(experiment, experiment.train.batch_size)
    batch = distributed.put_batch(batch, mesh)
    state = program.create()
    for _ in sys.stdin:
        start = time.perf_counter()
        state, metrics = program.train_step(state, batch)
        jax.block_until_ready((state, metrics))
        print(time.perf_counter() - start, flush=True)


def ask(process: Any) -> float:
    process.stdin.write("step\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", choices=("keep", "default"), help="for its own use")
    parser.add_argument("--turns", type=at_least(1), default=15)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve == "keep")  # before anything else is imported
        return
    from benchmarks.turns import by_turns, row

    command = [sys.executable, "-m", "benchmarks.host_memory", "--serve"]
    pipes: Any = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    both = [subprocess.Popen([*command, how], **pipes) for how in ("default", "keep")]
    default, keep = (functools.partial(ask, process) for process in both)
    sides = {"default": default, "freed memory kept": keep}
    print(row(f"a step of {CONFIG}", by_turns(sides, args.turns)))
    for process in both:
        process.stdin.close()


if __name__ == "__main__":
    main()
