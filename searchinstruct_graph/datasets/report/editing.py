"""The section of an edit set: which facts changed, how little of each answer did, and what is held out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from searchinstruct_graph.datasets.edit_facts import BARS, EditFacts
from searchinstruct_graph.datasets.ledger import EditRecord
from searchinstruct_graph.datasets.report.charts import bars, histogram
from searchinstruct_graph.datasets.report.gather import Bar
from searchinstruct_graph.datasets.report.markup import Child, Html, cut, joined, own, table, tag
from searchinstruct_graph.text.editing import change

_NOTE = "Tokens inserted and deleted, over those of both answers."

_LONGEST = 1_200
"""Characters of an answer that are shown."""


def edits(found: EditFacts, shown: Sequence[EditRecord]) -> Html:
    """The facts in numbers, how far answers were changed, the probes by kind, and a table of facts with before and after."""
    done = found["accepted"] + found["rejected"]
    change_told = (
        f"An edit changed {found['change']:.1%} of the tokens on average, {found['most_change'] or 0.0:.1%} at most."
        if found["change"] is not None
        else "No answer was edited."
    )
    told = tag(
        "p",
        f"{found['accepted']:,} of {done:,} facts gave rows ({found['facts']:,} are in the files): {found['pairs']:,} rows with "
        f"a rejected answer beside the chosen one, {found['sft_only']:,} without. {change_told}",
    )
    refused = [(own(name, 80), count) for name, count in found["reasons"].items()]
    held = [(name, count) for name, count in found["probes"].items()]
    dropped = [(own(name.replace("_", " "), 80), count) for name, count in found["dropped"].items()]
    spread = [Bar(at / BARS, (at + 1) / BARS, count) for at, count in enumerate(found["changes"])]
    return joined(
        told,
        histogram("Share of tokens changed", spread, unit="share of tokens", note=_NOTE, label=_per_cent)
        if found["pairs"]
        else None,
        bars("Facts refused", "reason", refused, done, of="facts") if refused else None,
        bars("Probes, held out of the rows", "kind", held, sum(found["probes"].values()), of="probes"),
        bars("Probes not kept", "reason", dropped, sum(found["dropped"].values()), of="dropped") if dropped else None,
        _facts(shown, done),
    )


def _per_cent(share: float) -> str:
    return f"{share:.0%}"


def _facts(shown: Sequence[EditRecord], done: int) -> Html | None:
    if not shown:
        return None
    left = done - len(shown)
    more = (
        tag("p", f"The first {len(shown):,} facts; {left:,} more are not shown.", class_="quiet") if left > 0 else None
    )
    return joined(
        table(
            ["fact", "was", "is", "before", "after", "changed"],
            [_fact(each) for each in shown],
            caption="Facts with their answers before and after the edit; what changed is marked",
            numbers=(5,),
        ),
        more,
    )


def _fact(edit: EditRecord) -> list[Child]:
    fact = edit["fact"]
    name = joined(
        own(f"{fact['subject']}: {fact['relation']}", 200),
        tag("br"),
        tag("small", own(fact["as_of"], 60), class_="quiet"),
    )
    head: list[Child] = [name, own(fact["old"] or "–", 200), own(fact["new"], 200)]
    if edit["reason"]:
        why = joined(tag("b", "refused: "), own(edit["reason"].replace("_", " "), 80), ". ", own(edit["detail"], 400))
        return [*head, why, "", "–"]
    removed = change(edit["after"], edit["before"])[1] if edit["before"] else []
    note = tag("small", own(edit["note"].replace("_", " "), 80), class_="quiet") if edit["note"] else None
    share = "–" if edit["change"] is None else f"{edit['change']:.0%}"
    return [*head, marked(edit["before"], removed), joined(marked(edit["after"], edit["spans"]), note), share]


def marked(text: str, spans: Iterable[Sequence[int]]) -> Html:
    """A stranger's words with the characters of `spans` ([start, end]) marked; what lies outside of the text is passed over."""
    parts: list[Child] = []
    at, end = 0, min(len(text), _LONGEST)
    for start, stop in sorted((span[0], span[1]) for span in spans if len(span) == 2):
        start, stop = max(at, start), min(stop, end)
        if start < stop:
            parts += [text[at:start], tag("mark", text[start:stop])]
            at = stop
    parts.append(cut(text[at:], end - at) if at < len(text) else "")
    return tag("bdi", parts, dir="auto")
