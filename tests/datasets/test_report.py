"""The report: one file that asks for nothing, escapes everything, and tells the run as it was."""

from __future__ import annotations

import re
from collections import Counter
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from searchinstruct_graph.datasets.report import ReportFacts, text_summary, write_report
from searchinstruct_graph.datasets.rows import Funnel, Rejection, Row, no_spending
from searchinstruct_graph.errors import UsageError
from tests.datasets.test_ledger import acceptance, instruction, origin, outcome


class Page(HTMLParser):
    """Tags, addresses and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.addresses += [value or "" for name, value in attributes if name in ("href", "src", "action")]
        self.handlers += [name for name, _ in attributes if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def rows(count: int, **changed: Any) -> list[Row]:
    decider = acceptance(target=10_000)
    made = []
    for n in range(count):
        told = instruction(n, ("remember", "apply")[n % 2])
        decision = decider.decide(told, outcome(f"Fact {n} about the bridge of planks.", f"/docs/{n}.md"))
        assert decision["row"] is not None
        made.append(Row(**{**decision["row"], **changed}))  # type: ignore[typeddict-item]
    return made


def rejection(**changed: Any) -> Rejection:
    made = Rejection(
        id="x",
        instruction="Why?",
        stage="answer",
        reason="unsupported",
        detail="the quotes do not say so",
        quarantined=False,
        answer="Because.",
        statements=[],
        sources=[],
        scores={"support": 0.2, "agreement": None},
        origin=origin(),
        usage=no_spending(),
    )
    return Rejection(**{**made, **changed})  # type: ignore[typeddict-item]


def facts(accepted: int, **changed: Any) -> ReportFacts:
    funnel = Funnel(
        proposed=accepted + 7,
        refused=4,
        admitted=accepted + 3,
        answered=accepted + 3,
        accepted=accepted,
        rejected=3,
        quarantined=1,
        surplus=0,
        reasons={"duplicate": 4, "unsupported": 3},
    )
    made = ReportFacts(
        name="valley",
        funnel=funnel,
        target=accepted,
        settings={"corpus": "docs/"},
        models={"writer": "m"},
        versions={"searchinstruct-graph": "0"},
        usage={**no_spending(), "cost_usd": None, "seconds": 12.0, "roles": {}},
        started="2026-01-01T00:00:00+00:00",
        finished="",
        contamination=None,
        corpus_documents={"/docs/0.md": 100, "/docs/unused.md": 100},
        limits={"max_share": 0.05, "max_cost_usd": None, "max_seconds": None},
        selection=None,
    )
    return ReportFacts(**{**made, **changed})  # type: ignore[typeddict-item]


def written(folder: Path, kept: list[Row], refused: list[Rejection], told: ReportFacts) -> str:
    out = folder / "report.html"
    write_report(str(out), lambda: kept, lambda: refused, told)
    return out.read_text(encoding="utf-8")


def test_the_run_is_told_as_it_was(tmp_path: Path) -> None:
    text = written(tmp_path, rows(40), [rejection()], facts(40))
    page = Page(text)
    words = " ".join(" ".join(page.words).split())
    assert "47" in words
    assert "duplicate" in words
    assert sum(f"Fact {n} about the bridge of planks." in words for n in range(40)) >= 10
    assert "the quotes do not say so" in words
    assert "unknown" in words  # the cost, which nobody told
    assert page.tags["svg"] > 3
    assert page.tags["mark"] >= 10
    assert text == written(tmp_path, rows(40), [rejection()], facts(40))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_hardly_any_rows_are_a_report_too(tmp_path: Path, count: int) -> None:
    assert "valley" in written(tmp_path, rows(count), [], facts(count))


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "‮gnp.exe",
    "پل چوبی کجاست؟",
    "x" * 10_000,
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_what_strangers_wrote_is_text(tmp_path: Path, hostile: str) -> None:
    kept = rows(3, instruction=hostile, answer=hostile)
    for row in kept:
        row["statements"][0]["text"] = hostile
        row["sources"][0] |= {"title": hostile, "uri": hostile}
        row["sources"][0]["quotes"][0]["text"] = hostile
        row["origin"]["keywords"] = [hostile]
    refused = [rejection(instruction=hostile, detail=hostile, answer=hostile, reason="pii", quarantined=True)]
    told = facts(3, name=hostile, settings={hostile: hostile}, models={"writer": hostile})
    text = written(tmp_path, kept, refused, told)
    page = Page(text)
    assert page.tags["script"] == page.tags["img"] == 0
    assert page.handlers == []
    assert [each for each in page.addresses if not re.match(r"#|https?://", each)] == []
    assert "default-src 'none'" in unescape(text)
    assert len(text) < 2_000_000


def test_a_report_needs_a_place(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(UsageError, match="not a regular file"):
        written(tmp_path, [], [], facts(0))


def test_the_funnel_in_lines_is_told_without_shame() -> None:
    lines = text_summary(facts(40)["funnel"], 100, facts(40)["usage"]).splitlines()
    assert any("of 100 wanted" in line for line in lines)
    assert any("4 duplicate" in line for line in lines)
    assert any("cost unknown" in line for line in lines)
    assert all(len(line) < 100 for line in lines)
