"""CC-DFARM's rows in a world in which neither video nor skeleton says all.

Each stream is first trained alone: in this world or, where neither knows anything by
itself, in one that asks for its half. Then all go on from these two networks, for as
long: the streams alone, the mean of their scores, and the networks that join them,
trained as one. So no row has had more training, and none a better start.
"""

from results.study import Network, Study, going_on

# I3D small enough for a row to take five minutes of one core.
SIZE = {"model.frames": 8, "model.width": 0.125}
CLASSES = {"complementary": 4, "product": 4, "xor": 2}
# Of a stream alone, and of both together: to convergence, and before.
LONG, SHORT = (72.0, 24.0), (24.0, 12.0)
VIDEO, BODY = "I3D alone, first", "HCN alone, first"
ALONE = "mean of the two alone"


BUT_HEADS = "all_but_heads"
STREAMS = going_on(VIDEO, BODY, part=BUT_HEADS)


def fused(tiam: bool, transfer: str, mffm: bool, **fields: object) -> Network:
    """Returns the network with these modules; without any, its streams do not meet."""
    switches = {"tiam": tiam, "transfer": transfer, "mffm": mffm, **fields}
    return "model=ccdfarm", STREAMS | {f"model.{k}": v for k, v in switches.items()}


def pointing(network: Network) -> Network:
    """Returns a network whose MFFM reads where the video shows the joints."""
    arg, changes = network
    return arg, {**changes, "model.mffm_joints": True, "data.joints_seen": True}


VIDEO_AGAIN: Network = ("model=rgb", going_on(VIDEO, part=BUT_HEADS))
BODY_AGAIN: Network = ("model=skeleton", going_on(BODY, part=BUT_HEADS))
ROWS: dict[str, Network | tuple[Network, ...]] = {
    "I3D alone": VIDEO_AGAIN,
    "HCN alone": BODY_AGAIN,
    ALONE: (VIDEO_AGAIN, BODY_AGAIN),
    "mean of both, trained as one": fused(False, "none", False),
    "MMTM": ("model=mmtm", STREAMS),
    "DSFM": fused(False, "dsfm", False),
    "DSFM, standardised": fused(False, "dsfm", False, dsfm_standardised=True),
    "DSFM, masked": fused(False, "dsfm", False, dsfm_masked=True),
    "MFFM": fused(False, "none", True),
    "MFFM, joints in the map": pointing(fused(False, "none", True)),
    "DSFM + MFFM": fused(False, "dsfm", True),
    "TIAM + DSFM": fused(True, "dsfm", False),
    "CC-DFARM": fused(True, "dsfm", True),
    "CC-DFARM, standardised and masked": fused(
        True, "dsfm", True, dsfm_standardised=True, dsfm_masked=True
    ),
}


def study(
    world: str, first: str = "", epochs: tuple[float, float] = LONG, name: str = ""
) -> Study:
    """Returns the study of a world of ``input_pipeline.synthetic --actions``.

    Args:
      world: its name, and that of the folder in data/.
      first: that in which the streams are trained at first; "": the same.
      epochs: of that training, and of the second one.
      name: of the study; "": by the world.
    """

    def of(name: str) -> dict[str, object]:
        return {"data.dir": f"data/{name}", "model.num_classes": CLASSES[name]}

    alone = {"train.epochs": epochs[0]} | of(first or world)
    whole: Network = ("model=ccdfarm", {"train.epochs": sum(epochs)})
    return Study(
        name=name or f"synthetic_{world}",
        config="configs/demo_ccdfarm.py",
        rows={
            VIDEO: ("model=rgb", alone),
            BODY: ("model=skeleton", alone),
            **ROWS,
            "CC-DFARM, from random weights": whole,
        },
        recipe={
            **SIZE,
            **of(world),
            "train.epochs": epochs[1],
            "train.eval_every": 0.0,
            "schedule.warmup_epochs": 0.5,
            "optim.lr": 1e-3,
        },
        against=ALONE,
    )
