"""What the offline extractor makes of real documents: pairs a document, how many have none, faults, speed, true questions met.

    python -m benchmarks.extraction --data FOLDER
    python -m benchmarks.extraction --data FOLDER --show 12 --only pubmedqa     # pairs to read, drawn by --seed

FOLDER holds `pubmedqa/pubmedqa.jsonl.gz` {contexts}, `medquad/documents.jsonl.gz` {focus, qa}, `cranfield`, `msmarco`, `qed-nq`
with `corpus.jsonl.gz` {title, text}, `tldr-pages/pages.jsonl.gz` {id, text} and `peps/peps.jsonl.gz` {title, text}; a missing
one is left out. `pydoc` needs no data. A true question counts as met when the cosine of a pair's question, or of its answer, with
the true one is at least .75. Times are of one processor.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.agents.extractor import ExtractedPair, extract, faults, located
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.models.offline.extracting import choose, drafts
from searchinstruct_graph.models.offline.task import Task
from searchinstruct_graph.models.structured import Reply

MET = 0.75
Document = tuple[str, str]


def _records(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def _sections(text: str) -> Iterator[str]:
    """The text of one PEP cut at its headings, packed up to about 1,500 characters."""
    held = ""
    for piece in re.split(r"\n(?=[^\n]+\n[=\-]{4,}\n)", text):
        if held and len(held) + len(piece) > 1_500:
            yield held
            held = ""
        held += f"\n{piece}"
    yield held


def pools(data: Path) -> dict[str, list[Document]]:
    """The documents of each kind as (title, text)."""
    from pydoc_data.topics import topics

    named = {name: list(_records(data / name / "corpus.jsonl.gz")) for name in ("cranfield", "msmarco", "qed-nq")}
    peps = _records(data / "peps" / "peps.jsonl.gz")
    return {
        "pubmedqa": [("", " ".join(r["contexts"])) for r in _records(data / "pubmedqa" / "pubmedqa.jsonl.gz")],
        "medquad": [
            (r["focus"], "\n".join(qa["answer"] for qa in r["qa"]))
            for r in _records(data / "medquad" / "documents.jsonl.gz")
        ],
        **{name: [(r.get("title") or "", r["text"]) for r in records] for name, records in named.items()},
        "tldr-pages": [(r["id"], r["text"]) for r in _records(data / "tldr-pages" / "pages.jsonl.gz")],
        "peps": [(r["title"], section) for r in peps for section in _sections(r["text"])],
        "pydoc": [(name, text) for name, text in sorted(topics.items())],
    }


async def measured(name: str, documents: list[Document], count: int) -> list[tuple[Document, list[ExtractedPair]]]:
    """Extract from every document, print one line of the table, return the pairs."""
    context, made, words = ResearchContext(model="offline"), [], 0
    verbatim = faulty = pairs = 0
    for title, text in documents:
        outcome = await extract(
            text, title, domain="", form="", count=count, context=context, allowance=context.limits(), seed=0
        )
        assert isinstance(outcome, Reply)
        made.append(((title, text), outcome.value.pairs))
    began = time.process_time()
    for title, text in documents:
        choose(text, drafts(text, title), count, "", Task((), 0.0, 0))
        words += len(text.split())
    spent = time.process_time() - began
    for (_, text), found in made:
        for pair in found:
            pairs += 1
            held = located(pair, text)
            verbatim += len(held.quotes) == len(pair.evidence)
            faulty += bool(faults(pair.question, pair.answer, [quote["text"] for quote in held.quotes]))
    none = sum(not found for _, found in made)
    print(
        f"{name:<11}{len(documents):>6} docs {words / len(documents):>6.0f} words {pairs / len(documents):>6.2f} pairs/doc"
        f" {none / len(documents):>6.1%} none  verbatim {verbatim / max(1, pairs):.3f}  faulty {faulty / max(1, pairs):.3f}"
        f"  {1000 * spent / len(documents):>6.2f} ms/doc {1000 * spent / words * 200:>5.2f} ms/200 words",
        flush=True,
    )
    return made


def true_questions_met(data: Path, made: list[tuple[Document, list[ExtractedPair]]]) -> None:
    """Print the share of true questions of the medical pages that a pair of their page meets."""
    import numpy as np

    embedder, asked, answered, either, total = embeddings("wordllama"), 0, 0, 0, 0
    for record, (_, pairs) in zip(_records(data / "medquad" / "documents.jsonl.gz"), made, strict=True):
        total += len(record["qa"])
        if not pairs:
            continue
        texts = [qa["question"] for qa in record["qa"]], [qa["answer"] for qa in record["qa"]]
        ours = [pair.question for pair in pairs], [pair.answer for pair in pairs]
        near = [
            np.asarray(embedder.embed(list(true))) @ np.asarray(embedder.embed(list(mine))).T
            for true, mine in zip(texts, ours, strict=True)
        ]
        question, answer = near[0].max(axis=1) >= MET, near[1].max(axis=1) >= MET
        asked, answered = asked + int(question.sum()), answered + int(answer.sum())
        either += int((question | answer).sum())
    print(
        f"true medquad questions: {total}; met in question {asked / total:.1%}, in answer {answered / total:.1%},"
        f" either {either / total:.1%}"
    )


def main() -> None:
    """Print the table, or with --show some pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--count", type=int, default=5, help="pairs asked of a document at most")
    parser.add_argument("--most", type=int, default=1_000, help="documents of a kind, drawn by --seed")
    parser.add_argument("--only", default="", help="one kind")
    parser.add_argument("--show", type=int, default=0, help="documents whose pairs are printed")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    for name, documents in pools(options.data).items():
        if not documents or options.only not in ("", name):
            continue
        all_of_them = name == "medquad" and not options.show
        size = options.show or (len(documents) if all_of_them else min(options.most, len(documents)))
        picked = documents if all_of_them else draw.sample(documents, min(size, len(documents)))
        made = asyncio.run(measured(name, picked, options.count))
        if all_of_them:
            true_questions_met(options.data, made)
        for (title, _), pairs in made if options.show else []:
            print(f"== {title[:80]}")
            for pair in pairs:
                print(f"  Q [{pair.level}] {pair.question}\n  A {pair.answer[:700]}")


if __name__ == "__main__":
    main()
