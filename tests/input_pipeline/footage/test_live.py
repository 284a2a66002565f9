"""Live streams: their clock by hand, and a sender that stands still and goes away."""

import os
import socket
import threading
import time

import av
import numpy as np
import pytest

from input_pipeline.footage import SECOND, FootageError, live
from input_pipeline.footage.live import Clock, Live
from input_pipeline.synthetic.rtsp import RtspSender
from input_pipeline.synthetic.sending import Sender
from tests.input_pipeline.test_own_clip import write_video

FILM = np.random.default_rng(0).integers(0, 255, (10, 32, 48, 3), np.uint8)


def stamps(*pairs, jump=1000):
    """What a clock says of frames (own time, when it came)."""
    clock = Clock(jump)
    return [clock.stamp(own, now) for own, now in pairs]


def test_frames_are_as_far_apart_as_their_stream_says():
    # They come irregularly; the fastest, the third, says what was lost on the way.
    assert stamps((0, 130), (40, 175), (80, 190), (120, 260)) == [130, 170, 190, 230]


def test_no_frame_is_later_than_it_came():
    # What was collected while the stream was opened comes at one go.
    assert stamps((0, 100), (40, 101), (80, 102), (120, 150)) == [100, 101, 102, 142]


def test_time_is_set_anew_where_a_stream_stood_still_or_began_anew():
    assert stamps((0, 0), (40, 40), (80, 5000), (120, 5040)) == [0, 40, 5000, 5040]
    assert stamps((9000, 10), (9040, 50), (0, 90), (40, 130)) == [10, 50, 90, 130]


def test_streams_without_times_go_by_their_coming():
    assert stamps((None, 5), (None, 4), (None, 9)) == [5, 5, 9]


def wait(condition, seconds=5.0):
    last = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < last
        time.sleep(0.01)


@pytest.mark.parametrize("kind", [Sender, RtspSender])
def test_a_stream_that_stands_still_and_comes_back_is_told(kind):
    with kind(FILM, 25) as sender:
        stream = Live(sender.address, "rgb", 256, offset=1.0, timeout=0.4)
        stream.start()
        stream.wait()
        wait(lambda: len(stream.track) > 5)
        assert stream.rate == 25 and not stream.silent and not list(stream.news())
        lag = stream.now() + SECOND - stream.track.reached
        assert 0 <= lag < SECOND / 2  # the offset, and what it takes to come
        with sender.still():
            wait(lambda: stream.silent)
            (text,) = stream.news()
            assert text.startswith("stalled: noth")
            assert not list(stream.news())  # once
        wait(lambda: not stream.silent)
        (text,) = stream.news()
        assert text.startswith("came back after ")
        with sender.away():
            wait(lambda: stream.silent)
            (text,) = stream.news()
            assert text.startswith("stalled: ")
        wait(lambda: not stream.silent)
        stream.stop()
        assert not stream._thread.is_alive()


def refused(address, message, seconds=3.0):
    stream = Live(address, "ir", 256, timeout=0.3)
    stream.start()
    with pytest.raises(FootageError, match=message):
        stream.wait(seconds)
    stream.stop()


def test_an_address_that_does_not_answer_is_said():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    text = f"ir stream tcp://127.0.0.1:{port} cannot be looked at: Connection refused"
    refused(f"tcp://127.0.0.1:{port}", text)


def test_an_address_that_says_nothing_is_said():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://user:secret@127.0.0.1:{server.getsockname()[1]}"
        assert live.shown(address) == address.replace("user:secret@", "")
        address = live.shown(address)
        refused(address, "no picture came in 0.3 s. Does it play elsewhere", 0.3)


def test_a_camera_that_is_not_there_or_not_ours_is_said(monkeypatch):
    refused("/dev/video99", r"No such file .*See which cameras there are: ls /dev/vi")

    def forbidden(*_, **__):
        raise av.error.PermissionError(13, "Permission denied", "/dev/video0")

    monkeypatch.setattr(live.av, "open", forbidden)
    refused("0", r"Permission denied \(PermissionError\). Add yourself to the group")


def test_sound_alone_is_no_video(tmp_path):
    path, pipe = tmp_path / "sound.ts", tmp_path / "pipe"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mp2", rate=48000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 48000), np.int16), "s16", "mono"
        )
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    os.mkfifo(pipe)
    threading.Thread(target=lambda: pipe.write_bytes(path.read_bytes())).start()
    refused(str(pipe), "it holds no video stream")


def test_a_pipe_is_read_until_it_ends_and_again(tmp_path):
    pipe, film = tmp_path / "pipe", write_video(tmp_path / "a.mkv", 12, 30, 40)
    os.mkfifo(pipe)
    stream = Live(str(pipe), "ir", 20, timeout=0.3)
    stream.start()
    for _ in range(2):
        before = len(stream.track)
        pipe.write_bytes(film.read_bytes())
        wait(lambda before=before: len(stream.track) >= before + 10)
    kept = stream.track.cut(0, 2 * stream.now(), [stream.now()])
    assert (kept.height, kept.width) == (20, 27)
    stream.stop()
