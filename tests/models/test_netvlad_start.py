"""k-means by which NetVLAD's centres start."""

import jax
import numpy as np
import pytest

from jaxact.models.netvlad_start import kmeans, lloyd_step

RANDOM = np.random.default_rng(7)


def distances(points, centres):
    return ((np.asarray(points)[:, None] - np.asarray(centres)) ** 2).sum(axis=-1)


def test_kmeans_finds_separate_clusters():
    centres = np.array([[0, 0], [10, 0], [0, 10], [10, 10], [5, 20]], np.float32)
    owners = RANDOM.permutation(np.repeat(np.arange(5), 11))
    points = (centres[owners] + 0.1 * RANDOM.normal(size=(55, 2))).astype(np.float32)
    found, error = kmeans(jax.random.key(3), points, 5)
    order = distances(centres, found).argmin(axis=1)
    assert sorted(order) == list(range(5))
    means = np.array([points[owners == index].mean(axis=0) for index in range(5)])
    np.testing.assert_allclose(np.asarray(found)[order], means, atol=1e-4)
    spread = ((points - means[owners]) ** 2).sum(axis=-1).mean()
    np.testing.assert_allclose(error, spread, rtol=1e-3)


def test_kmeans_is_a_function_of_the_seed():
    points = RANDOM.normal(size=(41, 3)).astype(np.float32)
    first, again, other = (
        np.asarray(kmeans(jax.random.key(seed), points, 7)[0]) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01
    # A fixed point of Lloyd's algorithm: every centre is the mean of its points.
    owner = distances(points, first).argmin(axis=1)
    means = [points[owner == index].mean(axis=0) for index in range(7)]
    np.testing.assert_allclose(first, means, atol=1e-5)


def test_a_cluster_without_points_takes_a_far_one():
    points = np.array([[0, 0], [2, 0], [9, 0], [1, 6], [1, 0]], np.float32)
    centres = np.array([[1, 0], [99, 99], [1, 1], [-99, 0]], np.float32)
    moved = jax.jit(lloyd_step)(points, centres)
    # (9, 0) is 8 away from its centre, (1, 6) 5: in this order they are taken.
    np.testing.assert_allclose(moved, [[3, 0], [9, 0], [1, 6], [1, 6]], atol=1e-6)


def test_kmeans_of_fewer_different_points_than_clusters():
    points = np.zeros((42, 2), np.float32)
    points[40], points[41] = (1.0, 0.0), (0.0, 2.0)
    found, error = kmeans(jax.random.key(0), points, 5)
    assert float(error) == 0.0
    assert {(0.0, 0.0), (1.0, 0.0), (0.0, 2.0)} == {tuple(c) for c in found.tolist()}
    with pytest.raises(ValueError, match="at least as many points as clusters"):
        kmeans(jax.random.key(0), np.zeros((4, 2)), 5)
