"""The frames of one stream that windows still need, as records keep them."""

import threading
from collections.abc import Callable, Sequence

import numpy as np

from input_pipeline import records
from input_pipeline.footage import Frame
from input_pipeline.formats.jpegs import encode_jpeg, quality_of
from input_pipeline.formats.video import VideoOptions


class _Kept:
    """A frame that is kept: its picture until it is stored, then the JPEG image."""

    def __init__(self, frame: Frame):
        self.start = frame.start
        self._picture: Callable[[], np.ndarray] | None = frame.picture
        self._deep = frame.deep
        self.shape = (0, 0)
        self._jpeg = b""

    def jpeg(self) -> bytes:
        picture = self._picture
        if picture is not None:
            pixels = picture()
            self.shape = pixels.shape[0], pixels.shape[1]
            quality = quality_of(pixels, VideoOptions.quality, self._deep)
            self._jpeg = encode_jpeg(pixels, quality)
            self._picture = None
        return self._jpeg


class Track:
    """A ring of frames in the order of their times; a thread may add to it.

    Attributes:
      wanted: (begin, end) -> whether a frame that is shown from then to then is looked
        at by any window; other frames are let go as soon as the next one is there.
      longest: frames that began longer before the newest one, us, are let go.
      end: when the stream ends, us; None: that is not known.
    """

    def __init__(self) -> None:
        self.wanted: Callable[[int, int], bool] = lambda begin, end: True
        self.longest: int | None = None
        self.end: int | None = None
        self._kept: list[_Kept] = []
        self._lock = threading.Lock()

    @property
    def reached(self) -> int | None:
        """When the newest frame began, us; None: there is none yet."""
        return self._kept[-1].start if self._kept else None

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, frame: Frame) -> None:
        """Takes the next frame; one of before the newest is passed over."""
        newest = self._kept[-1] if self._kept else None
        if newest is not None and frame.start < newest.start:
            return
        wanted = newest is not None and self.wanted(newest.start, frame.start)
        if newest is not None and wanted:
            newest.jpeg()  # outside of the lock: it takes long
        with self._lock:
            if newest is not None and not wanted and self._kept[-1:] == [newest]:
                self._kept.pop()
            self._kept.append(_Kept(frame))
            if self.longest is not None:
                oldest = frame.start - self.longest
                while self._kept[0].start < oldest:
                    self._kept.pop(0)

    def forget(self, before: int) -> None:
        """Lets go of the frames that are no more shown at ``before``."""
        with self._lock:
            while len(self._kept) > 1 and self._kept[1].start <= before:
                self._kept.pop(0)

    def cut(
        self, start: int, end: int, moments: Sequence[int], stale: int | None = None
    ) -> records.Video | None:
        """Returns what is shown from ``start`` to ``end``, with the frames' times.

        Args:
          start, end: us.
          moments: those at which it is looked at, us.
          stale: how long a frame may be shown at one of them, us; None: as long as
            nothing follows it.

        Returns:
          The video; None if the stream shows nothing then, or its frames are of two
          sizes.
        """
        with self._lock:
            kept = list(self._kept)
        starts = np.array([one.start for one in kept], np.int64)
        last = moments[-1] if len(moments) else end
        if not len(starts) or starts[0] >= end:
            return None
        if self.end is not None and last >= self.end:
            return None
        if stale is not None:
            at = np.asarray(moments, np.int64)
            shown = np.maximum(np.searchsorted(starts, at, "right") - 1, 0)
            if (np.abs(at - starts[shown]) > stale).any():
                return None
        first = max(int(np.searchsorted(starts, start, "right")) - 1, 0)
        chosen = kept[first : int(np.searchsorted(starts, end, "left"))]
        images = [one.jpeg() for one in chosen]
        shapes = {one.shape for one in chosen}
        if len(shapes) > 1:
            return None
        times = np.append(starts[first : first + len(chosen)], end) - start
        return records.Video(images, *shapes.pop(), times=times)
