"""A camera that is not there: plays a film again and again to whoever connects.

python -m input_pipeline.synthetic.sending FILE --port 9000

Then tcp://127.0.0.1:9000 is a live stream (MPEG-TS), as a network camera's is. With
--rtsp it is rtsp://127.0.0.1:9000/film, which most network cameras speak.
"""

import argparse
import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np

_BITRATE = 1_000_000


class Sender:
    """Listens on a port of this machine; a context.

    Args:
      frames: uint8 [t h w 3] or [t h w]; height and width even.
      fps: frames per second.
      port: 0: any that is free.

    Attributes:
      address: for whoever wants to look.
    """

    def __init__(self, frames: np.ndarray, fps: float, port: int = 0):
        self._frames, self._fps = frames, Fraction(fps).limit_denominator(1000)
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.settimeout(0.1)
        self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._over, self._still, self._away = (threading.Event() for _ in range(3))
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> "Sender":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(5)
        self._listener.close()

    @contextlib.contextmanager
    def still(self) -> Iterator[None]:
        """Sends nothing meanwhile; the connection stays."""
        self._still.set()
        yield
        self._still.clear()

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Ends the connection, and refuses others meanwhile."""
        self._away.set()
        yield
        self._away.clear()

    def _listen(self) -> None:
        while not self._over.is_set():
            if self._away.is_set():
                time.sleep(0.05)
                continue
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            client.settimeout(1.0)
            with client, contextlib.suppress(OSError, av.error.FFmpegError):
                self._send(client)

    def _open(self, client: socket.socket) -> Any:
        """Returns the container that sends to whoever has connected."""
        return av.open(_Sink(client), "w", format="mpegts")

    def _stream(self, container: Any, rate: Fraction) -> Any:
        return container.add_stream("mpeg4", rate=rate)

    def _send(self, client: socket.socket) -> None:
        with self._open(client) as container:
            stream: Any = self._stream(container, self._fps)
            stream.height, stream.width = self._frames.shape[1:3]
            stream.pix_fmt, stream.bit_rate = "yuv420p", _BITRATE
            # Whoever comes waits for a whole picture: one every half second.
            stream.gop_size = max(1, round(self._fps / 2))
            layout = "rgb24" if self._frames.ndim == 4 else "gray"
            begun = time.monotonic()
            for number in itertools.count():
                image = self._frames[number % len(self._frames)]
                frame = av.VideoFrame.from_ndarray(image, format=layout)
                # Where it was still, time went on.
                due = begun + number / float(self._fps)
                while self._still.is_set() or time.monotonic() < due:
                    if self._over.is_set() or self._away.is_set():
                        return
                    time.sleep(0.002)
                begun += max(0.0, time.monotonic() - due)
                if self._over.is_set() or self._away.is_set():
                    return
                container.mux(stream.encode(frame))


class _Sink:
    """What a container writes to: a socket."""

    def __init__(self, client: socket.socket):
        self._client = client

    def write(self, data: bytes) -> int:
        self._client.sendall(data)
        return len(data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", help="a short video: all of it is held in memory")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--rtsp", action="store_true", help="as a network camera does")
    given = parser.parse_args()
    with av.open(given.file) as container:
        rate = float(container.streams.video[0].average_rate or 25)
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    even = [size - size % 2 for size in frames[0].shape[:2]]
    film = np.stack(frames)[:, : even[0], : even[1]]
    from input_pipeline.synthetic.rtsp import RtspSender  # which is made of this one

    with (RtspSender if given.rtsp else Sender)(film, rate, given.port) as sender:
        print(
            f"{given.file} is sent again and again: {sender.address} (Ctrl-C ends it)"
        )
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(1)


if __name__ == "__main__":
    main()
