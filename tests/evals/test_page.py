"""The page of an evaluation: whole, escaped, bounded, and in the order that it names."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals import EvalContext, evaluate
from searchinstruct_graph.evals.page import MOST, page, write_page
from tests.support.claims import claims, pairs, write_lines

HOSTILE = "</p></details><script>alert(1)</script><img src=x onerror=alert(2)> \"' & \x1b[31m \u202e desrever \x00"


class Elements(HTMLParser):
    """The elements of a page, and whether they are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in ("meta", "input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


async def made(tmp_path: Path, records: list[dict[str, object]], **settings: object) -> str:
    """The page that an evaluation writes."""
    data = write_lines(tmp_path / "claims.jsonl", records)
    await evaluate("support", EvalContext(data=[data], **settings), tmp_path / "run")  # type: ignore[arg-type]
    return (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


async def test_a_page_has_figures_and_cases_and_asks_nothing_of_anybody(tmp_path: Path) -> None:
    text = await made(tmp_path, claims())
    found = Elements(text)
    assert "script" not in found.names
    assert not {name for name in found.attributes if name.startswith("on")}
    assert not re.findall(r"(?:src|href)=\"(?!#)", text)
    assert "default-src &#x27;none&#x27;" in text
    assert text.count('class="interval"') == 7  # a bar for every measure
    assert "offline (extractive)" in text
    assert "No model" in text
    assert "brier ↓" in text
    assert "The tower of Aldrin was finished in 1886." in text
    assert "people say: not_supported" in text
    assert "All 20 cases." in text
    # Only what a measure calls good or bad has worst cases, and technical columns are shown to nobody.
    assert "squared error" in text
    assert "_label" not in text


async def test_a_strangers_words_stay_words(tmp_path: Path) -> None:
    records: list[dict[str, object]] = [
        {"claim": HOSTILE, "label": "supported", "evidence": [HOSTILE, "برج"], "stance": HOSTILE},
        {"claim": "\u202a" + "ا" * 9, "label": "not_supported", "evidence": ["灯塔建于1936年。"] * 300},
        {"claim": "x" * 5_000, "label": "not_supported", "evidence": ["y" * 5_000]},
    ]
    text = await made(tmp_path, records)
    found = Elements(text)
    assert not found.names & {"script", "img", "iframe", "object", "form"}
    assert not {name for name in found.attributes if name.startswith("on")}
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e]", text)
    assert "(5,000 characters)" in text
    assert " more</p>" in text  # of 300 passages some are counted
    assert len(text) < 200_000


async def test_the_worst_come_first_and_the_rest_is_counted(tmp_path: Path) -> None:
    records: list[dict[str, object]] = [
        {"claim": f"Lamp {n} is white.", "label": "supported", "evidence": [f"Lamp {n} is white."]}
        for n in range(MOST + 40)
    ]
    records.insert(
        MOST, {"claim": "The tower is 52 metres high.", "label": "supported", "evidence": ["Nothing of it."]}
    )
    text = await made(tmp_path, records, limit=0)
    assert f"{MOST:,} of {MOST + 41:,} cases: the worst of every metric." in text
    assert text.count("<details class=") == MOST
    cards = re.findall(r'<details class="[^"]*" style="([^"]*)"><summary><span dir="auto" class="title">([^<]+)', text)
    assert cards[0] == ("--o0:0", "The tower is 52 metres high.")


async def test_a_page_orders_by_each_metric_and_hides_what_it_does_not_score(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    write_lines(folder / "claims.jsonl", claims())
    write_lines(folder / "pairs.jsonl", pairs())
    stances = [{"claim": "The lamp is red.", "evidence": "The lamp is white.", "stance": "refute"}]
    write_lines(folder / "stances.jsonl", stances)
    await evaluate("support", EvalContext(data=[str(folder)]), tmp_path / "run")
    text = page(tmp_path / "run")
    Elements(text)
    orders = re.findall(r'id="order-(\w+)"', text)
    assert orders == ["all", "0", "1"]  # squared error and refuted found
    assert text.count("no1") > 40  # all but one card, and the rule that hides them
    assert "By group (3)" in text
    assert "Each is the mean over 3 groups." in text


async def test_the_page_goes_where_it_is_sent(tmp_path: Path) -> None:
    text = await made(tmp_path, claims())
    write_page(tmp_path / "run", tmp_path / "new" / "page.html")
    assert (tmp_path / "new" / "page.html").read_text(encoding="utf-8") == text
    with pytest.raises(UsageError, match="not a regular file"):
        write_page(tmp_path / "run", tmp_path / "new")
    with pytest.raises(UsageError, match="is no evaluation"):
        write_page(tmp_path / "nowhere", tmp_path / "page.html")
