"""The staged world: who acts where, in which room, seen by which camera.

Every choice is drawn from a generator seeded by the numbers it belongs to: a subject
looks the same in all clips, a take happens once and is seen by three cameras, and
only what a camera meets (difficulties, light, noise) is drawn per clip.
"""

import dataclasses
from typing import Any

import numpy as np

from input_pipeline.formats.ntu import NtuName
from input_pipeline.synthetic import body
from input_pipeline.synthetic.actions import (
    ACTIONS,
    REVERSALS,
    TWO_PERSONS,
    Duet,
    Style,
)
from input_pipeline.synthetic.compound import CARRYING, COLORS, Carried, motion
from input_pipeline.synthetic.config import DIFFICULTIES, SyntheticConfig
from input_pipeline.synthetic.room import (
    CLIP,
    SUBJECT,
    TAKE,
    Box,
    Room,
    camera,
    generator,
    hue,
    room,
)

_WALKS = ("approach", "leave")
# Intruders are told from actors by their safety clothes: of one colour, and cool.
_VEST, _HELMET, _COOL = (205.0, 255, 60), (250.0, 250, 250), 118.0


@dataclasses.dataclass(frozen=True)
class Look:
    """A subject: size, colours (RGB) and surface temperatures as grey levels."""

    height: float  # metres
    girth: float  # thickness of body and limbs, relative
    left_handed: bool
    skin: np.ndarray
    hair: np.ndarray
    shirt: np.ndarray
    trousers: np.ndarray
    heat: dict[str, float]


@dataclasses.dataclass(frozen=True)
class Player:
    """One person of a clip; the clip's actors are those whom its label describes."""

    look: Look
    action: str
    style: Style
    place: np.ndarray  # [3]
    yaw: float
    is_actor: bool
    partner: Look | None = None
    carried: Carried | None = None  # of those who stand behind a counter


@dataclasses.dataclass(frozen=True)
class Clip:
    """All that is needed to draw one clip."""

    name: NtuName
    action: str
    seconds: float
    room: Room
    players: tuple[Player, ...]
    stool: Box
    item_color: np.ndarray
    item_spot: np.ndarray  # [3] where the loose object lies while nobody holds it
    difficulties: tuple[str, ...]
    occluded: tuple[str, ...]  # modalities hidden for a while
    occlusion: tuple[float, float]  # begin and end, as fractions of the clip
    gain: float  # brightness of the visible picture
    seed: tuple[int, ...]  # of the noise
    # Modality -> whether each moment of the clip shows the intruder in the actor's
    # place, or nothing at all; empty where the world knows no such thing.
    intruder: Player | None = None
    intruded: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    blind: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    delay: float = 0.0  # of the infrared camera behind the visible one, seconds


def subject(config: SyntheticConfig, number: int) -> Look:
    """The looks of a subject; hue steps keep neighbours apart."""
    rng = generator(config, SUBJECT, number)
    shirt = hue((number * 0.381966 + rng.uniform(0, 0.05)) % 1, 0.75, 0.9)
    trousers = hue(rng.uniform(0, 1), 0.45, rng.uniform(0.3, 0.6))
    return Look(
        height=float(rng.uniform(1.52, 1.9)),
        girth=float(rng.uniform(0.88, 1.2)),
        left_handed=bool(rng.random() < 0.25),
        skin=np.array([236, 188, 150.0]) * rng.uniform(0.6, 1.0),
        hair=np.array([58, 42, 32.0]) * rng.uniform(0.4, 1.2),
        shirt=shirt,
        trousers=trousers,
        heat={
            "skin": float(rng.uniform(228, 240)),
            "hair": float(rng.uniform(175, 195)),
            "shirt": float(rng.uniform(185, 215)),
            "trousers": float(rng.uniform(170, 200)),
            "shoes": float(rng.uniform(130, 155)),
        },
    )


def stage(config: SyntheticConfig, name: NtuName) -> Clip:
    """Draws everything that is random about one clip."""
    action = config.actions[name.action - 1]
    space = room(config, name.setup)
    take = generator(
        config, TAKE, name.setup, name.subject, name.replication, name.action
    )
    clip = generator(config, CLIP, *name)
    look = subject(config, name.subject)
    player = Player(
        look=look,
        action=action,
        style=_style(take, look),
        place=np.array([take.uniform(-0.12, 0.12), 0, take.uniform(-0.1, 0.15)]),
        # As in NTU RGB+D, the first take is turned to one side, the second to the
        # other.
        yaw=float(0.2 * (-1) ** name.replication + take.uniform(-0.2, 0.2)),
        is_actor=True,
        partner=_extra(config, take, 0) if action in TWO_PERSONS else None,
        carried=_carried(config, action, TAKE, *name[:1], *name[2:]),
    )
    if player.partner is not None:
        # Side by side for the middle camera, either of them on either side.
        player = dataclasses.replace(
            player,
            yaw=float(take.choice([-1, 1]) * np.pi / 2 + take.uniform(-0.3, 0.3)),
        )
    stool = _stool(take, player)
    spot = take.uniform([0.45, 0.05, -0.1], [0.75, 0.05, 0.3])
    spot[0] *= take.choice([-1, 1])

    # Everything is drawn whether it is used or not, so that changing one fraction
    # changes nothing else.
    pictured = DIFFICULTIES[:-1]  # the skeletons' is drawn last, below
    chance = dict(zip(pictured, clip.random(len(pictured)), strict=True))
    dark = chance["dark_rgb"] < config.dark_rgb
    # The same draw, from its other end: never dark and warm at once.
    warm = chance["dark_rgb"] >= 1 - config.warm_background
    occluded = chance["occluded"] < config.occluded
    bystander = chance["bystander"] < config.bystander
    kinds = (("rgb",), ("ir",), ("rgb", "ir"))
    hidden = kinds[clip.integers(len(kinds))]
    length = clip.uniform(0.32, 0.5)
    begin = clip.uniform(0.1, 0.95 - length)
    players = [player]
    other = _bystander(config, name, space, clip)
    noisy = clip.random() < config.noisy_skeleton
    if bystander:
        players.append(other)
        players += _crowd(config, name, space, other)
    flags = (occluded, dark, warm, bystander, noisy)
    more = _moments(config, name, player)
    return Clip(
        name=name,
        action=action,
        seconds=float(take.uniform(*config.seconds)),
        room=space,
        players=tuple(players),
        stool=stool,
        item_color=hue(take.uniform(0, 1), 0.9, 1.0),
        item_spot=player.place + spot,
        difficulties=tuple(
            word for word, on in zip(DIFFICULTIES, flags, strict=True) if on
        )
        + (("blinded",) if more["blind"] else ()),
        occluded=hidden if occluded else (),
        occlusion=(float(begin), float(begin + length)),
        gain=float(clip.uniform(0.75, 1.1)),
        seed=(config.seed, CLIP, *name, 1),
        **more,
    )


def _carried(config: SyntheticConfig, action: str, *words: int) -> Carried | None:
    """What somebody behind the counter shows; None for all other classes."""
    if action not in CARRYING:
        return None
    choices = CARRYING[action]
    return choices[int(generator(config, *words, 1).integers(len(choices)))]


def _moments(config: SyntheticConfig, name: NtuName, actor: Player) -> dict[str, Any]:
    """What is switched on moment by moment, and the delay; see `SyntheticConfig`.

    Each has its own generator: what is off draws nothing.
    """
    more: dict[str, Any] = {"intruder": None, "intruded": {}, "blind": {}, "delay": 0.0}
    count = config.moments
    if config.intruding:
        rng = generator(config, CLIP, *name, 2)
        rank, gone = rng.permutation(count), round(config.intruding * count)
        more["intruded"] = {"rgb": rank < gone, "ir": rank >= count - gone}
        more["intruder"] = _intruder(config, name, actor, rng)
    if config.blinding:
        rng = generator(config, CLIP, *name, 3)
        half = rng.permutation(count) < count / 2
        if rng.random() < config.blinding:
            more["blind"] = {"rgb": half, "ir": ~half}
    if config.delay:
        rng = generator(config, CLIP, *name, 4)
        more["delay"] = float(rng.uniform(0, config.delay))
    return more


def _intruder(
    config: SyntheticConfig, name: NtuName, actor: Player, rng: np.random.Generator
) -> Player:
    """Somebody in safety clothes who does another of the actions at the same place."""
    others = [word for word in config.actions if word != actor.action]
    others = others or [word for word in ACTIONS if word not in TWO_PERSONS]
    action = str(rng.choice([word for word in others if word != actor.action]))
    looks = [_in_vest(_extra(config, rng, group)) for group in (2, 3)]
    yaw = actor.yaw
    if (action in TWO_PERSONS) != (actor.partner is not None):
        beside = rng.choice([-1, 1]) * np.pi / 2
        yaw = float((beside if action in TWO_PERSONS else 0) + rng.uniform(-0.3, 0.3))
    return dataclasses.replace(
        actor,
        look=looks[0],
        action=action,
        style=_style(rng, looks[0]),
        yaw=yaw,
        partner=looks[1] if action in TWO_PERSONS else None,
        carried=_carried(config, action, CLIP, *name, 5),
    )


def _in_vest(look: Look) -> Look:
    vest = np.array(_VEST)
    cool = look.heat | dict.fromkeys(("shirt", "trousers", "hair"), _COOL)
    helmet = np.array(_HELMET)
    return dataclasses.replace(
        look, shirt=vest, trousers=0.8 * vest, hair=helmet, heat=cool
    )


def act(
    player: Player, u: np.ndarray
) -> tuple[list[tuple[Look, np.ndarray]], dict[str, np.ndarray]]:
    """A player, and the partner if there is one, at the times u [t] of the clip.

    Returns their looks and joints [t 25 3] in world metres, and for the loose object
    whether the player holds it, ``held`` bool [t], and in which place, ``hand`` [t 3].
    """
    moved = motion(player.action, u, player.style, player.carried)
    frames = len(u)
    yaw = np.full(frames, player.yaw)
    if isinstance(moved, Duet):
        assert player.partner is not None
        ahead = np.array([np.sin(player.yaw), 0, -np.cos(player.yaw)])
        half = 0.5 * moved.gap[:, None] * ahead
        people = [
            (
                player.look,
                body.joints(moved.first, player.look.height, player.place - half, yaw),
            ),
            (
                player.partner,
                body.joints(
                    moved.second,
                    player.partner.height,
                    player.place + half,
                    yaw + np.pi,
                ),
            ),
        ]
        return people, {"held": np.zeros(frames, bool), "hand": np.zeros((frames, 3))}
    place = np.broadcast_to(player.place, (frames, 3))
    joints = body.joints(moved, player.look.height, place, yaw)
    hand = joints[:, 7 if player.style.left_handed else 11]
    if player.carried is not None:  # in both hands
        hand = 0.5 * (joints[:, 7] + joints[:, 11])
    return [(player.look, joints)], {"held": moved.holds, "hand": hand}


def item_color(clip: Clip, player: Player) -> np.ndarray:
    """Of the object a player holds: of the clip, or the class's own."""
    if player.carried is None:
        return clip.item_color
    return hue(*COLORS[player.carried.color])


def _style(rng: np.random.Generator, look: Look) -> Style:
    return Style(
        amplitude=float(rng.uniform(0.85, 1.1)),
        tempo=float(rng.uniform(0.8, 1.2)),
        phase=float(rng.uniform(0, 2 * np.pi)),
        delay=float(rng.uniform(0.0, 0.12)),
        rest=float(rng.uniform(0.0, 0.12)),
        left_handed=look.left_handed,
    )


def _extra(config: SyntheticConfig, rng: np.random.Generator, group: int) -> Look:
    """Somebody who is no subject, so that no subject is seen in another's clips.

    Partners are of group 0, bystanders of group 1, intruders of 2 and 3, a crowd of 4
    and on: nobody is there twice.
    """
    return subject(config, 1000 + 20 * group + int(rng.integers(20)))


def _stool(rng: np.random.Generator, player: Player) -> Box:
    """Everyone has one, so that it tells nothing; who sits has it right behind."""
    tall = player.look.height
    behind, aside = 0.26 * tall, 0.0
    sits = player.action in REVERSALS[0]
    far = rng.random() < 0.5 or player.action in _WALKS or player.partner is not None
    shift = rng.uniform(0.55, 0.8) * rng.choice([-1, 1])
    if far and not sits:
        behind, aside = 0.45 * tall, shift
    ahead = np.array([np.sin(player.yaw), 0, -np.cos(player.yaw)])
    return Box(
        centre=player.place - behind * ahead + aside * np.cross(body.UP, ahead),
        size=np.array([0.38, 0.235 * tall, 0.34]),
        yaw=player.yaw,
        color=hue(rng.uniform(0, 1), 0.5, 0.6),
        heat=float(rng.uniform(60, 100)),
    )


def _crowd(
    config: SyntheticConfig, name: NtuName, space: Room, first: Player
) -> list[Player]:
    """Further bystanders: on the first one's other side, then farther out on both."""
    rng = generator(config, CLIP, *name, 6)
    lens = camera(config, space, name.camera, "ir")
    side = float(np.sign(first.place @ lens.axes[0]))
    found = []
    for number in range(1, config.bystanders):
        one = _bystander(config, name, space, rng)
        side = -side
        aside = side * abs(one.place @ lens.axes[0]) + 0.7 * side * (number > 1)
        there = one.place - (one.place @ lens.axes[0]) * lens.axes[0]
        look = _extra(config, rng, 3 + number)
        found.append(
            dataclasses.replace(one, look=look, place=there + aside * lens.axes[0])
        )
    return found


def _bystander(
    config: SyntheticConfig, name: NtuName, space: Room, rng: np.random.Generator
) -> Player:
    """Someone behind and aside of the actor who does something else."""
    single = [word for word in ACTIONS if word not in TWO_PERSONS]
    others = [word for word in single if word != config.actions[name.action - 1]]
    lens = camera(config, space, name.camera, "ir")
    side = rng.choice([-1, 1]) * rng.uniform(0.85, 1.15)
    depth = rng.uniform(0.8, 1.3)
    ahead = lens.axes[2] * [1, 0, 1]
    place = side * lens.axes[0] + depth * ahead / np.linalg.norm(ahead)
    facing = np.arctan2(-ahead[0], ahead[2])
    look = _extra(config, rng, 1)
    return Player(
        look=look,
        action=str(rng.choice(others)),
        style=_style(rng, look),
        place=place,
        yaw=float(facing + rng.uniform(-0.6, 0.6)),
        is_actor=False,
    )
