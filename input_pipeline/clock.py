"""When the frames of a clip's streams were taken, where their numbers do not say it.

Streams of even rates that cover the same time are sampled by numbers, and no times are
stored of them. All others carry them: microseconds from the start of the time that the
streams of the clip share, and last the length of that time.
"""

import numpy as np

from input_pipeline import records
from input_pipeline.formats import notes

# Of the longest duration: what streams may differ by and still be of one time.
TOLERANCE = 0.1


def align(record: records.Record) -> None:
    """Give the streams the times of their shared time, or none if numbers will do."""
    timed = {
        name: stream.times
        for name, stream in record.streams.items()
        if stream.times is not None
    }
    for stream in record.streams.values():
        stream.times = None
    if not timed:
        return
    firsts = [int(times[0]) for times in timed.values()]
    ends = [int(times[-1]) for times in timed.values()]
    longest = max(end - first for first, end in zip(firsts, ends, strict=True))
    spread = max(max(firsts) - min(firsts), max(ends) - min(ends))
    apart = spread > TOLERANCE * longest
    if longest <= 0 or not (apart or any(map(uneven, timed.values()))):
        return
    first, end = max(firsts), min(ends)
    if apart:
        _say(timed, end - first)
    if end <= first:  # clocks of two devices: each stream over its own time
        for name, times in timed.items():
            _give(record.streams[name], times, int(times[0]), int(times[-1]))
        return
    for name, stream in record.streams.items():
        own = timed[name] if name in timed else _like(stream, timed)
        _give(stream, own, first, end)


def uneven(times: np.ndarray) -> bool:
    """Return whether a frame is over half a frame from where its number puts it."""
    count = len(times) - 1
    even = times[0] + (times[-1] - times[0]) * np.arange(count) / count
    return bool(np.abs(times[:-1] - even).max() > (times[-1] - times[0]) / count / 2)


def _like(
    stream: records.Video | records.Skeleton, timed: dict[str, np.ndarray]
) -> np.ndarray:
    """Times of a stream that has none: of a video of as many frames, else even ones."""
    count = frames_of(stream)
    for times in timed.values():
        if len(times) == count + 1:
            return times
    first = min(int(times[0]) for times in timed.values())
    end = max(int(times[-1]) for times in timed.values())
    return np.linspace(first, end, count + 1).round().astype(np.int64)


def frames_of(stream: records.Video | records.Skeleton) -> int:
    """Return the number of frames of a stream."""
    if isinstance(stream, records.Video):
        return len(stream.frames)
    return stream.tracked.shape[1]


def _give(
    stream: records.Video | records.Skeleton, times: np.ndarray, first: int, end: int
) -> None:
    stream.times = np.append(times[:-1] - first, end - first)


def _say(timed: dict[str, np.ndarray], shared: int) -> None:
    each = ", ".join(
        f"{name} {times[0] / 1e6:.2f} to {times[-1] / 1e6:.2f} s"
        for name, times in timed.items()
    )
    how = (
        f"they are sampled over the {shared / 1e6:.2f} s that they share"
        if shared > 0
        else "they share no time, and each is sampled over its own"
    )
    notes.note("streams of different durations", f"{each}; {how}")
