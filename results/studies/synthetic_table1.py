"""STAFusion's Table 1 on the synthetic set: dual-stream networks, and what fails them.

    python -m results.studies.synthetic_table1    # trains what is not trained yet

Rows: the paper's nine rivals, tiny, over the visible and the infrared stream, their
features added, each in the layout that fits the paper's row; and STAFusion. All start
from random weights and are trained alike: the same data, epochs, batches and frames,
the rate that `synthetic_table_rates` found for their kind. Each is then evaluated while
one of its streams fails, see `results.failing`.
"""

from results import failing
from results.studies import synthetic_table_rates as rates
from results.study import Network, Study, main

CONVOLUTIONAL = ("tsm", "slowfast", "csn", "tanet")
TOKENS = ("video_focalnet", "video_swin", "mvit", "timesformer", "hiera")
STAFUSION = "stafusion"


def stafusion() -> Network:
    """Returns STAFusion on the baseline's network."""
    rate = {"optim.lr": rates.rate("tokens")}
    return "configs/demo_stafusion.py", {**rates.STAFUSION, **rate}


def rows() -> dict[str, Network]:
    """Returns each row's name and network."""
    table: dict[str, Network] = {}
    for net in (*CONVOLUTIONAL, *TOKENS):
        kind = "convolutional" if net in CONVOLUTIONAL else "tokens"
        changes = rates.ATTENDING if net == "timesformer" else {}
        table[net] = (f"net={net}", {**changes, "optim.lr": rates.rate(kind)})
    return {**table, STAFUSION: stafusion()}


STUDY = Study(
    name="synthetic_table1",
    config="configs/demo_infar.py",
    rows=rows(),
    recipe=rates.SETTING,
    measured=failing.measured,
    more=failing.lines,
)

if __name__ == "__main__":
    main(STUDY)
