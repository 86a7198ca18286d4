"""A small world for evaluations: what is known of the quarry of Brenn, and questions about it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

CORPUS = [
    {
        "id": "quarry",
        "title": "The quarry of Brenn",
        "text": "The quarry of Brenn gives blue slate. It was opened in 1743 by Ilse Marrow. Forty people work there.",
    },
    {
        "id": "marrow",
        "title": "Ilse Marrow",
        "text": "Ilse Marrow was born in Tolden. She was a mason before she opened a quarry. Her brother kept bees.",
    },
    {
        "id": "tolden",
        "title": "Tolden",
        "text": "Tolden is a village on the river Asp. Its mill was built in 1612. The mill grinds barley.",
    },
    {"id": "bahar", "title": "آسیاب بهار", "text": "آسیاب بهار در سال ۱۶۸۸ ساخته شد. این آسیاب کنار رود اسپ است."},
    {"id": "lan", "title": "兰桥", "text": "兰桥建于1590年。这座桥有九个桥洞。桥上有一座小庙。"},
]

QUESTIONS: list[dict[str, Any]] = [
    {"id": "1", "question": "Who opened the quarry of Brenn?", "answer": "Ilse Marrow", "gold_ids": ["quarry"]},
    {"id": "2", "question": "When was the mill of Tolden built?", "answers": ["1612"], "gold_id": "tolden"},
    {"id": "3", "question": "آسیاب بهار در چه سالی ساخته شد؟", "answer": "۱۶۸۸", "gold_ids": ["bahar"]},
    {"id": "4", "question": "兰桥建于哪一年？", "answer": "1590年", "gold_ids": ["lan"]},
    {"id": "5", "question": "Which opera did Petra Lindqvist conduct in Salzburg?", "answerable": False},
]


def write_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> str:
    """Write JSONL; returns the file's path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in records), encoding="utf-8")
    return str(path)


def write_quarry(folder: Path, questions: Iterable[Mapping[str, Any]] = QUESTIONS) -> str:
    """Write corpus and questions below `folder`; returns the folder to hand to `data`."""
    root = folder / "quarry"
    write_lines(root / "corpus.jsonl", CORPUS)
    write_lines(root / "questions.jsonl", questions)
    return str(root)
