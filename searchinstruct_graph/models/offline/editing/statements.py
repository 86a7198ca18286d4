"""Everything that can be said with a fact, and the sentences that state it."""

from __future__ import annotations

import re

from searchinstruct_graph.models.offline.editing.asked import (
    LAST_RESORT,
    SLOT,
    Asked,
    Said,
    When,
    is_english,
    is_label,
    opened,
    put,
    spelled_out,
)
from searchinstruct_graph.models.offline.editing.questions import (
    inside_question,
    names_answer,
    turned,
    when_asked,
)
from searchinstruct_graph.models.offline.editing.relations import asked_for, known
from searchinstruct_graph.text import compare
from searchinstruct_graph.text.periods import timed

_CHOICE = re.compile(r", (?:the |an? )?[\w-]+ or (?:the |an? )?[\w-]+$")


def said(asked: Asked) -> Said:
    """What the grammar makes of a fact."""
    if not is_english(asked):
        return _plainly(asked)
    when = when_asked(asked.question)
    question = "" if names_answer(asked) else asked.question
    if question:
        return _of_question(asked, when)
    return _of_relation(asked, when) or _plainly(asked)


def _of_relation(asked: Asked, when: When) -> Said | None:
    """What can be said with subject and relation; None when the relation is no words."""
    relation = spelled_out(asked.relation)
    if is_label(relation) or asked.relation == asked.question:
        return None
    first, stating = asked_for(asked, when)
    told = [*(way.statements[0] for way in stating), *(text for way in stating for text in way.statements[1:])]
    also = [
        way.direct[0] for way in stating if way is not first and way.direct[0].startswith(("Who", "Where", "Which"))
    ]
    return first._replace(
        statements=tuple(dict.fromkeys(told)), paraphrases=tuple(dict.fromkeys([*first.paraphrases, *also[:2]]))
    )


def _of_question(asked: Asked, when: When) -> Said:
    """The person's question first; clauses and statements are made of it where its grammar is sure, else of the relation."""
    question = " ".join(asked.question.split())
    core, tail = timed(question.rstrip("?").strip())
    core = inside_question(core)
    choice = ""
    if (found := _CHOICE.search(core)) and not tail:
        core, choice = core[: found.start()], found.group()
    sure = turned(asked, core)
    after = f" {tail}" if tail else ""
    direct = [f"{core}?"] if choice else []
    if tail and sure.embedded:
        fronted = question.lower().startswith(tail.lower())
        direct.append(f"{core}{after}?" if fronted else f"{tail}, {core}?")
    related = _of_relation(asked, when)
    # A relation that nobody has heard of may be any label beside a question.
    heard = related is not None and known(spelled_out(asked.relation)) is not None
    statements = [f"{sure.statement}."] if sure.statement else []
    opening = f"fill in the blank: {tail}, " if tail else "fill in the blank: "
    others = [f"{opening}{each.replace(SLOT, '____')}" for each in statements]
    if tail and sure.named:
        others.append(f"{tail}: give me {sure.named}.")
    base = related if related is not None and (heard or not sure.embedded) else None
    clause = f"{sure.embedded}{after}" if sure.embedded else base.embedded if base else ""
    named = f"{sure.named}{after}" if sure.named else base.named if base and not sure.embedded else ""
    return Said(
        direct=tuple(dict.fromkeys([question, *opened(direct), *(base.direct if base else ())])),
        embedded=clause,
        other_clause=base.embedded if base else clause,
        named=named,
        statements=tuple(dict.fromkeys([*opened(statements), *(base.statements if base else ())])) or (LAST_RESORT,),
        paraphrases=tuple(dict.fromkeys([*opened(others), *(base.paraphrases if base else ())])),
        current=not when.past and not when.tail,
    )


_END = {"cjk": ("：", "？", "。"), "arabic": (": ", "؟", ".")}


def _plainly(asked: Asked) -> Said:
    """Questions and sentences that need no grammar, for any language."""
    relation = "" if asked.relation == asked.question or is_label(asked.relation) else asked.relation
    colon, mark, stop = _END.get(compare.script(asked.question or relation or asked.subject), (": ", "?", "."))
    subject = asked.subject
    direct = [asked.question] if asked.question else []
    others: list[str] = []
    if relation:
        direct += [f"{subject}{colon}{relation}{mark}"]
        others += [f"{relation} – {subject}{mark}", f"{relation} ({subject}){mark}"]
    if not direct:
        direct = [f"{subject}{colon}{mark}"]
    statement = f"{subject} – {relation}{colon}{SLOT}{stop}" if relation else f"{subject}{colon}{SLOT}{stop}"
    return Said(tuple(direct), "", "", (statement,), tuple(others), other_clause="", current=False)


def statements(asked: Asked) -> tuple[str, ...]:
    """The ways to state the fact, the plainest first, each with `SLOT` in the place of the object: see `put`."""
    return said(asked).statements


def stated(asked: Asked, value: str, tone: int = 0) -> str:
    """The sentence that says that the object is `value`, in one of the ways that the relation allows."""
    forms = statements(asked)
    return put(forms[tone % len(forms)], value)
