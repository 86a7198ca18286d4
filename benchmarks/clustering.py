"""Vectors of 1,000,000 documents put into clusters: time, memory, sizes, and whether the planted topics come out.

    python -m benchmarks.clustering                     # 1,000,000 vectors of 256 numbers: 1 GB in a temporary folder
    python -m benchmarks.clustering --vectors 100000
    python -m benchmarks.clustering --map               # through a map of the documents, as after the warm-up

The vectors are generated from a seed: as many topics as clusters are wanted, their sizes falling as 1/√rank, topic after
topic as documents lie in a folder. Memory is what the process holds of its own (Linux counts it as RssAnon), sampled every
20 ms: the file's pages are the system's, which takes them back when it needs them.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from searchinstruct_graph.selection.alignment import Alignment
from searchinstruct_graph.selection.clusters import cluster, clusters_wanted, gaussian_distances

WIDTH = 256
NOISE = 1.5
"""Length of what is added to a topic's vector of length 1."""


def write(path: Path, count: int, seed: int = 11) -> NDArray[np.int32]:
    """Write `count` unit vectors of `WIDTH` numbers as a .npy file and return the topic of each."""
    draw = np.random.default_rng(seed)
    topics = clusters_wanted(count)
    centres = draw.normal(size=(topics, WIDTH)).astype(np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    share = 1 / np.sqrt(np.arange(1, topics + 1))
    topic = np.sort(draw.choice(topics, count, p=share / share.sum())).astype(np.int32)
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(count, WIDTH))
    for at in range(0, count, 10_000):
        part = topic[at : at + 10_000]
        made = centres[part] + draw.normal(size=(len(part), WIDTH)).astype(np.float32) * (NOISE / WIDTH**0.5)
        rows[at : at + len(part)] = made / np.linalg.norm(made, axis=1, keepdims=True)
    rows.flush()
    return topic


def _own_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1_024
    raise OSError("this system does not tell a process's own memory from a file's pages")


class Watch:
    """The most memory of its own that the process holds while this is entered."""

    def __enter__(self) -> Watch:
        self._over = threading.Event()
        self._start = self.peak = _own_mb()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def _look(self) -> None:
        while not self._over.wait(0.02):
            self.peak = max(self.peak, _own_mb())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    @property
    def growth(self) -> float:
        """MB above the start."""
        return self.peak - self._start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--map", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()

    import scipy.sparse  # noqa: F401
    from sklearn.metrics import adjusted_rand_score

    draw = np.random.default_rng(3)
    turn = np.eye(WIDTH) + draw.normal(size=(WIDTH, WIDTH)) * 0.01
    transform = Alignment(turn.astype(np.float32)).apply if asked.map else None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npy"
        topic = write(path, asked.vectors)
        vectors = np.load(path, mmap_mode="r")
        wall, busy = time.perf_counter(), time.process_time()
        with Watch() as watch:
            found = cluster(vectors, seed=asked.seed, transform=transform)
        wall, busy = time.perf_counter() - wall, time.process_time() - busy
        print(
            f"{asked.vectors:,} vectors ({path.stat().st_size / 2**20:,.0f} MB), {clusters_wanted(asked.vectors)} wanted: "
            f"{wall:.1f} s, {busy:.1f} s CPU; memory grew by {watch.growth:.0f} MB"
        )
        sizes = np.sort(found.sizes)
        low, middle, high = (int(sizes[int(share * (len(sizes) - 1))]) for share in (0.05, 0.5, 0.95))
        print(
            f"{len(sizes)} clusters, mean size {sizes.mean():.0f}: smallest {sizes[0]}, 5 % {low}, median {middle}, "
            f"95 % {high}, largest {sizes[-1]} ({sizes[-1] / (asked.vectors / clusters_wanted(asked.vectors)):.1f} × wanted)"
        )
        print(f"adjusted Rand index with the planted topics: {adjusted_rand_score(topic, found.labels):.3f}")
        wall = time.perf_counter()
        near = gaussian_distances(found)
        wall = time.perf_counter() - wall
        print(f"distances of all clusters: {wall:.2f} s, median {np.median(near[near > 0]):.2f}")


if __name__ == "__main__":
    main()
