"""A query that a passage answers, as people type it: a question that its sentences answer, without capital and mark."""

from __future__ import annotations

import random
import re
from typing import Any

from searchinstruct_graph.models.offline.asking import TELLING
from searchinstruct_graph.models.offline.extracting import choose, drafts
from searchinstruct_graph.models.offline.grammar import decapitalised
from searchinstruct_graph.models.offline.task import Task
from searchinstruct_graph.models.offline.triplets.matching import answering
from searchinstruct_graph.models.offline.triplets.queries import SURE
from searchinstruct_graph.text.stopwords import is_stopword
from searchinstruct_graph.text.words import words

LONGEST_TYPED = 14
"""Words of a query: few people type more."""

AMONG = 3
"""Questions of a passage from which a call's seed chooses."""

_MARKS = re.compile(r"[?？؟.!]+\s*$")


def write_query(task: Task) -> dict[str, Any]:
    """One of the best questions about the passage that it surely answers; empty when there is none."""
    tag = next(iter(task.all("passage")), None)
    nothing = {"query": "", "evidence": ""}
    if tag is None:
        return nothing
    passage, title = tag.text, tag.attributes.get("title", "")
    found = []
    for draft in choose(passage, drafts(passage, title), 2 * AMONG, "", task):
        query = typed(draft.question, passage)
        if not _names_its_subject(query, title):
            continue
        if len(query.split()) <= LONGEST_TYPED and answering(query, passage, title) >= SURE:
            found.append({"query": query, "evidence": passage[draft.span.start : draft.span.end][:1_200]})
    return random.Random(task.seed).choice(found[:AMONG]) if found else nothing


def _names_its_subject(query: str, title: str) -> bool:
    """Whether a query says what it is about: by a word of the title that tells something, by a name, or by enough words."""
    told, asked = ({word for word in words(text) if not is_stopword(word)} for text in (title, query))
    return bool(told & asked) or query != query.lower() or len(asked) >= TELLING


def typed(question: str, passage: str) -> str:
    """A question as it is typed: no mark at its end, no capital but that of a name."""
    bare = _MARKS.sub("", " ".join(question.split()))
    if not bare:
        return ""
    first, _, rest = bare.partition(" ")
    return f"{first.lower()} {rest}".strip() if is_stopword(first.lower()) else decapitalised(bare, passage)
