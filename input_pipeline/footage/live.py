"""Cameras, addresses and pipes: a thread a stream reads frames as they come."""

import os
import re
import select
import stat
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import av
import numpy as np

from input_pipeline.footage import SECOND, FootageError, Frame
from input_pipeline.footage.tracks import Track
from input_pipeline.formats import video
from input_pipeline.formats.container import MAX_PIXELS

# How long the first picture may take, seconds: encoders send whole ones seldom.
FIRST = 15.0
# Between two attempts to open a stream again, seconds.
_AGAIN = 0.5
# What comes at one go comes with smaller gaps, us.
_GAP = SECOND // 5
_READ = 65_536
# A stream is looked at as it comes: FFmpeg would else collect seconds of it to guess
# what it holds. Playlists may not name files of this machine.
_OPTIONS = {
    "analyzeduration": "500000",
    "protocol_whitelist": (
        "http,https,httpproxy,tls,tcp,udp,rtp,rtsp,rtsps,srtp,srt,rtmp,crypto,hls"
    ),
}
_ERRORS = (av.error.FFmpegError, OSError, ValueError, LookupError, MemoryError)


class Clock:
    """When a live frame was taken, by the times that its stream says.

    Frames are as far apart as their stream says, and none is later than it came: the
    stream's time is moved so that the frame that was fastest so far has taken no time
    to come. Where that puts a frame more than ``jump`` before its coming, or before
    the one before (the stream stood still, or began anew), time is set anew.
    """

    def __init__(self, jump: int):
        self._jump = jump
        self._ahead: int | None = None
        self._last = 0

    def stamp(self, own: int | None, now: int) -> int:
        """Returns when a frame was taken, us; ``own``: what its stream says."""
        if own is None:
            self._last = max(now, self._last)
            return self._last
        ahead = now - own
        if self._ahead is not None and ahead - self._ahead <= self._jump:
            ahead = min(ahead, self._ahead)
        if own + ahead < self._last:
            ahead = now - own
        self._ahead = ahead
        self._last = max(own + ahead, self._last)
        return self._last


class Live:
    """A live stream and the thread that reads it; it is opened again when it ends.

    Args:
      address: "/dev/video0" or the number of a camera; rtsp://, http://, tcp://, udp://
        and others that FFmpeg knows; a named pipe; "-" is the standard input.
      stream: which stream it is.
      short_side: of the frames, see `formats.video`.
      offset: seconds that are added to the times of its frames.
      timeout: seconds without a frame after which it is silent.

    Attributes:
      track: the frames.
      over: whether nothing will come any more.
    """

    def __init__(
        self,
        address: str,
        stream: str,
        short_side: int,
        offset: float = 0.0,
        timeout: float = 2.0,
        now: Callable[[], int] = lambda: time.monotonic_ns() // 1000,
    ):
        self.address, self.stream, self.now = address, stream, now
        self.timeout = round(timeout * SECOND)
        self.track, self.over, self.rate = Track(), False, 0.0
        self._short_side, self._offset = short_side, round(offset * SECOND)
        self._clock = Clock(self.timeout)
        self._heard = self._before = now()
        self._told_silent = False
        self._why = ""
        self._converting = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Starts to read."""
        self._thread.start()

    def wait(self, seconds: float = FIRST) -> None:
        """Waits for the first picture.

        Raises:
          FootageError: none came.
        """
        last = time.monotonic() + seconds
        while self.track.reached is None:
            if self._why or time.monotonic() > last:
                why = self._why or f"no picture came in {seconds:g} s"
                raise FootageError(
                    f"The {self.stream} stream {shown(self.address)} cannot be looked "
                    f"at: {why}. {_advice(self.address, why)}"
                )
            time.sleep(0.02)

    def stop(self) -> None:
        """Ends the thread, or leaves it behind where it waits for the network."""
        self._stop.set()
        self._thread.join(1.0)

    @property
    def silent(self) -> bool:
        """Whether nothing came for longer than the timeout."""
        return self.over or self.now() - self._heard > self.timeout

    def news(self) -> Iterator[str]:
        """Yields what is to be told since it was last asked."""
        if self.silent and not self._told_silent:
            self._told_silent, self._since = True, self._heard
            yield f"stalled: {self._why or 'nothing comes'}"
        elif self._told_silent and not self.silent:
            self._told_silent = False
            gap = (self._heard - self._since) / SECOND
            yield f"came back after {gap:.1f} s"

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._read()
                self._why = "it ended"
                if self.address in ("-", "pipe:0"):
                    self.over = True
                    return
            except _ERRORS as error:
                if isinstance(error, (av.error.ExitError, TimeoutError)):
                    # The last picture was held back until reading was given up.
                    if self.now() - self._heard < _GAP:
                        self._heard = self._before
                    self._why = f"nothing came for {self.timeout / SECOND:g} s"
                else:
                    text = getattr(error, "strerror", None) or str(error)
                    self._why = f"{text} ({type(error).__name__})"
            self._stop.wait(_AGAIN)

    def _read(self) -> None:
        """Reads until the stream ends or fails."""
        with opened(self.address, self.timeout / SECOND, self._stop) as container:
            videos = container.streams.video
            if not videos:
                raise ValueError("it holds no video stream")
            stream = videos[0]
            stream.thread_count = 1
            if stream.codec_context.width * stream.codec_context.height > MAX_PIXELS:
                raise ValueError(f"its frames have more than {MAX_PIXELS} pixels")
            self.rate = float(stream.average_rate or stream.guessed_rate or 0)
            aspect = float(stream.sample_aspect_ratio or 1)
            convert = video.Conversion(self.stream, self._short_side)
            for packet in container.demux(stream):
                if self._stop.is_set():
                    return
                if not packet.size:
                    continue  # what a decoder still held when the stream broke off
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError:
                    continue  # it was joined in the middle, or a part was lost
                for frame in frames:
                    self._take(frame, convert, aspect)

    def _take(self, frame: Any, convert: video.Conversion, aspect: float) -> None:
        if video.is_deep(frame.format):
            raise ValueError(
                f"its pictures are {frame.format.name}, of more than 8 bits: which "
                "value is white nobody can say before the end"
            )
        own = None
        if frame.pts is not None and frame.time_base:
            own = round(float(frame.pts * frame.time_base) * SECOND)
        now = self.now()

        def picture() -> np.ndarray:
            with self._converting:  # for the thread that reads and the one that looks
                return convert(frame, aspect)

        start = self._clock.stamp(own, now) + self._offset
        self.track.add(Frame(start, picture))
        if now - self._heard > _GAP:
            self._before = self._heard
        self._heard, self._why = now, ""


def shown(address: str) -> str:
    """Returns an address without the name and the password in it."""
    return re.sub(r"(?<=://)[^/@]*@", "", address)


def is_live(address: str) -> bool:
    """Returns whether a text names a camera, an address or a pipe, and no file."""
    if address == "-" or "://" in address or address.isdigit():
        return True
    if address.startswith(("pipe:", "/dev/video")):
        return True
    try:
        mode = os.stat(address).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def opened(address: str, timeout: float, stop: threading.Event) -> Any:
    """Returns the container of a camera, an address or a pipe.

    Reading from it ends with an error once nothing comes for longer than ``timeout``.
    """
    if address.isdigit() and not os.path.exists(address):
        address = f"/dev/video{address}"
    if address.startswith("/dev/video"):
        return av.open(address, format="v4l2")
    if address == "-" or address == "pipe:0" or "://" not in address:
        return av.open(_Pipe(address, timeout, stop))
    options = dict(_OPTIONS)
    if address.startswith("rtsp"):
        options["rtsp_transport"] = "tcp"
    return av.open(address, options=options, timeout=(FIRST, timeout))


class _Pipe:
    """A named pipe, or the standard input, that can be waited for and given up."""

    def __init__(self, address: str, timeout: float, stop: threading.Event):
        standard = address in ("-", "pipe:0")
        self._file = 0 if standard else os.open(address, os.O_RDONLY | os.O_NONBLOCK)
        self._timeout, self._stop, self._own = timeout, stop, not standard
        self._begun = False

    def read(self, size: int) -> bytes:
        last = time.monotonic() + (self._timeout if self._begun else FIRST)
        while not self._stop.is_set():
            if select.select([self._file], [], [], 0.1)[0]:
                data = os.read(self._file, min(size, _READ))
                if data or self._begun or not self._own:
                    self._begun = True
                    return data
                time.sleep(0.1)  # nobody writes yet
            if time.monotonic() > last:
                raise TimeoutError(f"nothing came for {self._timeout:g} s")
        return b""

    def close(self) -> None:
        if self._own:
            os.close(self._file)


def _advice(address: str, why: str) -> str:
    """What a person may do about it."""
    camera = address.isdigit() or address.startswith("/dev/video")
    if camera and "ermission" in why:
        return (
            "Add yourself to the group that may use cameras (usermod -aG video NAME, "
            "then log in again)."
        )
    if camera:
        return "See which cameras there are: ls /dev/video*."
    return "Does it play elsewhere, as in ffplay ADDRESS? Is its sender running?"
