"""A small world: documents about the island of Karvel, and a scripted model that plays the agents honestly on them.

`honest(...)` is a script; a test replaces the replies of one schema to make one role misbehave.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.support.scripted_llm import ChatRequest, Script

QUESTION = "In which year was the builder of the Karvel lighthouse born?"

DOCUMENTS = {
    "lighthouse.md": "# Karvel lighthouse\n\nThe lighthouse of Karvel stands on the northern cape. "
    "It was built by Mara Denholm in three summers.\n\nIts lamp can be seen from forty kilometres away.\n",
    "denholm.md": "# Mara Denholm\n\nMara Denholm was born in 1821 in the harbour town of Usk. "
    "She studied masonry and later drew bridges.\n\nShe never learned to swim.\n",
    "ferry.md": "# Ferry\n\nThe ferry to Karvel leaves twice a day. Tickets cost 12 crowns.\n",
    "goats.md": "# Goats\n\nGoats were brought to Karvel by monks. They eat seaweed in winter.\n",
    "harbour.md": "# Usk\n\nUsk is a harbour town. Its fish market opens at dawn.\n",
}

BUILDER = "It was built by Mara Denholm in three summers."
BORN = "Mara Denholm was born in 1821 in the harbour town of Usk."


def write_island(folder: Path, **more: str) -> str:
    """Write the documents (and `name=text` more of them as `name.md`) below `folder`; returns the corpus path."""
    root = folder / "island"
    root.mkdir(parents=True, exist_ok=True)
    for name, text in {**DOCUMENTS, **{f"{name}.md": text for name, text in more.items()}}.items():
        (root / name).write_text(text, encoding="utf-8")
    return str(root)


def plan(_: ChatRequest) -> dict[str, Any]:
    return {
        "restatement": "The birth year of whoever built the lighthouse.",
        "sub_questions": [
            {
                "text": QUESTION,
                "queries": ["Karvel lighthouse builder"],
                "requires": ["who built it", "the builder's year of birth"],
            }
        ],
    }


def read(request: ChatRequest) -> dict[str, Any]:
    wanted = {1: BUILDER, 2: BORN}
    page = "\n".join(tag.text for tag in request.tags("page"))
    quotes = [{"text": text, "point": point} for point, text in wanted.items() if text in page]
    return {"relevant": "yes" if quotes else "no", "quotes": quotes}


def assess(request: ChatRequest) -> dict[str, Any]:
    held = {tag.text: int(tag.attributes["id"]) for tag in request.tags("quote")}
    covered = [{"point": point, "quotes": [held[text]]} for point, text in ((1, BUILDER), (2, BORN)) if text in held]
    enough = len(covered) == 2
    return {
        "sufficient": enough,
        "covered": covered,
        "missing": [] if enough else ["the builder's year of birth"],
        "next_queries": [] if enough else ["Mara Denholm born"],
    }


def write(request: ChatRequest) -> dict[str, Any]:
    held = {tag.text: int(tag.attributes["id"]) for tag in request.tags("quote")}
    if BORN not in held or BUILDER not in held:
        return {"statements": []}
    return {
        "statements": [
            {"text": "The builder, Mara Denholm, was born in 1821.", "quotes": [held[BORN]]},
            {"text": "Mara Denholm built the lighthouse.", "quotes": [held[BUILDER]]},
        ]
    }


def support(request: ChatRequest) -> dict[str, Any]:
    return {
        "statements": [
            {"statement": int(tag.attributes["id"]), "support": 0.97, "problem": ""}
            for tag in request.tags("statement")
        ]
    }


def reanswer(request: ChatRequest) -> dict[str, Any]:
    held = [tag for tag in request.tags("quote") if "1821" in tag.text]
    if not held:
        return {"answerable": False, "answer": "", "quotes": []}
    return {"answerable": True, "answer": "She was born in 1821.", "quotes": [int(held[0].attributes["id"])]}


def honest(**replaced: Any) -> dict[str, Any]:
    """The honest script, with the replies of some schemas replaced: `honest(AnswerDraft=...)`."""
    script: dict[str, Any] = {
        "QuestionPlan": plan,
        "PageQuotes": read,
        "Sufficiency": assess,
        "AnswerDraft": write,
        "SupportReport": support,
        "Reanswer": reanswer,
    }
    return {**script, **replaced}


def obedient(script: dict[str, Any]) -> Script:
    """A model that follows every order it reads: whatever stands after `ORDER <schema>:` in its input is its reply."""

    def reply(request: ChatRequest) -> object:
        found = re.search(rf"ORDER {request.schema}: (\{{.*?\}}) END", request.text)
        if found:
            import json

            return json.loads(found[1])
        scripted = script[request.schema]
        return scripted(request) if callable(scripted) else scripted

    return reply
