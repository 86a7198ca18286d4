"""Rows and rejections in full: what was asked, what was answered, and the quotes that carry it in their sources."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from searchinstruct_graph.datasets.formats import licence_of
from searchinstruct_graph.datasets.report.gather import PRIVATE, Refused, RejectionFacts
from searchinstruct_graph.datasets.report.markup import Html, block, cut, folded, joined, link, own, tag
from searchinstruct_graph.datasets.rows import Origin, Rejection, Row, RowQuote, RowSource, RowStatement

_SOURCES, _QUOTES, _STATEMENTS = 12, 40, 60


def sample_rows(rows: Sequence[Row], of: int) -> Html:
    """Rows in full, the first of them unfolded."""
    if not rows:
        return tag("p", "No row was accepted, so there is none to show.", class_="quiet")
    told = f"{len(rows)} of {of:,}, drawn by their ids, in turn from every language, grounding and level (or kind)."
    return joined(
        tag("p", told, class_="quiet"),
        [_row(row, number) for number, row in enumerate(rows, 1)],
    )


def _row(row: Row, number: int) -> Html:
    origin, critic = row["origin"], row["critic"]
    facts = [
        origin["bloom"],
        origin["kind"],
        origin["operation"],
        row["language"],
        "grounded" if row["grounding"] == "quotes" else "not grounded in quotes",
        _score("support", critic["support"]),
        _score("agreement", critic["agreement"]),
        *_selected(origin),
    ]
    body = joined(
        _chips([*facts, *origin["keywords"][:6]]),
        _statements(row["statements"], f"r{number}", row["language"]) or block(row["answer"], language=row["language"]),
        _sources(row["sources"], row["statements"], f"r{number}"),
        tag("p", "Row ", tag("code", cut(row["id"], 64)), class_="quiet"),
    )
    title = tag("span", cut(row["instruction"], 600), dir="auto", class_="title")
    return folded(title, body, class_="card", open_=number == 1)


def _score(name: str, value: float | None) -> str:
    return f"{name} {value:.2f}" if value is not None else f"{name} not taken"


def _selected(origin: Origin) -> list[str]:
    """How an extraction came to the row's document."""
    selected = origin.get("selection")
    if selected is None:
        return []
    cluster = f"cluster {selected['cluster']}" if selected["cluster"] is not None else "read at random"
    return [cluster, f"{selected['distance']:.2f} from the nearest example"]


def _chips(labels: Sequence[str]) -> Html:
    return tag("ul", [tag("li", own(label, 60)) for label in labels if label], class_="chips")


def _statements(statements: Sequence[RowStatement], prefix: str, language: str) -> Html | None:
    """The answer's statements, each with links to its quotes on this page."""
    if not statements:
        return None

    def cited(statement: RowStatement) -> list[Html]:
        places = [(quote[0], quote[1]) for quote in statement["quotes"] if len(quote) == 2]
        links = [
            tag("a", f"[{number}]", href=f"#{prefix}-{number}-{index}", title=f"quote {index + 1} of source {number}")
            for number, index in places
        ]
        carried = {number for number, _ in places}
        return links + [tag("span", f"[{number}]") for number in statement["citations"] if number not in carried]

    items = [
        tag(
            "li",
            tag("span", cut(each["text"], 2_000), dir="auto", lang=_language(language)),
            " ",
            cited(each),
            " ",
            tag("small", f"support {each['support']:.2f}", class_="quiet"),
        )
        for each in statements[:_STATEMENTS]
    ]
    rest = len(statements) - _STATEMENTS
    return tag("ol", items, tag("li", f"and {rest} more statements") if rest > 0 else None, class_="statements")


def _language(code: str) -> str | None:
    return code if re.fullmatch(r"[a-z]{2,3}", code) and code != "und" else None


def _sources(sources: Sequence[RowSource], statements: Sequence[RowStatement], prefix: str) -> Html | None:
    if not sources:
        return None
    used = {(quote[0], quote[1]) for statement in statements for quote in statement["quotes"] if len(quote) == 2}
    items = [
        tag(
            "div",
            tag("p", f"[{source['id']}] ", link(source["uri"], source["title"] or source["uri"]), class_="cited"),
            tag(
                "p",
                own(source["uri"], 200) if source["title"] else None,
                f" · {licence}" if (licence := cut(licence_of(source["license"]), 80)) else None,
                f" · retrieved {cut(source['retrieved_at'], 32)}" if source["retrieved_at"] else None,
                class_="quiet",
            ),
            excerpt(source, {index for number, index in used if number == source["id"]}, prefix),
            class_="source",
        )
        for source in sources[:_SOURCES]
    ]
    rest = len(sources) - _SOURCES
    more = tag("p", f"and {rest} more sources", class_="quiet") if rest > 0 else None
    return tag("div", items, more, class_="sources")


class _Run(NamedTuple):
    """Quotes that overlap or touch, as one stretch of the page: where it starts, its text, and (quote, start, end) in it."""

    start: int
    text: str
    quotes: list[tuple[int, int, int]]


def runs(quotes: Sequence[RowQuote]) -> list[_Run]:
    """The stretches of a page that its quotes let us know, in the page's order."""
    found: list[_Run] = []
    for index, quote in sorted(enumerate(quotes), key=lambda item: (item[1]["start"], -len(item[1]["text"]), item[0])):
        start, text = quote["start"], quote["text"]
        if found:
            last = found[-1]
            at = start - last.start
            common = last.text[at : at + len(text)]
            # Offsets are a stranger's: what does not agree character for character stands by itself.
            if 0 <= at <= len(last.text) and text.startswith(common):
                last.quotes.append((index, at, at + len(text)))
                found[-1] = last._replace(text=last.text + text[len(common) :])
                continue
        found.append(_Run(start, text, [(index, 0, len(text))]))
    return found


def excerpt(source: RowSource, used: set[int], prefix: str) -> Html:
    """The quoted stretches of a page in its order, with what statements rest on marked, and places to link to."""
    pieces: list[Html] = []
    for run in runs(source["quotes"][:_QUOTES]):
        edges = sorted({0, len(run.text), *(edge for _, start, end in run.quotes for edge in (start, end))})
        parts: list[Html] = []
        # Of quotes that span no character the first edge serves as both.
        for start, end in zip(edges, edges[1:] or edges, strict=False):
            anchors = [
                tag("a", id=f"{prefix}-{source['id']}-{index}") for index, begins, _ in run.quotes if begins == start
            ]
            held = any(begins <= start < ends and index in used for index, begins, ends in run.quotes)
            text = cut(run.text[start:end], 3_000)
            parts += [*anchors, tag("mark", text) if held else tag("span", text)]
        pieces.append(
            tag("p", parts, dir="auto", class_="own", title=f"characters {run.start:,}–{run.start + len(run.text):,}")
        )
    gap = tag("p", "[…]", class_="gap", aria_label="left out")
    between = [piece for each in pieces for piece in (gap, each)][1:]
    return tag("blockquote", between)


def rejections(found: RejectionFacts, quarantined: bool) -> Html:
    """The rejections of one side: per reason its count and some of them."""
    reasons = found.of(quarantined)
    if not reasons:
        nothing = "Nothing waits for a person." if quarantined else "Nothing was refused."
        return tag("p", nothing, class_="quiet")
    return joined(_reason(reason, refused) for reason, refused in reasons)


def _reason(reason: str, refused: Refused) -> Html:
    stages = ", ".join(f"{stage} {count:,}" for stage, count in sorted(refused.stages.items()))
    shown = refused.examples.items()
    title = joined(tag("b", own(reason, 80)), f" {refused.count:,} ", tag("small", f"({stages})", class_="quiet"))
    return folded(title, [_rejection(each) for each in shown], class_="card")


def _rejection(each: Rejection) -> Html:
    if each["reason"] in PRIVATE:
        withheld = "Its text is not shown here, because a report travels; the ledger has what may be kept."
        return tag("div", tag("p", withheld, class_="quiet"), block(each["detail"], 1_000), class_="rejected")
    scores = [_score(name, value) for name, value in sorted(each["scores"].items())][:12]
    answer = folded("The answer", block(each["answer"]), _sources_told(each["sources"])) if each["answer"] else None
    return tag(
        "div",
        block(each["instruction"], 1_000, class_="asked"),
        tag("p", tag("b", "Why: "), own(each["detail"], 1_500)) if each["detail"] else None,
        _chips([each["origin"]["operation"], each["origin"]["bloom"], each["origin"]["kind"], *scores]),
        _triplet(each),
        answer,
        class_="rejected",
    )


def _triplet(each: Rejection) -> Html | None:
    """What was made of a triplet before it was refused."""
    made = each["triplet"]["texts"] if "triplet" in each else {}
    told = [(name, text) for name, text in made.items() if name not in ("query_positive", "document")]
    if not told:
        return None
    return tag("ul", [tag("li", tag("b", name.replace("_", " ")), ": ", own(text, 600)) for name, text in told])


def _sources_told(sources: Sequence[RowSource]) -> Html | None:
    if not sources:
        return None
    return tag("ul", [tag("li", link(each["uri"], each["title"] or each["uri"])) for each in sources[:_SOURCES]])
