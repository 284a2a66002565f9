"""Compiles the four systems for TPU slices, for the table in docs/scaling.md.

python -m results.topologies --search              # all; continues where it stopped
python -m results.topologies --slices v5e:2x4      # some

Every compilation is a line of results/data/topologies.jsonl, so that an interrupted run
loses one; without the file all are made afresh. A full-size step takes minutes of a
core; no TPU is needed, but the extra ``tpu``. `results.tables` writes the page.
"""

import argparse
import dataclasses
import functools
import json
import math
import pathlib
from typing import Any

from jaxact.ahead_of_time import compile as aot
from jaxact.ahead_of_time.collectives import Collective
from jaxact.config import Experiment, load_experiment

ROOT = pathlib.Path(__file__).parent.parent
FILE = ROOT / "results" / "data" / "topologies.jsonl"
CONFIGS = ("ntu_stafusion", "ntu_ccdfarm", "sthv1_dam", "ucf101_tsm_netvlad")
SLICES = (
    "v5e:2x4",
    "v6e:2x4",
    "v5p:2x2x2",
    "v5e:16x16",
    "v6e:16x16",
    "v5p:4x8x8",
)
# The largest batch is searched on slices of so many chips: what a chip holds does not
# depend on how many others hold the same.
SEARCHED = 8


@functools.cache
def experiment_of(config: str) -> Experiment:
    """Returns an experiment of configs/."""
    return load_experiment(str(ROOT / "configs" / f"{config}.py"))


def records() -> dict[tuple[str, str, int], dict[str, Any]]:
    """Reads what was compiled, by (config, slice, clips a chip)."""
    lines = FILE.read_text().splitlines() if FILE.is_file() else []
    rows = [json.loads(line) for line in lines]
    return {(row["config"], row["slice"], row["rows"]): row for row in rows}


def compiled(config: str, name: str, rows: int) -> dict[str, Any]:
    """Returns the record of a compilation, made now if it was not yet."""
    known = records().get((config, name, rows))
    if known:
        return known
    devices = aot.topology_devices(name)
    limit = aot.memory_limit(devices[0], len(devices))
    record: dict[str, Any] = {"config": config, "slice": name, "rows": rows}
    record["limit"] = limit
    try:
        step = aot.compile_step(experiment_of(config), devices, rows)
        record |= {"needed": step.memory, "fits": step.memory <= limit}
        record |= {"devices": len(devices), **dataclasses.asdict(step)}
        record["seconds"] = round(step.seconds, 1)
    except aot.DoesNotFit as error:
        record |= {"needed": error.needed, "fits": False, "devices": len(devices)}
    print(json.dumps({key: record[key] for key in list(record)[:5]}), flush=True)
    with FILE.open("a") as file:
        file.write(json.dumps(record) + "\n")
    return record


def start_rows(config: str, devices: int) -> int:
    """Returns the clips a chip of the config's own batch, at least one."""
    return max(1, experiment_of(config).train.batch_size // devices)


def largest(config: str, name: str, devices: int) -> tuple[int, int]:
    """Searches the largest batch of a chip; see `compile.search_largest`."""

    def attempt(rows: int) -> aot.Try:
        record = compiled(config, name, rows)
        fixed = record["needed"] - record.get("temporaries", record["needed"])
        return aot.Try(rows, record["needed"], record["fits"], fixed)

    rows = start_rows(config, devices)
    limit = compiled(config, name, rows)["limit"]
    low, high = aot.search_largest(attempt, attempt(rows), limit)
    with FILE.open("a") as file:
        found = {"config": config, "slice": name, "rows": 0, "largest": [low, high]}
        file.write(json.dumps(found) + "\n")
    return low, high


def table() -> str:
    """Returns the table of what has been compiled, as Markdown."""
    known = records()
    lines = [
        "| Config | Slice | Clips a chip | Memory of a chip, GiB | state + batch "
        "| temporaries | TFLOP a step and chip | Exchanged a step | Largest batch |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    done = 0
    for config in CONFIGS:
        for name in SLICES:
            devices = _chips(name)
            row = known.get((config, name, start_rows(config, devices)))
            if row is None:
                continue
            done += 1
            found = known.get((config, name, 0), {}).get("largest")
            lines.append("| " + " | ".join(_cells(row, found)) + " |")
    if done < len(CONFIGS) * len(SLICES):
        lines += ["", f"{done} of {len(CONFIGS) * len(SLICES)} steps compiled so far."]
    return "\n".join(lines)


def _chips(name: str) -> int:
    return math.prod(map(int, name.partition(":")[2].split("x")))


def _cells(row: dict[str, Any], found: list[int] | None) -> list[str]:
    limit = f"{row['limit'] / aot.GIB:.2f}"  # what the compiler gives out
    cells = [f"`{row['config']}`", row["slice"], str(row["rows"])]
    if "arguments" in row:
        needs = (row[key] / aot.GIB for key in ("needed", "arguments", "temporaries"))
        whole, arguments, temporaries = (f"{number:.2f}" for number in needs)
        exchanged = ", ".join(
            f"{kind} {Collective(**value).bytes / 2**20:,.0f} MiB"
            for kind, value in row["collectives"].items()
        )
        cells += [f"{whole} of {limit}", arguments, temporaries]
        cells += [f"{row['flops'] / 1e12:.2f}", exchanged or "nothing"]
    else:
        cells += [f"more than {limit}", "", "", "", ""]
    if found is None:
        small = _chips(row["slice"]) == SEARCHED
        return [*cells, "not searched" if small else f"as on {SEARCHED} chips"]
    low, high = found
    close = "" if high in (0, low + 1) else f" (not {high})"
    return [*cells, f"{low} a chip{close}, {low * row['devices']:,} in all"]


def main() -> None:
    """Compiles what is asked for, and searches once all steps are compiled."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--configs", default=",".join(CONFIGS))
    parser.add_argument("--slices", default=",".join(SLICES))
    parser.add_argument("--search", action="store_true", help="the largest batch, too")
    args = parser.parse_args()
    configs, slices = args.configs.split(","), args.slices.split(",")
    for search in [False, True][: 1 + args.search]:
        for name in slices:
            for config in configs:
                compiled(config, name, start_rows(config, _chips(name)))
                missing = (config, name, 0) not in records()
                if search and missing and _chips(name) == SEARCHED:
                    largest(config, name, _chips(name))


if __name__ == "__main__":
    main()
