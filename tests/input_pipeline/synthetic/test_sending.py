"""The camera that is not there sends the film that it was given, in its time."""

import time

import av
import numpy as np

from input_pipeline.synthetic.sending import Sender


def test_the_film_comes_again_and_again_at_its_rate():
    film = np.repeat(np.array([20, 120, 220], np.uint8), 32 * 48).reshape(3, 32, 48)
    with Sender(film, 20) as sender, av.open(sender.address) as container:
        begun = time.monotonic()
        frames = []
        for frame in container.decode(video=0):
            frames.append(frame)
            if len(frames) == 12:
                break
        assert time.monotonic() - begun < 3
    greys = [frame.to_ndarray(format="gray").mean() for frame in frames]
    assert np.allclose(greys, [20, 120, 220] * 4, atol=12)
    times = [frame.time for frame in frames]
    assert np.allclose(np.diff(times), 0.05)
