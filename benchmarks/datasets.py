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
class QuestionSet:
    """A corpus ({id, title, text} records) and its questions."""

    name: str
    documents: list[dict[str, str]]
    questions: list[Question]

    def write(self, folder: Path) -> str:
        """Write the documents as a JSONL corpus into `folder`; returns the file's path."""
        path = folder / f"{self.name.replace(' ', '-').replace(',', '')}.jsonl"
        with path.open("w", encoding="utf-8") as stream:
            stream.writelines(json.dumps(document, ensure_ascii=False) + "\n" for document in self.documents)
        return str(path)


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a JSONL file, gzipped or not."""
    open_text = gzip.open if path.suffix == ".gz" else open
    with open_text(path, "rt", encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)


def _records(rows: Iterator[dict[str, Any]]) -> list[dict[str, str]]:
    return [{"id": row["id"], "title": row.get("title", ""), "text": row["text"]} for row in rows]


def multihop(data: Path) -> QuestionSet:
    """Multi-hop questions over Wikipedia paragraphs."""
    folder = data / "multihop"
    questions = [
        Question(row["id"], row["question"], [row["answer"]], row["gold_ids"])
        for row in lines(folder / "questions.jsonl")
    ]
    return QuestionSet("multihop", _records(lines(folder / "corpus.jsonl.gz")), questions)


def msmarco(data: Path) -> QuestionSet:
    """Web questions with one gold passage each."""
    folder = data / "msmarco"
    questions = [
        Question(row["id"], row["question"], row["answers"], [row["gold_id"]])
        for row in lines(folder / "questions.jsonl.gz")
    ]
    return QuestionSet("msmarco", _records(lines(folder / "corpus.jsonl.gz")), questions)


def qed(data: Path) -> QuestionSet:
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
    return QuestionSet("qed-nq", _records(lines(folder / "corpus.jsonl.gz")), questions)


def timeqa(data: Path) -> QuestionSet:
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
    return QuestionSet("timeqa", documents, questions)


def xquad(data: Path, language: str = "en") -> QuestionSet:
    """Reading questions; the paragraphs are the corpus."""
    paragraphs: dict[str, str] = {}
    questions = []
    for row in lines(data / "xquad" / f"xquad.{language}.jsonl.gz"):
        gold = paragraphs.setdefault(row["context"], f"p{len(paragraphs)}")
        questions.append(Question(row["id"], row["question"], [row["answers"][0]["text"]], [gold]))
    documents = [{"id": name, "title": "", "text": text} for text, name in paragraphs.items()]
    return QuestionSet(f"xquad {language}", documents, questions)


def pubmedqa(data: Path) -> QuestionSet:
    """Medical questions; a document is the joined contexts of one abstract."""
    rows = list(lines(data / "pubmedqa" / "pubmedqa.jsonl.gz"))
    documents = [{"id": str(row["id"]), "title": "", "text": "\n\n".join(row["contexts"])} for row in rows]
    questions = [Question(str(row["id"]), row["question"], [row["long_answer"]], [str(row["id"])]) for row in rows]
    return QuestionSet("pubmedqa", documents, questions)


def without_gold(full: QuestionSet, count: int, seed: int) -> tuple[QuestionSet, QuestionSet]:
    """`count` questions, once over the whole corpus and once over the corpus without any of their gold documents."""
    chosen = random.Random(seed).sample(full.questions, min(count, len(full.questions)))
    removed = {name for question in chosen for name in question.gold}
    rest = [document for document in full.documents if document["id"] not in removed]
    silent = [Question(q.id, q.text, [], [], answerable=False) for q in chosen]
    return QuestionSet(f"{full.name} with gold", full.documents, chosen), QuestionSet(
        f"{full.name} without gold", rest, silent
    )
