"""The network camera that is not there speaks RTSP as FFmpeg does."""

import socket

import av
import numpy as np

from input_pipeline.synthetic.rtsp import RtspSender

FILM = np.repeat(np.array([20, 120, 220], np.uint8), 32 * 48).reshape(3, 32, 48)


def test_the_film_comes_over_rtsp_as_h264():
    with RtspSender(FILM, 20) as sender:
        assert sender.address.startswith("rtsp://127.0.0.1:")
        for _ in range(2):  # and again, for who comes next
            options = {"rtsp_transport": "tcp"}
            with av.open(sender.address, options=options) as container:
                assert container.streams.video[0].codec_context.name == "h264"
                frames = []
                for frame in container.decode(video=0):
                    frames.append(frame)
                    if len(frames) == 9:
                        break
            greys = [frame.to_ndarray(format="gray").mean() for frame in frames]
            assert np.allclose(greys, [20, 120, 220] * 3, atol=12)
            times = [frame.time for frame in frames if frame.pts is not None]
            assert np.allclose(np.diff(times), 0.05, atol=0.001)


def test_requests_are_answered_by_their_numbers():
    with RtspSender(FILM, 20) as sender:
        port = int(sender.address.split(":")[2].removesuffix("/film"))
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            head = f"DESCRIBE {sender.address} RTSP/1.0\r\nCSeq: 7\r\n"
            client.sendall(f"{head}\r\n".encode())
            answer = client.recv(4096).decode()
    about = answer.partition("\r\n\r\n")[2]
    first, *lines = answer.split("\r\n")
    assert first == "RTSP/1.0 200 OK" and "CSeq: 7" in lines
    assert f"Content-Length: {len(about)}" in lines
    assert "a=rtpmap:96 H264/90000" in lines
