"""The report's pictures, pixel by pixel, and its charts."""

import numpy as np
import pytest

from jaxact.report import overlays


def video(frames=2, height=150, width=150, channels=3, seed=0):
    generator = np.random.default_rng(seed)
    shape = (frames, height, width, channels)
    return generator.integers(40, 256, shape, dtype=np.uint8)


def test_kept_patches_are_untouched_and_dropped_ones_darkened():
    grey = np.full((6, 9, 1), 200, np.uint8)  # grey has no colour to lose
    keep = np.array([True, False, False, False, False, True])
    picture = overlays.region_overlay(grey, keep, grid=(2, 3))
    expected = np.full((6, 9), 50)  # a quarter of 200
    expected[:3, :3] = expected[3:, 6:] = 200
    np.testing.assert_array_equal(picture, np.stack([expected] * 3, -1))


def test_darkening_loses_light_and_colour():
    red = np.array([[[250, 0, 0]]], np.uint8)
    grey = 0.299 * 250
    expected = np.round(0.25 * np.array([grey + 0.4 * (250 - grey)] + 2 * [0.6 * grey]))
    np.testing.assert_array_equal(overlays.darken(red)[0, 0], expected)


def test_outline_is_drawn_on_dropped_pixels_alone():
    frame = video(1, 150, 150)[0]
    keep = np.zeros(9, bool)
    keep[4] = True
    picture = overlays.region_overlay(frame, keep, (3, 3), outline=(1, 2, 3))
    np.testing.assert_array_equal(picture[50:100, 50:100], frame[50:100, 50:100])
    np.testing.assert_array_equal(picture[49, 50:100], np.full((50, 3), [1, 2, 3]))
    np.testing.assert_array_equal(picture[:49], overlays.darken(frame)[:49])


@pytest.mark.parametrize("mark", [overlays.KEY, overlays.SECONDARY])
def test_frame_has_the_border_of_its_mark(mark):
    frame = video(1)[0]
    picture = overlays.draw_frame(frame, mark, np.ones(9, bool))
    edge = overlays.BORDER
    assert {tuple(pixel) for pixel in picture[:edge].reshape(-1, 3)} == {
        overlays.MARK_COLOURS[mark]
    }
    np.testing.assert_array_equal(picture[edge:-edge, edge:-edge], frame)


def test_background_frame_is_dark_whatever_it_keeps():
    frame = video(1)[0]
    picture = overlays.draw_frame(frame, overlays.BACKGROUND, np.ones(9, bool))
    edge = overlays.BORDER
    np.testing.assert_array_equal(
        picture[edge:-edge, edge:-edge], overlays.darken(frame)
    )


def test_box_is_outlined_where_the_actor_is():
    frame = np.zeros((201, 201, 3), np.uint8)
    picture = overlays.draw_frame(frame, box=(0.25, 0.5, 0.75, 1.0))
    inner = picture[overlays.BORDER : -overlays.BORDER, overlays.BORDER :]
    assert tuple(inner[50, 120]) == overlays.BOX
    assert tuple(inner[100, 100]) == overlays.BOX
    assert not inner[51:150, 101:200].any()


@pytest.mark.parametrize(
    ("size", "shown"), [(48, 144), (64, 192), (150, 150), (224, 224), (448, 224)]
)
def test_display_size(size, shown):
    picture = overlays.resize_for_display(video(1, size, size)[0])
    assert picture.shape == (shown, shown, 3)


def test_sheet_places_streams_in_rows_and_frames_in_columns():
    streams = {"rgb": video(3, seed=1), "ir": video(3, channels=1, seed=2)}
    sheet = np.asarray(overlays.selection_sheet(streams))
    for frames in streams.values():
        for frame in frames:
            # Each frame stands in the sheet once, as it is: find it by its corner.
            wanted = np.broadcast_to(frame, (150, 150, 3))
            rows, columns = np.nonzero((sheet == wanted[0, 0]).all(-1))
            found = [
                (y, x)
                for y, x in zip(rows, columns, strict=True)
                if np.array_equal(sheet[y : y + 150, x : x + 150], wanted)
            ]
            assert len(found) == 1


def test_a_stream_that_the_clip_lacks_is_not_shown():
    assert overlays.absent(["rgb", "ir"], np.array([True, False])) == ["ir"]
    assert overlays.absent(["rgb", "ir"], None) == []
    rgb, bright = video(3, seed=1), np.full((3, 150, 150, 1), 255, np.uint8)
    selection = overlays.Selection(marks=np.array([2, 1, 0, 2, 1, 0]))

    def drawn(ir, *lacked):
        streams = {"rgb": rgb, "ir": ir}
        return np.asarray(overlays.selection_sheet(streams, selection, lacked=lacked))

    without = drawn(bright, "ir")
    np.testing.assert_array_equal(without, drawn(0 * bright, "ir"))
    assert (without != drawn(0 * bright)).any()
    # Nothing but its row, of pictures and captions, is another.
    changed = np.nonzero((without != drawn(bright)).any(axis=(1, 2)))[0]
    assert changed.min() > len(without) / 2 - 10


def test_long_clips_wrap():
    one = overlays.selection_sheet({"rgb": video(8)})
    two = overlays.selection_sheet({"rgb": video(9)})
    assert two.width == one.width
    assert two.height > 1.8 * one.height


def test_sheet_refuses_what_does_not_fit():
    marks = overlays.Selection(marks=np.zeros(3, int))
    with pytest.raises(ValueError, match="3 marks for 2 frames of rgb"):
        overlays.selection_sheet({"rgb": video()}, marks)
    with pytest.raises(ValueError, match="'skeleton' is float64"):
        overlays.selection_sheet({"skeleton": np.zeros((2, 8, 25, 3))})
