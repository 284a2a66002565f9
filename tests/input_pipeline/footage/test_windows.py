"""Windows hold what the pipeline would show of a clip cut out at the same moments."""

import itertools

import av
import jax
import numpy as np
import pytest

from input_pipeline.encode import Clip, EncodeOptions, encode_clip
from input_pipeline.footage import SECOND, FootageError, Frame, windows
from input_pipeline.footage.files import File
from input_pipeline.footage.tracks import Track
from input_pipeline.footage.windows import Look
from input_pipeline.formats.video import VideoOptions
from input_pipeline.own_clip import RecordSampler
from input_pipeline.recordings import Clock
from tests.input_pipeline import tiny

INPUTS = {
    "rgb": jax.ShapeDtypeStruct((5, 17, 19, 3), np.uint8),
    "ir": jax.ShapeDtypeStruct((3, 17, 19, 1), np.uint8),
}
VIDEO = VideoOptions(28, min_frames=1)


def picture(number, height=34, width=46):
    """A slope, and a square whose place and colour say which frame it is."""
    image = np.zeros((height, width, 3), np.uint8)
    image[...] = np.linspace(0, 120, width, dtype=np.uint8)[:, None]
    row, column = divmod(number, 12)
    image[4 + 6 * row : 10 + 6 * row, 3 * column : 3 * column + 6] = 250 - 5 * number
    return image


def write(path, numbers, rate):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.height, stream.width, stream.pix_fmt = 34, 46, "bgr0"
        for number in numbers:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number))))
        container.mux(stream.encode())
    return path


def whole(paths):
    """The record that the files of a clip become in a data set."""
    options = EncodeOptions(tuple(paths), VIDEO)
    return encode_clip(Clip("clip", 0, paths, {}), options)


def found(files, look, **options):
    return list(windows.of_files(files, look, **options))


def test_windows_equal_clips_of_the_same_pixels(tmp_path):
    # 10 and 5 frames a second; windows of 1.2 s, a new one every 0.4 s.
    data = tiny.config(tmp_path, eval_views_time=2)
    rgb = write(tmp_path / "rgb.mkv", range(32), 10)
    ir = write(tmp_path / "ir.mkv", range(16), 5)
    files = {"rgb": File(rgb, "rgb", VIDEO), "ir": File(ir, "ir", VIDEO)}
    look = Look.of(data, INPUTS, 1.2, 0.4)
    sample = RecordSampler(data, INPUTS)
    every = found(files, look)
    assert [w.start for w in every] == [400_000 * i for i in range(7)]
    assert [w.end - w.start for w in every] == [1_200_000] * 6 + [800_000]
    for window in every:
        first, last = window.start // 100_000, window.end // 100_000
        paths = {
            "rgb": write(tmp_path / "cut_rgb.mkv", range(first, last), 10),
            "ir": write(tmp_path / "cut_ir.mkv", range(first // 2, last // 2), 5),
        }
        expected = sample(whole(paths))
        own = sample(window.record)
        assert own.keys() == expected.keys() == INPUTS.keys()
        for stream in INPUTS:
            np.testing.assert_array_equal(own[stream], expected[stream])
            assert own[stream].std() > 10


def test_only_frames_that_windows_show_are_kept(tmp_path):
    numbers = [i % 40 for i in range(80)]
    rgb = File(write(tmp_path / "rgb.mkv", numbers, 20), "rgb", VIDEO)
    inputs = {"rgb": INPUTS["rgb"]}
    look = Look.of(tiny.config(tmp_path), inputs, 1.0, 0.5)
    window = next(windows.of_files({"rgb": rgb}, look))
    # Moments at 0.1, 0.3 ... of both windows that overlap: five and five frames.
    assert len(window.record.streams["rgb"].frames) == 10
    differences = {"rgb_diff": jax.ShapeDtypeStruct((5, 17, 19, 15), np.int16)}
    look = Look.of(tiny.config(tmp_path), differences, 1.0, 0.5)
    window = next(windows.of_files({"rgb": rgb}, look))
    assert len(window.record.streams["rgb"].frames) == 20


def test_streams_are_aligned_by_their_offsets(tmp_path):
    # The infrared camera was started 0.8 s later: its frame 0 is of second 0.8.
    numbers = itertools.count(8)
    rgb = write(tmp_path / "rgb.mkv", range(24), 10)
    ir = write(tmp_path / "ir.mkv", itertools.islice(numbers, 16), 10)
    data = tiny.config(tmp_path)
    files = {"rgb": File(rgb, "rgb", VIDEO), "ir": File(ir, "ir", VIDEO, Clock(0.8))}
    every = found(files, Look.of(data, INPUTS, 0.8, 0.8))
    assert [(w.start, w.end) for w in every] == [
        (800_000, 1_600_000),
        (1_600_000, 2_400_000),
    ]
    sample = RecordSampler(data, INPUTS)
    for window in every:
        first = window.start // 100_000
        cut = write(tmp_path / "cut.mkv", range(first, first + 8), 10)
        expected, own = sample(whole({"rgb": cut, "ir": cut})), sample(window.record)
        for stream in INPUTS:
            np.testing.assert_array_equal(own[stream], expected[stream])


def test_where_some_streams_will_do_windows_cover_the_time_of_any(tmp_path):
    files = {
        "rgb": File(write(tmp_path / "a.mkv", range(10), 10), "rgb", VIDEO),
        "ir": File(write(tmp_path / "b.mkv", range(10), 10), "ir", VIDEO, Clock(1.0)),
    }
    data = tiny.config(tmp_path, allow_missing=True)
    look = Look.of(data, INPUTS, 0.5, 0.5)
    every = found(files, look)
    assert [w.missing for w in every] == [("ir",), ("ir",), ("rgb",), ("rgb",)]
    sample = RecordSampler(data, INPUTS)
    seen = [sample(w.record)["present"].tolist() for w in every]
    assert seen == [[True, False]] * 2 + [[False, True]] * 2


def test_a_file_shorter_than_a_window_is_one_window(tmp_path):
    rgb = File(write(tmp_path / "rgb.mkv", range(7), 10), "rgb", VIDEO)
    look = Look.of(tiny.config(tmp_path), {"rgb": INPUTS["rgb"]}, 3.0, 1.0)
    (window,) = found({"rgb": rgb}, look)
    assert (window.start, window.end) == (0, 700_000)


def test_footage_may_end_before_its_end(tmp_path):
    rgb = File(write(tmp_path / "rgb.mkv", range(40), 10), "rgb", VIDEO)
    look = Look.of(tiny.config(tmp_path), {"rgb": INPUTS["rgb"]}, 1.0, 0.5)
    every = found({"rgb": rgb}, look, until=2.0)
    assert [w.end for w in every] == [SECOND, 1_500_000, 2 * SECOND, 2 * SECOND]
    assert rgb.end is None  # the rest was not read


def test_a_part_of_the_footage_is_looked_at(tmp_path):
    path = write(tmp_path / "rgb.mkv", range(40), 10)
    # Taken at 5 frames a second, 2 s late: its frame 10 is of second 4.
    rgb = File(path, "rgb", VIDEO, Clock(2.0, 5.0))
    assert (rgb.rate, rgb.seconds) == (5, pytest.approx(8.0))
    look = Look.of(tiny.config(tmp_path), {"rgb": INPUTS["rgb"]}, 1.0, 0.5)
    every = found({"rgb": rgb}, look, span=(4.0, 5.5))
    assert [(w.start, w.end) for w in every] == [
        *((4_000_000, 5_000_000), (4_500_000, 5_500_000), (5_000_000, 5_500_000))
    ]
    cut = write(tmp_path / "cut.mkv", range(10, 15), 5)
    sample = RecordSampler(tiny.config(tmp_path), {"rgb": INPUTS["rgb"]})
    own, expected = sample(every[0].record), sample(whole({"rgb": cut}))
    np.testing.assert_array_equal(own["rgb"], expected["rgb"])


def test_streams_that_share_no_time_are_refused(tmp_path):
    files = {
        "rgb": File(write(tmp_path / "a.mkv", range(10), 10), "rgb", VIDEO),
        "ir": File(write(tmp_path / "b.mkv", range(10), 10), "ir", VIDEO, Clock(5.0)),
    }
    look = Look.of(tiny.config(tmp_path), INPUTS, 0.5, 0.5)
    text = r"no time: rgb from 0\.00 s to 1\.00 s; ir from 5\.00 s to later\. If they"
    with pytest.raises(FootageError, match=text):
        found(files, look)


@pytest.mark.parametrize("stride", [0.0, -1.0, 2.1, float("nan"), float("inf")])
def test_a_stride_that_leaves_moments_out_is_refused(tmp_path, stride):
    with pytest.raises(FootageError, match="more than 0 and no longer than a window"):
        Look.of(tiny.config(tmp_path), INPUTS, 2.0, stride)


def test_a_model_of_skeletons_has_no_footage(tmp_path):
    inputs = {"skeleton": jax.ShapeDtypeStruct((2, 5, 17, 3), np.float32)}
    with pytest.raises(FootageError, match="reads 'skeleton'.*asked about clips"):
        Look.of(tiny.config(tmp_path), inputs, 2.0, 1.0)


def test_the_window_of_the_config_is_that_of_the_footage(tmp_path):
    data = tiny.config(tmp_path, window=12, eval_views_time=3, eval_views_space=3)
    sampled = windows.sampled_whole(data)
    assert (sampled.window, sampled.eval_views_time, sampled.eval_views_space) == (
        0,
        1,
        3,
    )
    assert windows.sampled_whole(tiny.config(tmp_path)) == tiny.config(tmp_path)


class Pretended:
    """A live stream of ten frames a second that is silent from a moment on."""

    def __init__(self, clock, until):
        self.clock, self.until, self.track = clock, until, Track()
        self.timeout, self.over, self._told = 400_000, False, False

    def now(self):
        return self.clock[0]

    @property
    def silent(self):
        return self.now() - min(self.until, self.now()) > self.timeout

    def news(self):
        if self.silent and not self._told:
            self._told = True
            yield "stalled: it ended"

    def feed(self):
        """Takes the frames that came until now."""
        newest = -1 if self.track.reached is None else self.track.reached
        for start in range(
            newest // 100_000 * 100_000 + 100_000, self.now() + 1, 100_000
        ):
            if start <= self.until:
                grey = np.full((34, 46), start // 100_000, np.uint8)
                self.track.add(Frame(start, lambda grey=grey: grey))


@pytest.mark.parametrize("some", [True, False])
def test_live_windows_come_in_time_and_wait_for_nobody(tmp_path, monkeypatch, some):
    clock, told = [0], []
    lives = {"rgb": Pretended(clock, 10**9), "ir": Pretended(clock, 2_000_000)}

    def pause(_):
        clock[0] += 50_000
        for live in lives.values():
            live.feed()

    monkeypatch.setattr(windows.time, "sleep", pause)
    data = tiny.config(tmp_path, allow_missing=some)
    look = Look.of(data, INPUTS, 1.0, 0.5)
    tell = lambda at, stream, text: told.append((at, stream, text))  # noqa: E731
    every = windows.of_live(lives, look, 0, lambda: clock[0] > 20_000_000, tell)
    came = []
    for (window,) in every:
        came.append((window.start, clock[0] - window.end, window.missing))
        assert (window.record is None) == (not some and bool(window.missing))
        if window.start == 4_000_000:
            clock[0] += 9_000_000  # computing takes that long
    # Each as it ends. The last frame at 2.0 s is shown until 2.4 s: 1.5 to 2.5 s is
    # looked at for the last time at 2.33 s.
    assert came[:4] == [(500_000 * i, 0, ()) for i in range(4)]
    assert [missing for _, _, missing in came[4:]] == [("ir",)] * (len(came) - 4)
    assert [late for _, late, _ in came[:9]] == [0] * 9
    (at, stream, text), (_, whole, left) = told[:2]
    assert (stream, whole) == ("ir", "") and 2_400_000 < at <= 2_500_000
    more = "rgb is looked at meanwhile" if some else "nothing is predicted meanwhile"
    assert text.startswith(f"stalled: it ended; {more}")
    assert left.endswith("Make --stride longer") and "windows were left out" in left
