"""What an instruction asks of sources, held against results of the web and against pages once they are read.

The corpus does this with its own documents before it ranks them (`tools.corpus.sieve`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from searchinstruct_graph.text.constraints import Applied, Constraint, Facts, Instruction, account, judged
from searchinstruct_graph.tools.corpus.language import spoken
from searchinstruct_graph.tools.reading import Document

from .provider import Hit


def sifted(hits: Sequence[Hit], constraints: Sequence[Constraint]) -> tuple[list[Hit], list[Applied]]:
    """Hits that are not known to be outside, those known to be inside first; and what each constraint did."""
    inside: list[Hit] = []
    unknown: list[Hit] = []
    checked = account(Instruction(list(constraints), []))
    for hit in hits:
        verdicts = [judged(each, Facts(hit.uri, hit.published)) for each in constraints]
        for told, verdict in zip(checked, verdicts, strict=True):
            told["dropped"] += verdict == "outside"
            told["unknown"] += verdict == "unknown"
        if "outside" not in verdicts:
            (unknown if "unknown" in verdicts else inside).append(hit)
    return [*inside, *unknown], checked


def outside_of(page: Document, constraints: Sequence[Constraint]) -> Constraint | None:
    """The first constraint that a page, now that it is read, is known to be outside of.

    Telling a language loads a model from a file, so this belongs in a thread.
    """
    asked = any(each.kind == "language" for each in constraints)
    language = spoken(page.text, page.language) if asked else ""
    facts = Facts(page.uri, page.published, language, page.url, page.text)
    return next((each for each in constraints if judged(each, facts) == "outside"), None)


def told_apart(asked: Instruction, accounts: Iterable[Sequence[Applied]]) -> list[Applied]:
    """The accounts of several providers as one: what each part of an instruction left out, and of how many nobody knows."""
    parts = account(asked)
    for told_by_one in accounts:
        for part, told in zip(parts, told_by_one, strict=False):
            part["dropped"] += told["dropped"]
            part["unknown"] += told["unknown"]
    return parts
