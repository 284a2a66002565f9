import numpy as np

from jaxact.report import Evaluation, html, maps, write_report


def test_differences_as_frames():
    differences = np.zeros((2, 3, 5, 15), np.int16)
    differences[1, 2, 4, 0::3] = (10, 10, -4, 0, 20)  # red: 36 in all
    differences[1, 2, 4, 1::3] = -200
    frames = maps.difference_frames(differences)
    assert frames.shape == (2, 3, 5, 3) and frames.dtype == np.uint8
    assert frames[1, 2, 4].tolist() == [146, 0, 128]
    assert (frames[0] == 128).all()


def test_places_take_the_colour_of_their_cluster():
    frames = np.full((2, 4, 6, 3), 100, np.uint8)
    assignments = np.zeros((2, 2, 3, 7))
    assignments[..., 0] = 1.0
    assignments[1, 1, 2] = [0, 0, 0, 0.75, 0.25, 0, 0]
    tinted = maps.cluster_frames(frames, assignments)
    colours = maps.cluster_colours(7).astype(float)
    sure = 0.35 * 100 + 0.65 * colours[0]
    half = (1 - 0.65 * 0.75) * 100 + 0.65 * 0.75 * colours[3]
    np.testing.assert_allclose(tinted[0], np.broadcast_to(sure, (4, 6, 3)), atol=0.5)
    np.testing.assert_allclose(
        tinted[1, 2:, 4:], np.broadcast_to(half, (2, 2, 3)), atol=0.5
    )
    np.testing.assert_allclose(
        tinted[1, :2], np.broadcast_to(sure, (2, 6, 3)), atol=0.5
    )


def test_colours_differ():
    colours = maps.cluster_colours(64)
    assert len({tuple(colour) for colour in colours}) == 64
    steps = np.abs(np.diff(colours.astype(int), axis=0)).max(axis=1)
    assert steps.min() > 60


def test_heat_by_hand():
    """One place of one frame is hot; another speaks against the class."""
    frames = np.full((4, 2, 2, 3), 100, np.uint8)
    activation = np.zeros((2, 2, 2), np.float32)  # of two frames each
    activation[1] = [[3.0, 0.0], [-9.0, 1.5]]
    hot = maps.heat_frames(frames, activation)
    assert hot.shape == (4, 2, 2, 3) and hot.dtype == np.uint8
    assert (hot[:2] == 100).all()
    np.testing.assert_array_equal(hot[2], hot[3])
    colour = np.array(maps.HEAT)
    np.testing.assert_allclose(hot[2, 0, 0], 100 + 0.65 * (colour - 100), atol=0.5)
    np.testing.assert_allclose(hot[2, 1, 1], 100 + 0.325 * (colour - 100), atol=0.5)
    assert (hot[2, 0, 1] == 100).all() and (hot[2, 1, 0] == 100).all()
    assert (maps.heat_frames(frames, -(activation[:1] ** 2)) == 100).all()


def example(**entries):
    random = np.random.default_rng(0)
    streams = {
        "rgb": random.integers(0, 256, (3, 20, 28, 3)).astype(np.uint8),
        "rgb_diff": random.integers(-99, 99, (3, 20, 28, 15)).astype(np.int16),
    }
    values = {
        "name": "clip 1",
        "label": 1,
        "scores": np.array([0.2, 0.8]),
        "streams": streams,
        "actor_visible": np.ones(6, bool),
        "actor_box": np.tile([0.1, 0.2, 0.8, 0.9], (6, 1)),
    }
    return values | entries


def of_two_clips(**changes):
    return Evaluation(
        experiment="test",
        classes=["a", "b"],
        ids=np.arange(2),
        names=["clip 0", "clip 1"],
        labels=np.array([0, 1]),
        scores=np.array([[0.9, 0.1], [0.2, 0.8]]),
        **changes,
    )


def test_examples_show_differences_and_maps():
    random = np.random.default_rng(0)
    assignments = random.dirichlet(np.ones(5), (6, 2, 2))
    activation = random.normal(size=(2, 3, 3)).astype(np.float32)
    evaluation = of_two_clips()
    plain = html._example(example(), evaluation)
    assert plain["picture"] and plain["not_shown"] == plain["maps"] == []
    drawn = html._example(
        example(assignments=assignments, activation=activation), evaluation
    )
    assert [m["kind"] for m in drawn["maps"]] == ["activation", "assignments"]
    assert all(m["size"][1] > 2 * 20 for m in drawn["maps"])  # a row for each stream
    # Maps that cannot be told apart by stream are left out.
    odd = html._example(example(activation=activation[:1]), evaluation)
    assert odd["maps"] == []


def test_the_page_explains_the_maps(tmp_path):
    words = ("class activation map", "NetVLAD")
    for entries, expected in (
        ({}, (False, False)),
        ({"activation": np.ones((2, 3, 3), np.float32)}, (True, False)),
        ({"assignments": np.ones((6, 2, 2, 1))}, (False, True)),
    ):
        path = write_report(tmp_path, of_two_clips(examples=[example(**entries)]))
        page = path.read_text()
        assert tuple(word in page for word in words) == expected
        assert page.count("<img") == 1 + sum(expected)


def test_depth_is_bright_where_near():
    depth = np.array([0, 500, 4250, 8000], np.uint16).reshape(1, 2, 2, 1)
    frames = maps.depth_frames(depth)
    assert frames.dtype == np.uint8
    assert frames.ravel().tolist() == [0, 255, 128, 0]  # 127.5, to even
