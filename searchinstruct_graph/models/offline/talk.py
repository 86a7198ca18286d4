"""Plain conversation, without a schema: the sentences of the conversation that answer its last question."""

from __future__ import annotations

from collections.abc import Sequence

from searchinstruct_graph.models.offline.choose import ANSWERS
from searchinstruct_graph.models.offline.lens import look
from searchinstruct_graph.models.tagged import tags
from searchinstruct_graph.text.sentences import sentences

SILENT = "The text does not say."


def extractive_answer(messages: Sequence[tuple[str, str]]) -> str:
    """Answer the last question of a conversation, given as (role, text) pairs, with sentences from the rest of it.

    Tagged inputs are used when the prompt has them; else the last sentence that ends in a question mark (or the last
    line) is the question and everything before it is the text. When nothing answers, says so.
    """
    whole = "\n".join(text for role, text in messages if role != "system")
    tagged = list(tags(whole))
    question = next((tag.text for tag in tagged if tag.name == "question"), "")
    source = "\n".join(tag.text for tag in tagged if tag.name in ("page", "quote"))
    if not question:
        spans = sentences(whole)
        asked = [span for span in spans if whole[span.end - 1] in "?？؟"] or spans[-1:]
        if not asked:
            return SILENT
        question = whole[asked[-1].start : asked[-1].end]
        source = whole[: asked[-1].start] + whole[asked[-1].end :]
    ranked = sorted(look(question, source), key=lambda seen: -seen.score)[:2]
    chosen = sorted((seen for seen in ranked if seen.score >= ANSWERS), key=lambda seen: seen.span)
    return " ".join(" ".join(source[seen.span.start : seen.span.end].split()) for seen in chosen) or SILENT
