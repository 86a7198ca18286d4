"""Search test sets from the folders of `--data`: a corpus of documents, and questions with their gold documents."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Question:
    """A query and the ids of the documents that answer it."""

    text: str
    gold: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SearchSet:
    """A corpus of `{id, title, text}` records and the questions asked of it."""

    name: str
    documents: list[dict[str, str]]
    questions: list[Question]

    def write(self, folder: Path) -> Path:
        """Write the corpus as JSONL into `folder`; returns the file."""
        path = folder / f"{self.name.replace(' ', '-')}.jsonl"
        with path.open("w", encoding="utf-8") as handle:
            for document in self.documents:
                handle.write(json.dumps(document, ensure_ascii=False) + "\n")
        return path


def records(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a `.jsonl` or `.jsonl.gz` file."""
    opener: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as handle:
        for line in handle:
            if line.strip():
                yield json.loads(line)


def xquad(data: Path, language: str) -> SearchSet:
    """Paragraphs and questions of one language; a paragraph's id is its place."""
    ids: dict[str, str] = {}
    questions = []
    for item in records(data / "xquad" / f"xquad.{language}.jsonl.gz"):
        key = ids.setdefault(item["context"], f"p{len(ids)}")
        questions.append(Question(item["question"], (key,)))
    documents = [{"id": key, "title": "", "text": text} for text, key in ids.items()]
    return SearchSet(f"xquad {language}", documents, questions)


def _corpus(path: Path) -> list[dict[str, str]]:
    return [{"id": item["id"], "title": item.get("title", ""), "text": item["text"]} for item in records(path)]


def msmarco(data: Path) -> SearchSet:
    """Web questions with one gold passage each."""
    home = data / "msmarco"
    questions = [Question(q["question"], (q["gold_id"],)) for q in records(home / "questions.jsonl.gz")]
    return SearchSet("msmarco", _corpus(home / "corpus.jsonl.gz"), questions)


def multihop(data: Path) -> SearchSet:
    """Questions that need several Wikipedia paragraphs."""
    home = data / "multihop"
    questions = [Question(q["question"], tuple(q["gold_ids"])) for q in records(home / "questions.jsonl")]
    return SearchSet("multihop", _corpus(home / "corpus.jsonl.gz"), questions)


def pubmedqa(data: Path) -> SearchSet:
    """Medical questions; a document is the joined contexts of one abstract."""
    items = list(records(data / "pubmedqa" / "pubmedqa.jsonl.gz"))
    documents = [{"id": str(i["id"]), "title": "", "text": "\n\n".join(i["contexts"])} for i in items]
    return SearchSet("pubmedqa", documents, [Question(i["question"], (str(i["id"]),)) for i in items])


def qed_nq(data: Path) -> SearchSet:
    """Questions people asked a search engine, with the paragraph that belongs to each."""
    home = data / "qed-nq"
    questions = [Question(q["question"], (q["paragraph_id"],)) for q in records(home / "questions.jsonl.gz")]
    return SearchSet("qed-nq", _corpus(home / "corpus.jsonl.gz"), questions)


SEARCH_SETS: dict[str, Callable[[Path], SearchSet]] = {
    "xquad en": lambda data: xquad(data, "en"),
    "msmarco": msmarco,
    "pubmedqa": pubmedqa,
    "multihop": multihop,
    "xquad de": lambda data: xquad(data, "de"),
    "xquad zh": lambda data: xquad(data, "zh"),
    "xquad ar": lambda data: xquad(data, "ar"),
    "qed-nq": qed_nq,
}
"""Name of each set and the function that loads it from the data folder."""
