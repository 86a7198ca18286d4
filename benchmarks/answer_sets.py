"""Questions with gold evidence, read from the folders of `--data`; each set's README there gives its schema."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Question:
    """A question and what is known about its answer. `gold` are document ids; `span` is in the gold document."""

    id: str
    text: str
    answers: list[str] = field(default_factory=list)
    gold: list[str] = field(default_factory=list)
    span: tuple[int, int] | None = None
    answerable: bool = True


@dataclass(frozen=True)
class AnswerSet:
    """A corpus ({id, title, text} records) and its questions."""

    name: str
    documents: list[dict[str, str]]
    questions: list[Question]


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a JSONL file, gzipped or not."""
    open_text = gzip.open if path.suffix == ".gz" else open
    with open_text(path, "rt", encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)


def _records(rows: Iterator[dict[str, Any]]) -> list[dict[str, str]]:
    return [{"id": row["id"], "title": row.get("title", ""), "text": row["text"]} for row in rows]


def multihop(data: Path) -> AnswerSet:
    """Multi-hop questions over Wikipedia paragraphs."""
    folder = data / "multihop"
    questions = [
        Question(row["id"], row["question"], [row["answer"]], row["gold_ids"])
        for row in lines(folder / "questions.jsonl")
    ]
    return AnswerSet("multihop", _records(lines(folder / "corpus.jsonl.gz")), questions)


def msmarco(data: Path) -> AnswerSet:
    """Web questions with one gold passage each."""
    folder = data / "msmarco"
    questions = [
        Question(row["id"], row["question"], row["answers"], [row["gold_id"]])
        for row in lines(folder / "questions.jsonl.gz")
    ]
    return AnswerSet("msmarco", _records(lines(folder / "corpus.jsonl.gz")), questions)


def qed(data: Path) -> AnswerSet:
    """Natural questions with the gold paragraph and sentence; `none`: no sentence entails the answer."""
    folder = data / "qed-nq"
    questions = [
        Question(
            row["id"],
            row["question"],
            row["answers"],
            [row["paragraph_id"]],
            tuple(row["selected_span"]) if row["explanation_type"] == "single_sentence" else None,
            row["explanation_type"] != "none",
        )
        for row in lines(folder / "questions.jsonl.gz")
    ]
    return AnswerSet("qed-nq", _records(lines(folder / "corpus.jsonl.gz")), questions)


def timeqa(data: Path) -> AnswerSet:
    """Time-qualified questions over Wikipedia pages, some without an answer in the page."""
    documents, questions = [], []
    for page in lines(data / "timeqa" / "pages.jsonl.gz"):
        title = page["title"].rsplit("/", 1)[-1].replace("_", " ")
        documents.append({"id": page["id"], "title": title, "text": "\n\n".join(page["paragraphs"])})
        for number, asked in enumerate(page["questions"]):
            answers = [answer["text"] for answer in asked["answers"]]
            questions.append(
                Question(f"{page['id']}#{number}", asked["question"], answers, [page["id"]], answerable=bool(answers))
            )
    return AnswerSet("timeqa", documents, questions)


def xquad(data: Path, language: str = "en") -> AnswerSet:
    """Reading questions; the paragraphs are the corpus."""
    paragraphs: dict[str, str] = {}
    questions = []
    for row in lines(data / "xquad" / f"xquad.{language}.jsonl.gz"):
        gold = paragraphs.setdefault(row["context"], f"p{len(paragraphs)}")
        questions.append(Question(row["id"], row["question"], [row["answers"][0]["text"]], [gold]))
    documents = [{"id": name, "title": "", "text": text} for text, name in paragraphs.items()]
    return AnswerSet(f"xquad {language}", documents, questions)


def without_gold(full: AnswerSet, count: int, seed: int) -> tuple[AnswerSet, AnswerSet]:
    """`count` questions, once over the whole corpus and once over the corpus without any of their gold documents."""
    chosen = random.Random(seed).sample(full.questions, min(count, len(full.questions)))
    removed = {name for question in chosen for name in question.gold}
    rest = [document for document in full.documents if document["id"] not in removed]
    silent = [Question(q.id, q.text, [], [], answerable=False) for q in chosen]
    return AnswerSet(f"{full.name} with gold", full.documents, chosen), AnswerSet(
        f"{full.name} without gold", rest, silent
    )
