"""ELAN's .eaf: the aligned annotations of a tier to events, in seconds.

The recording is the first medium that the file names. Its time is the annotations', but
for a medium with a time origin, at which the annotations begin.
"""

from pathlib import Path

from input_pipeline.conversions.annotations import (
    AnnotationError,
    Annotations,
    Event,
    basename,
    read_xml,
)


def read(path: Path, tier: str = "") -> Annotations:
    """Read a tier, the only one if none is named; raises AnnotationError."""
    root = read_xml(path, "ANNOTATION_DOCUMENT")
    header = root.find("HEADER")
    units = header.get("TIME_UNITS", "") if header is not None else ""
    if units not in ("milliseconds", ""):
        raise AnnotationError(f"{path}: times are in {units!r}; milliseconds are read.")
    media = [] if header is None else header.findall("MEDIA_DESCRIPTOR")
    name, origin = path.stem, 0.0
    if media:
        address = media[0].get("RELATIVE_MEDIA_URL") or media[0].get("MEDIA_URL")
        name = basename(address or "") or name
        origin = _milliseconds(path, media[0].get("TIME_ORIGIN", "0"))
    slots = {
        slot.get("TIME_SLOT_ID", ""): slot.get("TIME_VALUE")
        for slot in root.iter("TIME_SLOT")
    }
    tiers = {
        found.get("TIER_ID", ""): found
        for found in root.findall("TIER")
        if found.find("ANNOTATION/ALIGNABLE_ANNOTATION") is not None
    }
    if not tier and len(tiers) == 1:
        tier = next(iter(tiers))
    if not tiers:
        raise AnnotationError(
            f"{path}: no tier holds annotations that are aligned to times."
        )
    if tier not in tiers:
        raise AnnotationError(
            f"{path}: {f'there is no tier {tier!r}' if tier else 'no tier is named'}; "
            f"tiers with times are {', '.join(sorted(tiers))}. Give one as "
            "--tier."
        )
    result = Annotations()
    person = tiers[tier].get("PARTICIPANT", "")
    for annotation in tiers[tier].iter("ALIGNABLE_ANNOTATION"):
        label = (annotation.findtext("ANNOTATION_VALUE") or "").strip()
        which = annotation.get("ANNOTATION_ID", "")
        ends: list[float | None] = []
        for key in ("TIME_SLOT_REF1", "TIME_SLOT_REF2"):
            slot = annotation.get(key, "")
            if slot not in slots:
                raise AnnotationError(
                    f"{path}: the annotation {which!r} refers to the time slot "
                    f"{slot!r}, which is not there."
                )
            value = slots[slot]
            aligned = None if value is None else _milliseconds(path, value) + origin
            ends.append(aligned)
        start, end = ends
        if start is None or end is None:
            gone = Event(name, start or 0.0, end or 0.0, label, person)
            result.left_out.append((gone, "not aligned to a time"))
        elif not label:
            result.left_out.append((Event(name, start, end, ""), "an empty value"))
        elif end <= start:
            gone = Event(name, start, end, label, person)
            result.left_out.append((gone, "no length"))
        else:
            result.events.append(Event(name, start, end, label, person))
    return result


def _milliseconds(path: Path, text: str) -> float:
    try:
        return int(text) / 1000
    except ValueError:
        raise AnnotationError(
            f"{path}: a time is {text[:50]!r}; expected whole milliseconds."
        ) from None
