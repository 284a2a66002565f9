"""Writes the result tables of README.md and docs/ from what results/data/ holds.

    python -m results.tables

A table stands between ``<!-- NAME: begin -->`` and ``<!-- NAME: end -->``, NAME being
that of its data, and is never written by hand.
"""

import functools
import pathlib
import re
from collections.abc import Callable

from results import exports, study, topologies
from results.studies import (
    nagoya,
    precog_hcn,
    synthetic_any_moment,
    synthetic_blinding,
    synthetic_ccdfarm,
    synthetic_complementary,
    synthetic_dam,
    synthetic_head_scale,
    synthetic_intruding,
    synthetic_intruding_parts,
    synthetic_intruding_tuning,
    synthetic_option_strengths,
    synthetic_product,
    synthetic_table1,
    synthetic_table2,
    synthetic_table_rates,
    synthetic_training_options,
    synthetic_tsm_netvlad,
    synthetic_xor,
    synthetic_xor_short,
)

ROOT = pathlib.Path(__file__).parent.parent
STUDIES = (
    precog_hcn.STUDY,
    synthetic_any_moment.STUDY,
    synthetic_blinding.STUDY,
    synthetic_ccdfarm.STUDY,
    synthetic_complementary.STUDY,
    synthetic_dam.STUDY,
    synthetic_head_scale.STUDY,
    synthetic_intruding.STUDY,
    synthetic_intruding_parts.STUDY,
    synthetic_intruding_tuning.STUDY,
    synthetic_option_strengths.STUDY,
    synthetic_product.STUDY,
    synthetic_table1.STUDY,
    synthetic_table2.STUDY,
    synthetic_table_rates.STUDY,
    synthetic_training_options.STUDY,
    synthetic_tsm_netvlad.STUDY,
    synthetic_xor.STUDY,
    synthetic_xor_short.STUDY,
)
TABLES: dict[str, Callable[[], str]] = {
    **{one.name: functools.partial(study.table, one) for one in STUDIES},
    "nagoya": nagoya.table,
    "topologies": topologies.table,
    "exports": exports.table,
}
PLACE = re.compile(r"(<!-- (\w+): begin -->\n)(.*?)(<!-- \2: end -->)", re.DOTALL)


def pages() -> list[pathlib.Path]:
    """Returns the pages in which tables may stand."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def names(text: str) -> list[str]:
    """Returns the names of the tables of a page, in their order."""
    return [found[2] for found in PLACE.finditer(text)]


def filled(text: str) -> str:
    """Returns a page with each of its tables as the data are now.

    Raises:
      ValueError: a marker names no table, or stands without its other half.
    """
    marks = len(re.findall(r"<!-- \w+: (?:begin|end) -->", text))
    unknown = sorted(set(names(text)) - set(TABLES))
    if unknown or marks != 2 * len(names(text)):
        raise ValueError(
            f"Tables are {sorted(TABLES)}, each between <!-- NAME: begin --> and "
            f"<!-- NAME: end -->; unknown: {unknown}, markers: {marks}."
        )
    return PLACE.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}\n{found[4]}", text)


def main() -> None:
    """Writes the pages; says which have changed."""
    for page in pages():
        before = page.read_text(encoding="utf-8")
        after = filled(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            print(f"{page.relative_to(ROOT)} has new figures.")


if __name__ == "__main__":
    main()
