"""The report of a set of triplets: what was kept of the tries, what the triplets are, and how they were poisoned."""

from __future__ import annotations

from collections.abc import Sequence

from searchinstruct_graph.datasets.formats import HARD_NEGATIVES
from searchinstruct_graph.datasets.report import sections
from searchinstruct_graph.datasets.report.charts import bars, heat, histogram
from searchinstruct_graph.datasets.report.editing import marked
from searchinstruct_graph.datasets.report.examples import rejections
from searchinstruct_graph.datasets.report.facts import ReportFacts
from searchinstruct_graph.datasets.report.gather import Bar, RejectionFacts
from searchinstruct_graph.datasets.report.markup import Child, Html, block, cut, folded, joined, link, own, table, tag
from searchinstruct_graph.datasets.report.page import document, made_by, times
from searchinstruct_graph.datasets.report.summary import a_row, money, percent
from searchinstruct_graph.datasets.triplet_measures import BARS, QUESTIONS, Distribution, TripletMeasures
from searchinstruct_graph.datasets.triplet_run import TripletCounts
from searchinstruct_graph.datasets.triplets import TripletRow, WordingLeak
from searchinstruct_graph.text.editing import change

_POISONED = {
    "hard_negative_document_1": "fits the poisoned instruction",
    "hard_negative_document_2": "fits the poisoned query",
}
_BEYOND = 2.0
"""Standard deviations of chance that count as chance."""


def triplet_page(
    facts: ReportFacts,
    found: TripletCounts,
    measured: TripletMeasures,
    shown: Sequence[TripletRow],
    refused: RejectionFacts,
) -> str:
    """The whole report as HTML."""
    parts: list[tuple[str, str, Child]] = [
        ("tries", "Tries", _tries(found)),
        ("triplets", "What the triplets are", _composition(found, measured) if found["kept"] else _nothing()),
        ("scores", "The validator's scores", _scores(measured) if measured["rows"] else _nothing()),
        ("poisons", "Poisons", _poisons(found, measured) if measured["rows"] else _nothing()),
        ("samples", "Triplets to look at", _samples(shown, found["kept"])),
        ("refused", "Not kept", rejections(refused, quarantined=False)),
        ("cost", "Cost and usage", sections.cost(facts)),
        ("provenance", "Settings and versions", sections.provenance(facts)),
    ]
    return document(f"{cut(facts['name'], 80)}: report", _header(facts, found), parts, made_by(facts))


def _nothing() -> Html:
    return tag("p", "No triplet was kept.", class_="quiet")


def _header(facts: ReportFacts, found: TripletCounts) -> Html:
    usage, target = facts["usage"], facts["target"]
    tiles = [
        ("triplets", f"{found['kept']:,}", f"of {target:,} wanted" if target is not None else "no target"),
        ("kept", percent(found["kept"], found["tried"]), f"of {found['tried']:,} tries"),
        ("families", f"{found['families']:,}", "of triplets that share a query"),
        ("found in the corpus", percent(found["found"], found["found"] + found["written"]), "of the hard negatives"),
        ("model calls", a_row(usage["model_calls"], found["kept"]), "a triplet"),
        ("cost", money(usage["cost_usd"]), "whole run"),
    ]
    shown = [tag("div", tag("dt", name), tag("dd", value, tag("small", note))) for name, value, note in tiles]
    return tag(
        "header",
        tag("h1", own(facts["name"], 120)),
        tag("p", times(facts), class_="quiet"),
        tag("dl", shown, class_="tiles"),
    )


def _tries(found: TripletCounts) -> Html:
    left = sum(found["reasons"].values())
    told = tag(
        "p",
        f"{found['kept']:,} of {found['tried']:,} tries ({percent(found['kept'], found['tried'])}) became triplets. A try is one "
        f"pair of query and passage, of which there are {found['pairs']:,}; not kept: {left:,}.",
    )
    reasons = [(own(name.replace("_", " "), 80), count) for name, count in list(found["reasons"].items())[:30]]
    return joined(told, bars("Why tries were not kept", "reason", reasons, left, of="tries") if reasons else None)


def _composition(found: TripletCounts, measured: TripletMeasures) -> Html:
    kept = found["kept"]
    kinds = [(own(name or "not named", 60), count) for name, count in list(found["kinds"].items())[:30]]
    origins = table(
        ["hard negative", "found", "written"],
        [
            [_POISONED[name], *(f"{counts[each]:,} ({percent(counts[each], kept)})" for each in ("found", "written"))]
            for name, counts in measured["origins"].items()
        ],
        caption="Hard negatives: found in the corpus, or written where none was found",
        numbers=(1, 2),
    )
    families = tag(
        "p",
        f"{found['families']:,} families; the largest has {measured['largest_family']:,} triplets. A split keeps a family on one "
        "side.",
        class_="quiet",
    )
    return joined(
        families,
        tag("div", bars("What instructions narrow by", "kind", kinds, kept, of="triplets"), origins, class_="grid"),
    )


def _scores(measured: TripletMeasures) -> Html:
    first = min(
        (at for spread in measured["scores"].values() for at, count in enumerate(spread["bars"]) if count), default=0
    )
    columns = [f"{at / BARS:.1f}–{(at + 1) / BARS:.1f}" for at in range(first, BARS)]
    rows: list[tuple[Child, list[int]]] = [
        (_mean(question, spread), spread["bars"][first:]) for question, spread in measured["scores"].items()
    ]
    asked = tag("ul", [tag("li", f"({question}) {what}") for question, what in QUESTIONS.items()])
    missing = sum(spread["missing"] for spread in measured["scores"].values())
    told = (
        "Five questions about every triplet, each answered from 0 (surely not) to 1 (surely); what is kept passed all of them."
        + (f" {missing:,} scores are missing." if missing else "")
    )
    return joined(tag("p", told, class_="quiet"), asked, heat("Triplets by score", "question", columns, rows))


def _mean(question: str, spread: Distribution) -> Html:
    mean = "no score" if spread["mean"] is None else f"mean {spread['mean']:.2f}"
    return joined(f"({question}) ", tag("small", mean, class_="quiet"))


def _poisons(found: TripletCounts, measured: TripletMeasures) -> Html:
    drawn = f" What follows is measured on {measured['drawn']:,} of them, drawn by their ids."
    charts = [
        histogram(
            f"How far {name} were changed",
            [Bar(at / BARS, (at + 1) / BARS, count) for at, count in enumerate(spread["bars"])],
            unit="share of the text",
            note="Edit distance over the length of the longer text.",
            label=_per_cent,
            of="triplets",
        )
        for name, spread in (("instructions", measured["instruction_edits"]), ("queries", measured["query_edits"]))
    ]
    denied = (
        f"{found['denying']:,} of {measured['rows']:,} triplets ({percent(found['denying'], measured['rows'])}) are poisoned by "
        f"adding or dropping a negation alone.{drawn if measured['drawn'] < measured['rows'] else ''}"
    )
    return joined(tag("p", denied), tag("p", _leak(measured["leak"])), tag("div", charts, class_="grid"))


def _per_cent(share: float) -> str:
    return f"{share:.0%}"


def _leak(leak: WordingLeak | None) -> str:
    if leak is None:
        return "Whether instructions give their side away by their wording alone was not measured: there are too few families."
    band = _BEYOND * leak.deviation
    verdict = (
        "that is within chance"
        if abs(leak.accuracy - 0.5) <= band
        else "that is more than chance: the poisons have a style of their own, which a retriever could learn instead of obeying"
        if leak.accuracy > 0.5
        else "that is below chance"
    )
    return (
        f"A classifier that sees the words of an instruction alone tells right ones from poisoned ones with accuracy "
        f"{leak.accuracy:.3f} (chance .500 ± {band:.3f}, {leak.instructions:,} instructions); {verdict}."
    )


def _samples(shown: Sequence[TripletRow], of: int) -> Html:
    if not shown:
        return _nothing()
    told = tag("p", f"{len(shown):,} of {of:,}, drawn by their ids. What a poison changed is marked.", class_="quiet")
    return joined(told, [_sample(row, number) for number, row in enumerate(shown, 1)])


def _sample(row: TripletRow, number: int) -> Html:
    poisons = table(
        ["", "right", "poisoned"],
        [
            [side, *_sides(row[f"{side}_positive"], row[f"{side}_negative"])]  # type: ignore[literal-required]
            for side in ("query", "instruction")
        ],
        caption="Right and poisoned",
    )
    passages = [_passage(row, "document", "fits both")]
    passages += [
        _passage(row, name, f"{_POISONED[name]}; {row['origins'].get(name, 'origin not told')}")
        for name in HARD_NEGATIVES
    ]
    scores = [
        f"({question}) –" if (score := row["scores"].get(question)) is None else f"({question}) {score:.2f}"
        for question in QUESTIONS
    ]
    body = joined(
        tag("ul", [tag("li", own(label, 60)) for label in (row["kind"], *scores) if label], class_="chips"),
        poisons,
        passages,
        _reasons(row),
        tag("p", "Triplet ", tag("code", cut(row["id"], 64)), class_="quiet"),
    )
    title = tag("span", cut(row["query_positive"], 300), dir="auto", class_="title")
    return folded(title, body, class_="card", open_=number == 1)


def _sides(right: str, poisoned: str) -> tuple[Html, Html]:
    return marked(right, change(poisoned, right)[1]), marked(poisoned, change(right, poisoned)[1])


def _passage(row: TripletRow, name: str, note: str) -> Html:
    uri = row["uris"].get(name, "")
    where = joined(" · ", link(uri, uri, 200)) if uri else None
    text = row[name]  # type: ignore[literal-required]
    return joined(
        tag("p", tag("b", name.replace("_", " ")), f": {note}", where, class_="quiet"), tag("blockquote", block(text))
    )


def _reasons(row: TripletRow) -> Html | None:
    told = [(question, row["reasons"][question]) for question in QUESTIONS if row["reasons"].get(question)]
    if not told:
        return None
    return folded(
        "What the validator said", tag("ul", [tag("li", f"({question}) ", own(why, 500)) for question, why in told])
    )
