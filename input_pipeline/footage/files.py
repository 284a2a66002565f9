"""Long files: read once, from their first frame to their last."""

from collections.abc import Iterator
from pathlib import Path

import av

from input_pipeline.footage import SECOND, FootageError, Frame
from input_pipeline.formats import container as containers
from input_pipeline.formats import video
from input_pipeline.formats.errors import UnusableFile
from input_pipeline.recordings import Clock

_OWN = Clock()


class File:
    """A video file of one stream.

    Args:
      path: "FILE#1" is a file's second video.
      stream: which stream it is.
      options: how frames are stored.
      clock: how the file's clock runs.

    Attributes:
      rate: frames per second, of the clock or as the file says; 0: nobody does.
      seconds: how long it promises to be; 0: it does not say.
      end: when it ended, us; None before that.

    Raises:
      FootageError: the file cannot be read.
    """

    def __init__(
        self,
        path: str | Path,
        stream: str,
        options: video.VideoOptions,
        clock: Clock = _OWN,
    ):
        self.path, self.stream = Path(path), stream
        self._options, self._clock = options, clock
        self._offset = round(clock.offset * SECOND)
        self.end: int | None = None
        try:
            self._look()
        except (UnusableFile, OSError) as error:
            raise self._error(error) from None

    def _error(self, error: Exception) -> FootageError:
        name = f"The {self.stream} file {self.path}"
        return FootageError(f"{name} cannot be read: {error}.")

    def _look(self) -> None:
        path, wanted = containers.split(self.path)
        if path.is_dir():
            raise UnusableFile(
                "undecodable",
                "it is a folder; one of pictures is a clip, and does not say when they "
                "were taken. Make a video of them to look at it in windows",
            )
        if not path.is_file():
            raise UnusableFile("missing", "there is no such file")
        if not path.stat().st_size:
            raise UnusableFile("empty", "the file has no bytes")
        with containers.opened(path) as container:
            stream = containers.choose(path, container, wanted)
            self.rate = float(stream.average_rate or stream.guessed_rate or 0)
            own = float(stream.duration or 0) * float(stream.time_base or 0)
            self.seconds = own or float(container.duration or 0) / av.time_base
            if self._clock.rate:
                self.seconds *= self.rate / self._clock.rate
                self.rate = self._clock.rate

    def frames(self) -> Iterator[Frame]:
        """Yields the frames; sets ``end`` behind the last.

        Raises:
          FootageError: the file is damaged, or does not say when its frames are shown.
        """
        found = video.Found()
        every = video.pictures(self.path, self.stream, self._options, found)
        start = self._offset
        try:
            for number, picture in enumerate(every):
                seconds = found.starts.pop()
                if self._clock.rate:
                    seconds = number / self._clock.rate
                if seconds is None:
                    raise UnusableFile(
                        "undecodable",
                        "it does not say when its frames are shown. Give their number "
                        f"per second: --part {self.stream}_rate=25",
                    )
                start = round(seconds * SECOND) + self._offset
                yield Frame(start, picture, found.levels is not None)
        except (UnusableFile, OSError) as error:
            raise self._error(error) from None
        last = 0.0 if self._clock.rate else found.last
        step = last or (1 / self.rate if self.rate else 0)
        self.end = start + round(step * SECOND)
