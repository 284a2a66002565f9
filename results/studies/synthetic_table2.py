"""STAFusion's Table 2 on the synthetic set: fusions, and which notices a blind stream.

    python -m results.studies.synthetic_table2    # trains what is not trained yet

Rows: a stream alone, the paper's fusions and the others of the library over the
baseline's network, and STAFusion; trained as the rows of `synthetic_table1`, all from
the baseline's weights of another world. Each is then evaluated while one of its streams
fails, see `results.failing`.
"""

import dataclasses

from jaxact.layers.fusions.table import FUSIONS
from results.studies import synthetic_table1 as table1
from results.studies import synthetic_table_rates as rates
from results.study import Network, main

ALONE = {"infrared alone": "streams=ir", "visible alone": "streams=rgb"}
CLIPS = 1920  # of the set: QMF remembers how hard each was
# The paper's first, those of the library behind them.
FIRST = ("add", "average", "concat", "tmc", "pdf", "dynmm", "qmf")


def rows() -> dict[str, Network]:
    """Returns each row's name and network."""
    others = (fusion for fusion in FUSIONS if fusion not in FIRST)
    table = ALONE | {fusion: f"fusion={fusion}" for fusion in (*FIRST, *others)}
    net = "timesformer"
    found = {
        name: table1.row(rates.network(net, f",{words}"), net)
        for name, words in table.items()
    }
    arg, of_qmf = found["qmf"]
    found["qmf"] = (arg, of_qmf | {"model.fusion.history": CLIPS})
    return {**found, **table1.stafusion()}


STUDY = dataclasses.replace(table1.STUDY, name="synthetic_table2", rows=rows())

if __name__ == "__main__":
    main(STUDY)
