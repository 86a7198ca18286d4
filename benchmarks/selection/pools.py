"""Two pools of documents whose kinds are known, and targets of one kind drawn from them.

*mixed*: abstracts (PubMedQA, Cranfield), passages (MS MARCO, QED), command pages (tldr), sections of PEPs. A target is 100
questions with their answers of one kind that has some. *near*: MedQuAD, nine sources of the NIH on health; a target is 60 of one
source. The documents that a target was drawn from are left out of the pool.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.datasets import lines, msmarco, pubmedqa, qed

TARGETS = {"mixed": ("pubmedqa", "qed", "msmarco"), "near": ("CancerGov", "NIDDK", "NINDS")}
"""The kinds that targets are drawn from, by pool."""

DRAWN = {"mixed": 100, "near": 60}
"""Pairs of a target, by pool."""

_TLDR_PAGES = _PEP_SECTIONS = 1_800
_SECTION_WORDS = (60, 300)


@dataclass(frozen=True)
class Pair:
    """A question and its answer."""

    question: str
    answer: str

    @property
    def text(self) -> str:
        """What is embedded of it."""
        return f"{self.question}\n{self.answer}"


@dataclass(frozen=True)
class Document:
    """One document; `true` are the pairs that people made of it, where they are known."""

    id: str
    kind: str
    title: str
    text: str
    true: tuple[Pair, ...] = ()


@dataclass(frozen=True)
class Universe:
    """All documents of a pool, before a target's own are left out."""

    name: str
    documents: list[Document]


@dataclass(frozen=True)
class Task:
    """A target and what may be read for it: indices into the universe's documents, shuffled."""

    target: str
    pairs: list[Pair]
    pool: list[int]
    of_kind: int
    """Documents of the target's kind in the pool."""


def _titled(markdown: str, name: str) -> Document:
    return Document(f"tldr/{name}", "tldr", name.rpartition("/")[2], markdown)


_UNDERLINED = re.compile(r"^(\S[^\n]*)\n([=\-~^'\"*+#])\2{2,}[ \t]*$", re.MULTILINE)


def sections(text: str) -> list[tuple[str, str]]:
    """(heading, body) of every section of a reStructuredText page that has an underlined heading."""
    found = list(_UNDERLINED.finditer(text))
    ends = [*(next.start() for next in found[1:]), len(text)]
    return [(heading[1], text[heading.end() : end].strip()) for heading, end in zip(found, ends, strict=True)]


def _pep_sections(data: Path) -> list[Document]:
    fewest, most = _SECTION_WORDS
    return [
        Document(f"{page['id']}#{number}", "peps", f"{page['title']}: {heading}", body)
        for page in lines(data / "peps" / "peps.jsonl.gz")
        for number, (heading, body) in enumerate(sections(page["text"]))
        if fewest <= len(body.split()) <= most and heading not in ("Copyright", "References")
    ]


def _true(rows: Sequence[Any]) -> dict[str, tuple[Pair, ...]]:
    """Pairs by document; a question with no answer is none."""
    found: dict[str, tuple[Pair, ...]] = {}
    for row in rows:
        if row.answers:
            for gold in row.gold:
                found[gold] = (*found.get(gold, ()), Pair(row.text, row.answers[0]))
    return found


def mixed(data: Path) -> Universe:
    """Six kinds of about 8,000 documents; a fixed sample of the command pages and of the sections."""
    documents: list[Document] = []
    for questions in (pubmedqa(data), qed(data), msmarco(data)):
        kind = questions.name.partition("-")[0]
        true = _true(questions.questions)
        documents += [
            Document(f"{kind}/{row['id']}", kind, row["title"], row["text"], true.get(row["id"], ()))
            for row in questions.documents
        ]
    documents += [
        Document(f"cranfield/{row['id']}", "cranfield", row["title"], row["text"])
        for row in lines(data / "cranfield" / "corpus.jsonl.gz")
    ]
    draw = random.Random(0)
    pages = [_titled(row["text"], row["id"]) for row in lines(data / "tldr-pages" / "pages.jsonl.gz")]
    documents += draw.sample(pages, _TLDR_PAGES)
    documents += draw.sample(_pep_sections(data), _PEP_SECTIONS)
    return Universe("mixed", documents)


def near(data: Path) -> Universe:
    """The pages of MedQuAD: the answers of each, joined; the kind is the source."""
    documents = []
    for row in lines(data / "medquad" / "documents.jsonl.gz"):
        true = tuple(Pair(pair["question"], pair["answer"]) for pair in row["qa"])
        text = "\n\n".join(pair.answer for pair in true)
        documents.append(Document(row["id"], row["source"], row["focus"], text, true))
    return Universe("near", documents)


UNIVERSES = {"mixed": mixed, "near": near}


def task(universe: Universe, target: str, seed: int) -> Task:
    """A target of the kind `target` and the pool without the documents that it was drawn from."""
    draw = random.Random(f"{universe.name}/{target}/{seed}")
    known = [
        (at, pair)
        for at, document in enumerate(universe.documents)
        if document.kind == target
        for pair in document.true
    ]
    drawn = draw.sample(known, DRAWN[universe.name])
    left_out = {at for at, _ in drawn}
    pool = [at for at in range(len(universe.documents)) if at not in left_out]
    draw.shuffle(pool)
    kinds = Counter(universe.documents[at].kind for at in pool)
    return Task(target, [pair for _, pair in drawn], pool, kinds[target])
