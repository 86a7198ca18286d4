from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.linalg import sqrtm
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from searchinstruct_graph.selection import clusters as module
from searchinstruct_graph.selection.clusters import Clusters, cluster, clusters_wanted, gaussian_distances

Rows = NDArray[np.float32]


def unit(rows: Any) -> Rows:
    made: Rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return made


def planted(count: int, groups: int, seed: int = 0, width: int = 16, noise: float = 0.1) -> tuple[Rows, NDArray[Any]]:
    """Rows around `groups` directions, group after group, as documents lie in a folder."""
    draw = np.random.default_rng(seed)
    group = np.sort(draw.integers(0, groups, count))
    centres = unit(draw.normal(size=(groups, width)))
    return unit(centres[group] + noise * draw.normal(size=(count, width)) / width**0.5), group


def digest(found: Clusters) -> str:
    parts = (found.labels, found.centroids, found.spreads)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def check(found: Clusters, count: int) -> None:
    assert found.labels.dtype == np.int32
    assert found.labels.shape == (count,)
    assert found.centroids.dtype == found.spreads.dtype == np.float32
    assert found.centroids.shape == found.spreads.shape
    assert found.sizes.sum() == count
    assert found.sizes.min() >= min(2, count)


@pytest.mark.parametrize(
    ("documents", "wanted"),
    [(0, 0), (1, 1), (5, 5), (8, 8), (128, 8), (200, 10), (8_000, 63), (1_000_000, 707), (10_000_000, 1_000)],
)
def test_how_many_clusters(documents: int, wanted: int) -> None:
    assert clusters_wanted(documents) == wanted


@pytest.mark.parametrize("count", [600, module.FULL_ROWS + 4_000])
def test_planted_groups_are_found(count: int) -> None:
    rows, group = planted(count, 12)
    found = cluster(rows, 12)
    check(found, count)
    assert adjusted_rand_score(group, found.labels) > 0.99


def test_without_a_number_there_are_as_many_as_wanted() -> None:
    rows, _ = planted(2_000, 500, noise=1.0)
    assert 28 <= len(cluster(rows).centroids) <= 36


def test_lengths_do_not_matter() -> None:
    rows, _ = planted(300, 9, noise=0.5)
    lengths = np.random.default_rng(1).uniform(0.1, 9, (300, 1))
    assert (cluster(rows * lengths, 9).labels == cluster(rows, 9).labels).all()


def test_centroids_and_spreads_are_those_of_the_unit_rows() -> None:
    rows, _ = planted(500, 9, noise=1.0)
    found = cluster(rows * 3, 9)
    for number in range(len(found.centroids)):
        members = rows[found.labels == number].astype(np.float64)
        assert np.allclose(found.centroids[number], members.mean(axis=0), atol=1e-6)
        assert np.allclose(found.spreads[number], members.std(axis=0), atol=1e-6)


def test_every_document_is_with_its_nearest_centroid() -> None:
    rows, _ = planted(500, 9)
    found = cluster(rows, 9)
    assert (np.argmin(((rows[:, None] - found.centroids) ** 2).sum(axis=2), axis=1) == found.labels).all()


def test_a_seed_gives_the_same_clusters_every_time() -> None:
    rows, _ = planted(2_000, 90, noise=1.5)
    assert digest(cluster(rows, 40, 5)) == digest(cluster(rows, 40, 5))
    assert digest(cluster(rows, 40, 5)) != digest(cluster(rows, 40, 6))


def digests() -> list[str]:
    """Of what every step of k-means reads, and of mini-batches."""
    return [digest(cluster(planted(count, 90, width=64, noise=1.5)[0], 60)) for count in (3_000, 21_000)]


def test_the_number_of_threads_and_the_process_do_not_matter() -> None:
    program = "from tests.selection.test_clusters import digests; print(*digests())"
    elsewhere = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    with threadpool_limits(limits=2):
        here = digests()
    assert elsewhere.stdout.split() == here
    assert len(set(here)) == 2


def test_a_memmap_is_clustered_like_an_array(tmp_path: Path) -> None:
    rows, _ = planted(3_000, 20, noise=1.0)
    np.save(tmp_path / "rows.npy", rows)
    assert digest(cluster(np.load(tmp_path / "rows.npy", mmap_mode="r"))) == digest(cluster(rows))
    assert digest(cluster(rows.tolist())) == digest(cluster(rows))


def test_the_file_is_never_held_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLE_BYTES", 2 << 20)
    monkeypatch.setattr(module, "_CHUNK_BYTES", 1 << 18)
    rows = np.lib.format.open_memmap(tmp_path / "rows.npy", mode="w+", dtype=np.float32, shape=(120_000, 128))
    draw = np.random.default_rng(0)
    for at in range(0, len(rows), 10_000):
        rows[at : at + 10_000] = draw.normal(size=(10_000, 128))
    rows.flush()
    vectors = np.load(tmp_path / "rows.npy", mmap_mode="r")
    cluster(vectors[:1_000], 8)
    tracemalloc.start()
    try:
        check(cluster(vectors, 40, transform=lambda part: part[:, ::-1]), len(rows))
        assert tracemalloc.get_traced_memory()[1] < 0.3 * rows.nbytes
    finally:
        tracemalloc.stop()


def test_the_map_is_applied_to_every_row() -> None:
    rows, _ = planted(3_000, 30, noise=1.0)
    turn = np.random.default_rng(1).normal(size=(16, 5)).astype(np.float32)
    mapped = cluster(rows, 20, transform=lambda part: part @ turn)
    assert mapped.centroids.shape[1] == 5
    assert (mapped.labels == cluster(rows @ turn, 20).labels).all()


def heavy(seed: int = 0) -> Rows:
    """Nine tenths of the documents around one direction, the others anywhere."""
    draw = np.random.default_rng(seed)
    around = np.eye(32)[0] + 0.02 * draw.normal(size=(2_700, 32))
    return unit(np.concatenate([around, draw.normal(size=(300, 32))]))


def test_a_cluster_above_five_times_the_mean_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    found = cluster(heavy(), 30)
    check(found, 3_000)
    assert found.sizes.max() <= 5 * 3_000 / 30
    # What is far away from all that is split is not touched by it.
    assert not set(found.labels[:2_700]) & set(found.labels[2_700:])
    monkeypatch.setattr(module, "SPLIT_ABOVE", 1e9)
    assert cluster(heavy(), 30).sizes.max() > 5 * 3_000 / 30


def test_a_split_that_only_takes_off_outliers_becomes_two_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    rows = np.concatenate([np.eye(8)[0] + 1e-3 * draw.normal(size=(997, 8)), np.eye(8)[[1, 1, 1]]])
    source = module._Source(rows, None)
    labels = module._split(source, np.zeros(1_000, dtype=np.int32), 600, 0)
    assert sorted(np.bincount(labels)) == [500, 500]
    labels = module._split(source, np.zeros(1_000, dtype=np.int32), 130, 0)
    assert np.bincount(labels).max() <= 130
    assert len(np.bincount(labels)) < 20


def test_equal_documents_stay_together() -> None:
    draw = np.random.default_rng(0)
    rows = np.concatenate([np.ones((900, 16)), unit(draw.normal(size=(100, 16)))])
    found = cluster(rows, 20)
    assert len(set(found.labels[:900])) == 1
    check(found, 1_000)


def test_a_lone_document_goes_to_its_nearest_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    groups = np.eye(8)[np.repeat([0, 1], 20)] + 0.01 * draw.normal(size=(40, 8))
    alone = np.array([[0.3, 0.0, 1.0, 0, 0, 0, 0, 0]])
    rows = unit(np.concatenate([groups, alone]))
    found = cluster(rows, 3)
    assert sorted(found.sizes) == [20, 21]
    assert found.labels[40] == found.labels[0]
    monkeypatch.setattr(module, "MERGE_BELOW", 1)
    assert sorted(cluster(rows, 3).sizes) == [1, 20, 20]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 20])
def test_fewer_documents_than_clusters(count: int) -> None:
    rows, _ = planted(count, count, noise=1.0)
    check(cluster(rows), count)
    check(cluster(rows, 500), count)


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("count", [1, 2, 100, module.FULL_ROWS + 1])
def test_all_documents_equal(value: float, count: int) -> None:
    found = cluster(np.full((count, 4), value))
    assert found.sizes.tolist() == [count]
    assert np.allclose(found.centroids, value / 2)
    assert np.allclose(found.spreads, 0, atol=1e-6)


def test_zero_rows_stay_zero_and_together() -> None:
    rows, group = planted(200, 3)
    found = cluster(np.concatenate([rows, np.zeros((50, 16), dtype=np.float32)]), 4)
    assert adjusted_rand_score([*group, *[3] * 50], found.labels) > 0.99
    assert not found.centroids[found.labels[-1]].any()


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 5), st.integers(1, 4))
def test_no_document_is_lost_and_none_alone(count: int, wanted: int, seed: int, values: int) -> None:
    rows = np.random.default_rng(seed).integers(-values, values + 1, (count, 3))
    check(cluster(rows, wanted, seed), count)


def test_gaussian_distances_are_those_of_the_trace_formula() -> None:
    draw = np.random.default_rng(0)
    means, spreads = draw.normal(size=(4, 6)).astype(np.float32), draw.uniform(0, 1, (4, 6)).astype(np.float32)
    distances = gaussian_distances(Clusters(np.zeros(1, dtype=np.int32), means, spreads))
    for one in range(4):
        for other in range(4):
            first, second = (np.diag(spreads[k].astype(np.float64) ** 2) for k in (one, other))
            root = sqrtm(first)
            apart = means[one].astype(np.float64) - means[other]
            wanted = apart @ apart + np.trace(first + second - 2 * np.real(sqrtm(root @ second @ root)))
            assert distances[one, other] == pytest.approx(wanted, abs=1e-6)
    assert (distances == distances.T).all()
    assert not np.diagonal(distances).any()


@pytest.mark.parametrize(
    ("vectors", "count", "what"),
    [
        (np.zeros((0, 4)), None, "at least one row"),
        (np.zeros((4, 0)), None, "at least one row"),
        (np.zeros(4), None, "at least one row"),
        ([[1.0, float("nan")]], None, "not finite"),
        ([[1.0, float("inf")]], None, "not finite"),
        (np.ones((4, 4)), 0, "at least 1 cluster"),
    ],
)
def test_bad_vectors_are_refused(vectors: Any, count: int | None, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        cluster(vectors, count)


def test_a_bad_row_outside_the_sample_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLE_BYTES", 1 << 12)
    rows = np.ones((50_000, 4), dtype=np.float32)
    rows[-1, 2] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        cluster(rows, 2)
