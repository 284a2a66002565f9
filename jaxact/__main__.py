"""Command line of the library.

python -m jaxact ledger configs/ntu_stafusion.py                 # this config, by part
python -m jaxact ledger configs/ntu_stafusion.py model.depth=12
python -m jaxact table1                                          # next to the paper's
"""

import argparse
from typing import Any

from jaxact.config import Experiment, load_experiment
from jaxact.ledger import ledger
from jaxact.models.dual_stream import DualStreamConfig
from jaxact.models.stafusion import STAFusionConfig

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


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m jaxact", description="Counts parameters and GMAC of models."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("ledger", help="a config's model, by part")
    one.add_argument("config", help="configs/FILE.py or configs/FILE.py:ARG")
    one.add_argument("override", nargs="*", help="key=value, as model.depth=2")
    one.add_argument("--depth", type=int, default=2, help="levels of module names")
    commands.add_parser("table1", help="STAFusion and its baseline next to the paper's")
    args = parser.parse_args()
    if args.command == "table1":
        print(table_1())
        return
    overrides = dict(item.split("=", 1) for item in args.override)
    print(ledger(load_experiment(args.config, overrides), args.depth))


if __name__ == "__main__":
    main()
