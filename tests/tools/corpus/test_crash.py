"""SIGKILL at many moments of reindexing: the old index still answers, and the next run completes."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from searchinstruct_graph.tools.corpus import Corpus
from searchinstruct_graph.tools.corpus.generations import generation_path, read_manifest

pytestmark = pytest.mark.timeout(120)

CHILD = """
import asyncio, os, signal, sys
from searchinstruct_graph.tools.corpus import Corpus, indexing, generations, vectors, lexical, store
point = sys.argv[2] if len(sys.argv) > 2 else ""

def kill_at(owner, name, after):
    real = getattr(owner, name)
    def killed(*args, **kwargs):
        if after:
            real(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(owner, name, killed)

POINTS = {
    "copied": (indexing, "begin_generation", True),
    "added": (vectors.VectorIndex, "add", True),
    "orphans": (vectors.VectorIndex, "remove", False),
    "words": (indexing, "build_word_index", True),
    "publish": (indexing, "publish", False),
    "renamed": (os, "rename", True),
    "manifest": (os, "replace", False),
    "pointed": (os, "replace", True),
}
if point:
    kill_at(*POINTS[point])
corpus = asyncio.run(Corpus.open([sys.argv[1]]))
print(corpus.report[0].documents)
"""


def child(docs: Path, point: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(docs), *([point] if point else [])]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def fill(docs: Path, word: str, count: int) -> None:
    for number in range(count):
        (docs / f"{number}.txt").write_text(f"The {word} of harbour {number} is painted every spring.")


def current_answers(home: Path, word: str) -> None:
    """The generation that CURRENT names is whole, whatever was going on."""
    from searchinstruct_graph.tools.corpus.index import Index

    (current,) = home.rglob("CURRENT")
    manifest = read_manifest(str(current.parent))
    assert manifest is not None
    assert os.path.isdir(generation_path(str(current.parent), manifest.generation))
    index = Index("", str(current.parent), manifest)
    found = index.by_words(word, 5)
    assert found, f"{word!r} is gone"
    assert word in found[0][0].text
    from searchinstruct_graph.models.embeddings import embeddings

    assert index.by_vector(embeddings().embed([word])[0], 5)


@pytest.mark.parametrize(
    ("point", "survives"),
    [
        ("copied", "lantern"),
        ("added", "lantern"),
        ("orphans", "lantern"),
        ("words", "lantern"),
        ("publish", "lantern"),
        ("renamed", "lantern"),
        ("manifest", "lantern"),
        ("pointed", "compass"),
    ],
)
def test_killed_at(docs: Path, home: Path, point: str, survives: str) -> None:
    fill(docs, "lantern", 8)
    asyncio.run(Corpus.open([str(docs)]))
    fill(docs, "compass", 8)
    (docs / "7.txt").unlink()
    killed = child(docs, point)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    current_answers(home, survives)

    corpus = asyncio.run(Corpus.open([str(docs)]))
    assert corpus.report[0].documents == 7
    hits = asyncio.run(corpus.search("compass"))
    assert "compass" in hits[0].text
    assert all("lantern" not in hit.text for hit in hits)
    left = sorted(path.name for path in next(home.rglob("CURRENT")).parent.iterdir())
    assert not [name for name in left if name.endswith(".tmp")]
    assert len([name for name in left if name.startswith("gen-")]) <= 3


def test_a_first_index_that_was_killed_starts_again(docs: Path) -> None:
    fill(docs, "lantern", 3)
    killed = child(docs, "added")
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert asyncio.run(Corpus.open([str(docs)])).report[0].added == 3


def test_two_processes_index_at_once(docs: Path) -> None:
    fill(docs, "lantern", 300)
    both = [child(docs), child(docs)]
    for process in both:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert out.strip() == "300"
    assert asyncio.run(Corpus.open([str(docs)])).report[0].unchanged == 300


def test_a_writer_waits_for_the_one_before_and_says_so(docs: Path, home: Path) -> None:
    from filelock import FileLock

    from searchinstruct_graph.tools.corpus.corpus import _home
    from searchinstruct_graph.tools.corpus.sources import scan

    fill(docs, "lantern", 2)
    place = Path(_home(scan(str(docs), time.time_ns()), "wordllama", None))
    place.mkdir(parents=True)
    told: list[str] = []

    async def wait() -> Corpus:
        with FileLock(place / "LOCK"):
            opening = asyncio.create_task(Corpus.open([str(docs)], on_progress=lambda step: told.append(step.phase)))
            while "waiting" not in told:
                await asyncio.sleep(0.05)
            assert not opening.done()
        return await opening

    assert asyncio.run(wait()).report[0].added == 2
