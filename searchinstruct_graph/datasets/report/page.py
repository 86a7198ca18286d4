"""The page of a report: one file that asks nothing of anybody, and runs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from searchinstruct_graph.datasets.report import sections
from searchinstruct_graph.datasets.report.editing import edits
from searchinstruct_graph.datasets.report.examples import rejections, sample_rows
from searchinstruct_graph.datasets.report.facts import ReportFacts
from searchinstruct_graph.datasets.report.gather import RejectionFacts, RowFacts, mean
from searchinstruct_graph.datasets.report.markup import Child, Html, cut, joined, own, tag
from searchinstruct_graph.datasets.report.probing import Probed
from searchinstruct_graph.datasets.report.selecting import selection
from searchinstruct_graph.datasets.report.style import style_sheet
from searchinstruct_graph.datasets.report.summary import a_row, duration, money, percent

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""What a browser may do with the page: apply its own style."""


def page(facts: ReportFacts, rows: RowFacts, refused: RejectionFacts, probed: Probed) -> str:
    """The whole report as HTML."""
    chosen, edited = facts["selection"], facts.get("edits")
    parts: list[tuple[str, str, Child]] = [
        ("funnel", "Funnel", sections.funnel(facts["funnel"], facts["target"], extracted=chosen is not None)),
        *([("selection", "Selection", selection(chosen, rows.clusters.telling(chosen["homes"])))] if chosen else []),
        *([("edits", "Facts", edits(edited, facts.get("edited", ())))] if edited else []),
        ("rows", "What the rows are", sections.composition(rows) if rows.rows else _nothing()),
        ("lengths", "Lengths", sections.lengths(rows) if rows.rows else _nothing()),
        ("diversity", "Diversity", sections.diversity(rows, probed) if rows.rows else _nothing()),
        ("quality", "Support and agreement", sections.quality(rows) if rows.rows else _nothing()),
        ("sources", "Sources", sections.sources(rows, facts) if rows.rows else _nothing()),
        ("contamination", "Contamination", sections.contamination(facts["contamination"])),
        ("cost", "Cost and usage", sections.cost(facts)),
        ("samples", "Sample rows", sample_rows(rows.shown(), rows.rows)),
        ("quarantine", "Quarantined", rejections(refused, quarantined=True)),
        ("rejected", "Refused and rejected", rejections(refused, quarantined=False)),
        ("provenance", "Settings and versions", sections.provenance(facts)),
    ]
    return document(f"{cut(facts['name'], 80)}: report", _header(facts, rows), parts, made_by(facts))


def document(
    title: str, header: Html, parts: Sequence[tuple[str, str, Child]], footer: Html, more_style: str = ""
) -> str:
    """A whole page: `parts` are its sections, each with its anchor and its title. `more_style` holds no stranger's word."""
    links = tag("ul", [tag("li", tag("a", title, href=f"#{name}")) for name, title, _ in parts])
    body = tag(
        "body",
        tag("a", "To the content", href=f"#{parts[0][0]}", class_="skip"),
        header,
        tag("nav", links, aria_label="Sections"),
        tag(
            "main",
            [
                tag("section", tag("h2", title, id=f"h-{name}"), inner, id=name, aria_labelledby=f"h-{name}")
                for name, title, inner in parts
            ],
        ),
        tag("footer", footer, class_="quiet"),
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        # No stranger's word is in it, and a style element does not know entities.
        tag("style", Html(style_sheet() + more_style)),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _nothing() -> Html:
    return tag("p", "No row was accepted.", class_="quiet")


def _header(facts: ReportFacts, rows: RowFacts) -> Html:
    counts, usage, target = facts["funnel"], facts["usage"], facts["target"]
    support = mean(rows.support.counts)
    wanted = f"of {target:,} wanted" if target is not None else "no target"
    passed, of_what = counts["answered"], "of what was answered"
    if (chosen := facts["selection"]) is not None:
        wanted = wanted if target is not None else f"from {chosen['read']:,} documents read"
        passed, of_what = counts["proposed"], "of the pairs found"
    tiles: list[tuple[str, str, str]] = [
        ("accepted rows", f"{counts['accepted']:,}", wanted),
        ("yield", percent(counts["accepted"], passed), of_what),
        ("grounded in quotes", percent(rows.grounded, rows.rows), "of the rows"),
        ("mean support", "–" if support is None else f"{support:.2f}", "of the weakest statement"),
        ("model calls", a_row(usage["model_calls"], counts["accepted"]), "an accepted row"),
        ("cost", money(usage["cost_usd"]), "whole run"),
    ]
    shown = [tag("div", tag("dt", name), tag("dd", value, tag("small", note))) for name, value, note in tiles]
    differing = rows.rows != counts["accepted"]
    told = f"This report was made of {rows.rows:,} rows; the run counts {counts['accepted']:,} as accepted."
    return tag(
        "header",
        tag("h1", own(facts["name"], 120)),
        tag("p", times(facts), class_="quiet"),
        tag("dl", shown, class_="tiles"),
        tag("p", told) if differing else None,
    )


def times(facts: ReportFacts) -> str:
    """When the run was begun and ended."""
    started, finished = _moment(facts["started"]), _moment(facts["finished"])
    begun = f"Started {_told(started, facts['started'])}" if facts["started"] else "Start not known"
    if not facts["finished"]:
        return f"{begun}; not finished."
    lasted = None
    if started and finished and (started.tzinfo is None) == (finished.tzinfo is None):
        lasted = (finished - started).total_seconds()
    after = f", {duration(lasted)} later" if lasted is not None and lasted >= 0 else ""
    return f"{begun}; finished {_told(finished, facts['finished'])}{after}."


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _told(moment: datetime | None, text: str) -> str:
    if moment is None:
        return cut(text, 40)
    return f"{moment:%Y-%m-%d %H:%M} {moment.tzname() or ''}".strip()


def made_by(facts: ReportFacts) -> Html:
    """The foot of the page."""
    version = facts["versions"].get("searchinstruct-graph", "")
    told = "This page loads nothing and runs nothing; charts have their numbers in tables beneath them."
    return tag("p", joined(f"Made by searchinstruct-graph {cut(version, 40)}".strip(), ". ", told))
