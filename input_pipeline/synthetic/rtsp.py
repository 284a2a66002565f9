"""A network camera that is not there: a film over RTSP, as H.264 in RTP packets.

Transport, packets and picture headers are what IP cameras send (RFC 2326, 3550, 6184),
interleaved in the one connection, which is how `footage.live` asks for it.
"""

import select
import socket
from fractions import Fraction
from typing import Any

import av

from input_pipeline.synthetic.sending import Sender

_PACKET = 1400  # bytes; what a network carries whole
_DESCRIPTION = "\r\n".join(
    (
        "v=0",
        "o=- 0 0 IN IP4 127.0.0.1",
        "s=film",
        "c=IN IP4 127.0.0.1",
        "t=0 0",
        "m=video 0 RTP/AVP 96",
        "a=rtpmap:96 H264/90000",
        "a=fmtp:96 packetization-mode=1",
        "a=control:video",
        "",
    )
)


class RtspSender(Sender):
    """As `Sender`, but whoever connects speaks RTSP; ``address`` says so."""

    def __init__(self, *args: Any, **named: Any):
        super().__init__(*args, **named)
        self.address = self.address.replace("tcp://", "rtsp://") + "/film"

    def _open(self, client: socket.socket) -> Any:
        _agree(client)
        sink = _Interleaved(client)
        return av.open(sink, "w", format="rtp", options={"packetsize": str(_PACKET)})

    def _stream(self, container: Any, rate: Fraction) -> Any:
        # No picture waits for the next one.
        options = {"preset": "ultrafast", "tune": "zerolatency"}
        return container.add_stream("libx264", rate=rate, options=options)


def _agree(client: socket.socket) -> None:
    """Answers requests until the film is to be played.

    Raises:
      OSError: the connection ended before that, or something else than RTSP came.
    """
    received = b""
    while True:
        while b"\r\n\r\n" not in received:
            data = client.recv(4096)
            if not data or len(received) > 65_536:
                raise ConnectionError("No request came.")
            received += data
        request, _, received = received.partition(b"\r\n\r\n")
        first, *lines = request.decode("ascii", "replace").split("\r\n")
        said = {name.lower(): value for name, _, value in _headers(lines)}
        method, about = first.partition(" ")[0], ""
        more = {"CSeq": said.get("cseq", "0"), "Session": "1"}
        if method == "OPTIONS":
            more["Public"] = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"
        elif method == "DESCRIBE":
            about = _DESCRIPTION
            more["Content-Type"] = "application/sdp"
        elif method == "SETUP":
            more["Transport"] = "RTP/AVP/TCP;unicast;interleaved=0-1"
        more["Content-Length"] = str(len(about))
        answer = [f"{name}: {value}" for name, value in more.items()]
        text = "\r\n".join(["RTSP/1.0 200 OK", *answer, "", about])
        client.sendall(text.encode("ascii"))
        if method == "PLAY":
            return


def _headers(lines: list[str]) -> list[tuple[str, str, str]]:
    return [line.partition(": ") for line in lines]


class _Interleaved:
    """What the container writes its packets to, one a call: a channel of the socket."""

    def __init__(self, client: socket.socket):
        self._client = client

    def write(self, packet: bytes) -> int:
        if select.select([self._client], [], [], 0)[0]:
            self._client.recv(65_536)  # reports of what was received
        control = 200 <= packet[1] <= 204  # RTCP, which has the odd channel
        head = b"$" + bytes([control]) + len(packet).to_bytes(2, "big")
        self._client.sendall(head + packet)
        return len(packet)
