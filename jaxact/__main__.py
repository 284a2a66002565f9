"""Command line of the library.

python -m jaxact ledger configs/ntu_stafusion.py                 # this config, by part
python -m jaxact ledger configs/ntu_stafusion.py model.depth=12
python -m jaxact table1                                          # next to the paper's
python -m jaxact fuse runs/a runs/b --weights 2,1 --out fused    # average their scores

`fuse` reads the predictions.npz that evaluate.py writes into a run's report, of models
of any family on the same clips, and writes a report of their average.
"""

import argparse
from typing import Any

from jaxact import errors, score_fusion
from jaxact.config import Experiment, load_experiment
from jaxact.ledger import ledger
from jaxact.models.dual_stream import DualStreamConfig
from jaxact.models.stafusion import STAFusionConfig
from jaxact.report import write_report

# Table 1 of STAFusion (Qing et al. 2025): parameters in millions, "FLOPs" in GMAC, both
# streams. The parameter column fits a head of 12 classes.
TABLE_1: tuple[tuple[str, Any, dict[str, Any], int, int], ...] = (
    ("TimeSformer, features added (baseline)", DualStreamConfig, {}, 101, 327),
    ("STAFusion, masks over all tokens", STAFusionConfig, {"packed": False}, 109, 360),
    ("STAFusion, packed (kept tokens only)", STAFusionConfig, {}, 109, 360),
)


def table_1() -> str:
    """Returns our counts next to the paper's Table 1."""
    lines = [f"{'model':<40}{'parameters':>13}{'paper':>8}{'GMAC':>9}{'paper':>8}"]
    for name, family, fields, millions, gmacs in TABLE_1:
        ours = ledger(Experiment(name, family(num_classes=12, **fields), None))
        lines.append(
            f"{name:<40}{ours.parameters:>13,}{millions:>6} M{ours.gmacs:>9.2f}"
            f"{gmacs:>6} G"
        )
    return "\n".join(lines)


def fuse(paths: list[str], weights: str, out: str) -> str:
    """Writes the report of an average of scores; returns what to print.

    Raises:
      UserError: the weights are no numbers, or the predictions cannot be joined.
    """
    try:
        numbers = [float(word) for word in weights.split(",")] if weights else []
    except ValueError:
        raise errors.UserError(
            f"Got --weights {weights}; expected numbers with commas between them, for "
            "example --weights 2,1."
        ) from None
    parts = [score_fusion.read(path) for path in paths]
    evaluation = score_fusion.fuse(parts, numbers or [1.0] * len(parts))
    report = write_report(out, evaluation)
    return f"{score_fusion.table(evaluation)}\nReport: {report}"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m jaxact",
        description="Counts parameters and GMAC of models; averages their predictions.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("ledger", help="a config's model, by part")
    one.add_argument("config", help="configs/FILE.py or configs/FILE.py:ARG")
    one.add_argument("override", nargs="*", help="key=value, as model.depth=2")
    one.add_argument("--depth", type=int, default=2, help="levels of module names")
    commands.add_parser("table1", help="STAFusion and its baseline next to the paper's")
    some = commands.add_parser("fuse", help="the average of several models' scores")
    some.add_argument("path", nargs="+", help="predictions.npz, report or run folder")
    some.add_argument("--weights", default="", help="one a model, as 2,1 [all equal]")
    some.add_argument("--out", default="fused", help="folder of the report [fused]")
    args = parser.parse_args()
    if args.command == "fuse":
        print(fuse(args.path, args.weights, args.out))
        return
    if args.command == "table1":
        print(table_1())
        return
    overrides = dict(item.split("=", 1) for item in args.override)
    print(ledger(load_experiment(args.config, overrides), args.depth))


if __name__ == "__main__":
    errors.friendly(main)()
