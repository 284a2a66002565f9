"""What the configs for one's own data share: they read a prepared set and fit it."""

import dataclasses
from pathlib import Path
from typing import Any

from input_pipeline.dataset import DatasetError, PreparedDataset
from jaxact.config import ConfigError, Experiment, parse_arg

IMAGES = ("rgb", "ir", "depth")
# Configs by the streams that they read; each needs so many of them.
FAMILIES = {
    "own_stafusion": (IMAGES, 2),
    "own_dual_stream": ((*IMAGES, "skeleton"), 1),
    "own_ccdfarm": (("rgb", "skeleton"), 1),
    "own_dam": (("rgb",), 1),
    "own_tsm_netvlad": (("rgb", "ir"), 1),
}
# Joints in the middle of the body, by the name of the skeletons' layout.
MIDDLE = {"kinect_v2": (1,), "kinect_v1": (1,), "coco": (11, 12), "h36m": (0,)}


@dataclasses.dataclass(frozen=True)
class Own:
    """A data set of one's own, as far as it is known here."""

    args: dict[str, Any]
    classes: int
    streams: tuple[str, ...]  # that the family reads
    skeleton: dict[str, Any]  # what dataset.json says of the joints

    def body(self) -> dict[str, Any]:
        """Returns joints, persons and origin of a network of the set's skeletons."""
        found = self.skeleton
        if not found.get("joints"):
            return {}
        return {
            "joints": found["joints"],
            "persons": max(1, found.get("persons", 1)),
            "origin": MIDDLE.get(found["layout"], (0,)),
        }

    def fit(self, experiment: Experiment, name: str) -> Experiment:
        """Returns an experiment of other data, with this data in its place."""
        args = self.args
        model: Any = experiment.model
        experiment.name = f"{args['dataset']}_{name}_{args['size']}"
        model.num_classes = self.classes
        if "skeleton" in model.inputs() and not self.skeleton.get("layout", "known"):
            experiment.data.flip = 0.0  # which joint is the other side's is not known
        experiment.data = dataclasses.replace(
            experiment.data,
            name=args["dataset"],
            dir=args["dir"],
            protocol=args["protocol"],
            common_view=False,  # these cameras' lenses are not known
        )
        if args["image"]:
            old = model.image_size
            model.image_size = args["image"]
            for key in ("resize_min", "resize_max", "test_resize"):
                side = getattr(experiment.data, key)
                setattr(experiment.data, key, -(-side * args["image"] // old))
        return experiment


def read(family: str, arg: str, **more: Any) -> Own:
    """Returns what a family's config is told, and what the prepared set says.

    Args:
      family: of `FAMILIES`.
      arg: "dataset=NAME" and maybe dir=FOLDER, protocol=NAME, size=small or base,
        classes=NUMBER, streams=rgb+ir, image=SIDE and what ``more`` holds, see
        `jaxact.config.parse_arg`. With ``classes`` the set need not be there.

    Raises:
      ConfigError: no set is named, it is not prepared, or has not the streams.
    """
    args = parse_arg(
        arg,
        **{"dataset": "", "dir": "data", "protocol": "", "size": ("small", "base")},
        **{"classes": 0, "streams": "", "image": 0},
        **more,
    )
    if not args["dataset"]:
        there = sorted(path.parent.parent.name for path in _sets(Path(args["dir"])))
        raise ConfigError(
            f"Say which data set is meant, configs/{family}.py:dataset=NAME. Prepared "
            f"in {args['dir']!r} are: {', '.join(there) or 'none'}."
        )
    wanted = tuple(filter(None, args["streams"].split("+")))
    possible, least = FAMILIES[family]
    try:
        dataset = PreparedDataset.open(args["dir"], args["dataset"])
    except DatasetError as error:
        if not args["classes"]:
            raise ConfigError(
                f"{error}\n(Where it lies is said by dir=FOLDER. With classes=NUMBER "
                "the config can be had without it.)"
            ) from None
        return Own(args, args["classes"], wanted or possible[: max(2, least)], {})
    streams = [name for name in possible if name in (wanted or dataset.streams)]
    lacking = [n for n in wanted if n not in dataset.streams or n not in possible]
    if lacking or len(streams) < least:
        raise ConfigError(_unfit(family, args["dataset"], dataset, lacking))
    classes = args["classes"] or len(dataset.classes)
    return Own(args, classes, wanted or tuple(streams), dataset.skeleton)


def need(family: str, given: Own, streams: tuple[str, ...]) -> None:
    """Raises ConfigError where a choice reads a stream that the set has not."""
    lacking = [name for name in streams if name not in given.streams]
    if lacking:
        raise ConfigError(
            f"configs/{family}.py would read {' and '.join(streams)} with these "
            f"arguments, but of the data set {given.args['dataset']!r} it has only "
            f"{', '.join(given.streams)}."
        )


def _sets(folder: Path) -> list[Path]:
    return [*folder.glob("*/*/dataset.json")]


def _unfit(family: str, name: str, dataset: PreparedDataset, lacking: list[str]) -> str:
    possible, least = FAMILIES[family]
    held = [
        stream for stream in dataset.streams if dataset.streams[stream].get("clips", 1)
    ]
    fit = [
        f"configs/{other}.py"
        for other, (streams, number) in FAMILIES.items()
        if len({*streams} & {*held}) >= number
    ]
    of = f"{', '.join(lacking)} of it cannot be read" if lacking else "has too few"
    return (
        f"configs/{family}.py reads {least} or more of {', '.join(possible)}; the data "
        f"set {name!r} holds {', '.join(held)}: {of}. Configs that fit this data set: "
        f"{', '.join(fit) or 'none'}."
    )
