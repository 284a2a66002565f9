"""Fuzzes the targets with Atheris, one after the other.

python -m tests.fuzz --seconds 120                     all of them
python -m tests.fuzz manifest weights --runs 100000    these, so many inputs each

Needs ``pip install -e ".[fuzz]"``. What makes a target fail, grow by more than 2 GB or
run for 10 seconds is left in --out; once mended it goes to tests/fuzz/crashes, where
tests/weights/test_hostile.py replays it.
"""

import argparse
import hashlib
import os
import pathlib
import re
import resource
import sys
from typing import NoReturn

import atheris

with atheris.instrument_imports(include=["input_pipeline", "jaxact"]):
    from tests.fuzz import targets


def fuzz(name: str, until: list[str], out: pathlib.Path, log: pathlib.Path) -> NoReturn:
    """Is one fuzzer; libFuzzer ends the process, at the limits ``until``."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    corpus = out / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(targets.SEEDS[name]):
        (corpus / f"seed{number}").write_bytes(seed)
        targets.TARGETS[name](seed)  # imports what is imported late, untimed
    now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    limits = ["-timeout=10", f"-rss_limit_mb={now + 2048}", "-max_len=8192"]
    words = [*until, f"-artifact_prefix={out}/{name}-", *limits]

    def keeping(data: bytes) -> None:
        """Keeps what a target fails of; libFuzzer itself keeps time-outs alone."""
        try:
            targets.TARGETS[name](data)
        except BaseException:
            digest = hashlib.sha256(data).hexdigest()[:12]
            (out / f"{name}-crash-{digest}").write_bytes(data)
            raise

    atheris.Setup([sys.argv[0], *words, str(corpus)], keeping)
    atheris.Fuzz()
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help=", ".join(targets.TARGETS))
    parser.add_argument("--seconds", type=int, default=0, help="of each at most (120)")
    parser.add_argument("--runs", type=int, default=0, help="inputs of each at most")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("runs/fuzz"))
    given = parser.parse_args()
    seconds = given.seconds or (0 if given.runs else 120)
    until = [f"-max_total_time={seconds}", f"-runs={given.runs or -1}"]
    out = given.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name in given.targets or targets.TARGETS:
        log = out / f"{name}.log"
        # Importing takes longer than a short fuzz: it is done once.
        pid = os.fork()
        if not pid:
            fuzz(name, until, out, log)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        text = log.read_text(errors="replace")
        runs = [int(n) for n in re.findall(r"^#(\d+)", text, re.MULTILINE)]
        result = "no fault" if not code else "FAULT, see its log in --out"
        print(f"{name:<16} {max(runs, default=0):>10,} inputs  {result}", flush=True)
        failed += bool(code)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
