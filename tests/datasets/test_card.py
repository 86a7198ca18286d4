"""The card is read by the Hub's own reader, tells what was counted, and shows strangers' words as words."""

from __future__ import annotations

import json
import re
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import DatasetCard
from markdown_it import MarkdownIt

from searchinstruct_graph.datasets.card import (
    CardFacts,
    SplitFile,
    dataset_card,
    gather,
    site_of,
    size_category,
)
from searchinstruct_graph.datasets.export import export, export_splits
from searchinstruct_graph.datasets.formats import FORMATS, Shape
from searchinstruct_graph.datasets.rows import Funnel, Row
from tests.datasets.test_export import make_row, rejected


def facts(rows: list[Row], **changes: Any) -> CardFacts:
    told = CardFacts(
        title="Lighthouses",
        task="Questions about lighthouses.",
        command="searchinstruct build --seeds seeds.txt --run runs/lights",
        format="messages",
        shape=Shape(),
        files=[],
        settings={"model": "offline", "seed": 7},
        counts=gather(rows),
        funnel=None,
        near_duplicates="",
        contamination=[],
        reviewed=0,
        created_by="searchinstruct-graph 0.1.0",
        selection=None,
    )
    told.update(changes)  # type: ignore[typeddict-item]  # facts, by name
    return told


def front_matter(card: str) -> dict[str, Any]:
    """As the Hub reads it, and as YAML does: both must agree."""
    read: dict[str, Any] = DatasetCard(card).data.to_dict()  # type: ignore[no-untyped-call]
    plain = yaml.safe_load(card.split("---\n")[1])
    assert read == plain
    return read


def section(card: str, title: str) -> str:
    return card.split(f"\n## {title}\n")[1].split("\n## ")[0]


def with_uri(number: int, uri: str, **changes: Any) -> Row:
    row = make_row(number, **changes)
    row["sources"][0]["uri"] = uri
    return row


# What is counted


def test_one_pass_counts() -> None:
    rows = [
        rejected(1, bloom="apply"),
        make_row(2, license=None, language="fa"),
        make_row(3, grounded=False, models={"writer": "openai:x"}),
    ]
    rows[1]["critic"]["support"] = 0.5
    rows[1]["usage"] = {**rows[1]["usage"], "model_calls": 3, "cost_usd": 0.25}
    counts = gather(iter(rows))
    assert counts["rows"] == 3
    assert counts["bloom"] == {"none": 2, "apply": 1}
    assert counts["languages"] == {"en": 2, "fa": 1}
    assert counts["grounding"] == {"quotes": 2, "none": 1}
    assert counts["models"] == {"critic": {"offline": 2}, "writer": {"offline": 2, "openai:x": 1}}
    assert counts["versions"] == {"searchinstruct-graph": {"0.1.0": 3}, "writer": {"3": 3}}
    assert (counts["citations"], counts["licenses"]) == (2, {"cc-by-4.0": 1, "unknown": 1})
    assert counts["sources"] == [{"name": "lights.example", "citations": 2, "licenses": ["cc-by-4.0", "unknown"]}]
    assert counts["other_sources"] == 0
    assert counts["support"] == {"rows": 2, "mean": pytest.approx(0.735), "low": 0.5, "median": 0.5}
    assert counts["agreement"] == {"rows": 2, "mean": pytest.approx(0.8), "low": 0.8, "median": 0.8}
    assert counts["rejected"] == 1
    assert (counts["usage"]["model_calls"], counts["usage"]["cost_usd"]) == (3, 0.25)


def test_one_row_of_unknown_cost_makes_the_sum_unknown() -> None:
    rows = [make_row(number) for number in range(3)]
    rows[1]["usage"] = {**rows[1]["usage"], "cost_usd": None}
    assert gather(rows)["usage"]["cost_usd"] is None
    assert "for an unknown sum." in dataset_card(facts(rows))


def test_no_rows_at_all() -> None:
    counts = gather([])
    assert (counts["rows"], counts["support"], counts["retrieved"]) == (0, None, ("", ""))
    assert front_matter(dataset_card(facts([])))["size_categories"] == ["n<1K"]


@pytest.mark.parametrize(
    ("uri", "site"),
    [
        ("https://user:secret@Lights.Example:8443/a?key=1#x", "lights.example"),
        ("http://[::1", "http://[::1"),
        ("pydoc:for", "pydoc"),
        ("notes/lights.jsonl#17", "notes/lights.jsonl"),
        ("/home/alice/private/log book.pdf", "log book.pdf"),
        ("file:///home/alice/log.md#3", "log.md"),
        ("C:\\logs\\rock.md", "C:\\logs\\rock.md"),
        ("", "unnamed"),
    ],
)
def test_what_a_page_belongs_to(uri: str, site: str) -> None:
    assert site_of(uri) == site


def test_memory_is_bounded_and_the_frequent_are_found() -> None:
    def rows() -> Iterator[Row]:
        for number in range(30_000):
            yield with_uri(number, "https://often.example/" if number % 3 == 0 else f"https://host-{number}.example/")

    gather([make_row(1)])
    tracemalloc.start()
    counts = gather(rows())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40_000_000
    assert counts["sources"][0] == {"name": "often.example", "citations": 10_000, "licenses": ["cc-by-4.0"]}
    assert len(counts["sources"]) == 20
    assert counts["other_sources"] == pytest.approx(20_001 - 20, rel=0.01)
    assert counts["citations"] == 30_000
    assert counts["usage"]["cost_usd"] == 0


# The front matter


@pytest.mark.parametrize(
    ("rows", "bucket"),
    [
        (0, "n<1K"),
        (999, "n<1K"),
        (1_000, "1K<n<10K"),
        (99_999, "10K<n<100K"),
        (1_000_000, "1M<n<10M"),
        (999_999_999_999, "100B<n<1T"),
        (10**12, "n>1T"),
    ],
)
def test_buckets(rows: int, bucket: str) -> None:
    assert size_category(rows) == bucket


def test_front_matter() -> None:
    files = [
        SplitFile(split="train", path="lights.train.jsonl", rows=2_000),
        SplitFile(split="test", path="t.jsonl", rows=5),
    ]
    told = front_matter(
        dataset_card(facts([make_row(1), make_row(2, language="fa"), make_row(3, language="und")], files=files))
    )
    assert told["pretty_name"] == "Lighthouses"
    assert told["language"] == ["en", "fa"]
    assert told["license"] == "cc-by-4.0"
    assert told["size_categories"] == ["1K<n<10K"]
    assert told["task_categories"] == ["text-generation", "question-answering"]
    assert {"synthetic", "grounded", "searchinstruct"} <= set(told["tags"])
    assert told["configs"][0]["data_files"] == [
        {"split": "train", "path": "lights.train.jsonl"},
        {"split": "test", "path": "t.jsonl"},
    ]


@pytest.mark.parametrize(
    ("licenses", "fields"),
    [
        (["MIT", "mit"], {"license": "mit"}),
        (["https://creativecommons.org/licenses/by-sa/4.0/"], {"license": "cc-by-sa-4.0"}),
        ([None], {"license": "unknown"}),
        ([], {"license": "unknown"}),
        (["Ours: ask"], {"license": "other", "license_name": "stated-by-the-sources", "license_details": "ours: ask"}),
        (["MIT", None], {"license": "other", "license_name": "several-licenses", "license_details": "mit, unknown"}),
    ],
)
def test_licence(licenses: list[str | None], fields: dict[str, str]) -> None:
    rows = [make_row(number, license=license) for number, license in enumerate(licenses)] or [
        make_row(1, grounded=False)
    ]
    told = front_matter(dataset_card(facts(rows)))
    assert {name: value for name, value in told.items() if name.startswith("license")} == fields


# What a person reads


def test_the_sections_in_order() -> None:
    card = dataset_card(facts([make_row(1)]))
    assert re.findall(r"^#+ .*", card, re.MULTILINE) == [
        "# Lighthouses",
        "## How it was made",
        "## Counts",
        "## Sources",
        "## Quality",
        "## Known limits",
        "## How to load it",
        "## How to make it again",
        "## Citation",
    ]
    assert "searchinstruct build --seeds seeds.txt --run runs/lights" in section(card, "How to make it again")
    assert "| writer | offline | 1 |" in section(card, "How it was made")
    assert "| writer | 3 |" in section(card, "How it was made")


def test_the_funnel_and_the_checks() -> None:
    funnel = Funnel(
        proposed=1_500,
        refused=400,
        admitted=1_100,
        answered=1_000,
        accepted=900,
        rejected=100,
        quarantined=3,
        surplus=0,
        reasons={"near_duplicate": 390, "contaminated": 10, "unsupported": 100},
    )
    told = facts(
        [make_row(1)],
        funnel=funnel,
        near_duplicates="cosine of embeddings at least 0.92",
        contamination=[{"against": "held_out.jsonl", "items": 2_000, "found": 10}],
        reviewed=1,
    )
    card = dataset_card(told)
    assert "| proposed | 1,500 |" in section(card, "Counts")
    assert "| near\\_duplicate | 390 |" in section(card, "Counts")
    quality = section(card, "Quality")
    assert "cosine of embeddings at least 0.92. 390 were refused." in quality
    assert "compared with 2,000 items of `held_out.jsonl`; 10 instructions refused" in quality
    assert "| support | 1 | 0.970 | 0.970 | 0.970 |" in quality
    limits = section(card, "Known limits")
    assert "Checked by a person: 1 row (100.0 %)" in limits
    assert "benchmark" not in limits
    assert "Near-duplicates" not in limits


def test_the_limits_are_said_out_loud() -> None:
    limits = section(
        dataset_card(facts([make_row(1, license=None), make_row(2, grounded=False, language="und")])), "Known limits"
    )
    assert [line.split(".")[0][:60] for line in limits.strip().splitlines()] == [
        "* No row was checked by a person",
        "* The offline extractive model worked as critic, writer",
        "* Without a page behind them: 1 row (50",
        "* A quote shows that a page says so, not that it is true; su",
        "* Without independent samples, and so without a known agreem",
        "* It was compared with no benchmark: it may hold test items ",
        "* Near-duplicates were not looked for",
        "* Pages that state no licence: 1 citation (100",
        "* Language not determined: 1 row (50",
        "* What changed after 2025-03-01 is not in it",
    ]
    better = section(dataset_card(facts([make_row(1, models={"writer": "openai:gpt"})])), "Known limits")
    assert "offline" not in better
    assert "licence" not in better


def test_the_most_cited_sources_and_the_rest() -> None:
    rows = [with_uri(number, f"https://host-{number % 25:02}.example/{number}") for number in range(60)]
    told = section(dataset_card(facts(rows)), "Sources")
    assert "| `host-00.example` | 3 | 5.0 % | cc-by-4.0 |" in told
    assert "| 5 others | 10 | 16.7 % |  |" in told
    assert "| cc-by-4.0 | 60 | 100.0 % |" in told
    assert "rests on a page" in section(dataset_card(facts([make_row(1, grounded=False)])), "Sources")


HOSTILE = [
    "---\nlicense: mit\n---",
    "a\n---\nb: c",
    "![x](https://tracker.example/p.png)",
    "[free](javascript:alert(1))",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "see https://phish.example and www.phish.example or me@phish.example",
    "` | ``` | `` out",
    "``` \n# Owned",
    "cell | another \\| cell",
    "# Heading",
    "- item",
    "1. item",
    "\u202egnp.exe\u202c \x1b[31m\x00",
    "!!python/object/apply:os.system ['true']",
    "*&anchor: {{ jinja }} ${HOME} $$x$$",
    "\ud83d half",
]


@pytest.mark.parametrize("words", HOSTILE)
def test_words_of_strangers_stay_words(words: str) -> None:
    row = make_row(1, license=words, models={words: words}, versions={words: words})
    row["sources"][0]["uri"] = words
    spot = facts(
        [row, with_uri(2, f"https://host.example/{words}")],
        title=words,
        task=words,
        command=f"searchinstruct build --task '{words}'",
        settings={"task": words},
        near_duplicates=words,
        contamination=[{"against": words, "items": 1, "found": 0}],
    )
    card = dataset_card(spot)
    card.encode()
    told = front_matter(card)
    assert told["license"] == "other"
    body = card.split("\n---\n", 1)[1]
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    found = Counter(token.type for token in tokens)
    assert (found["heading_open"], found["html_block"], found["fence"], found["code_block"]) == (9, 0, 4, 0)
    assert found["bullet_list_open"] == 3
    assert not found["ordered_list_open"] + found["blockquote_open"] + found["hr"]
    inline = [child for token in tokens for child in token.children or []]
    assert not {child.type for child in inline} & {"link_open", "image", "html_inline", "strikethrough_open"}
    # What the Hub would make a link or a formula of, though CommonMark does not.
    told_raw = re.sub(
        r"(`+)(?!`).*?(?<!`)\1(?!`)", "", "\n".join(token.content for token in tokens if token.type == "inline")
    )
    assert not re.search(r"https?:|www\.|\w@\w|(?<!\\)\$", told_raw)
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", body)
    # Every row of a table has as many cells as its head.
    for table in re.findall(r"(?:^\|.*\n)+", body, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line.replace("\\\\", ""))) for line in table.splitlines()}) == 1


def test_other_scripts_are_left_alone() -> None:
    title = "پرسش‌هایی دربارهٔ فانوس‌های دریایی 灯塔"
    card = dataset_card(facts([make_row(1, language="fa")], title=title))
    assert f"# {title}\n" in card
    assert front_matter(card)["pretty_name"] == title
    assert f"title = {{{title}}}" in card


# Where it is used


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "rows"])
def test_a_folder_with_its_card_loads(name: str, tmp_path: Path) -> None:
    import datasets

    datasets.disable_progress_bars()
    folder = tmp_path / "hub"
    suffix = "parquet" if name == "parquet" else "jsonl"
    # Every answer is a date, and would be read as one if the card did not declare the columns.
    rows = [rejected(number, family=f"f{number % 9}", answer=f"1881-01-{number % 28 + 1:02}") for number in range(90)]
    manifests = export_splits(rows, name, str(folder / f"lights.{suffix}"), {"train": 0.7, "test": 0.3})
    files = [SplitFile(split=side, path=one["file"], rows=one["rows"]) for side, one in manifests.items()]
    (folder / "README.md").write_text(dataset_card(facts(rows, format=name, files=files)), encoding="utf-8")
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert {side: len(loaded[side]) for side in loaded} == {file["split"]: file["rows"] for file in files}
    assert "datetime" not in repr(loaded["train"].to_list())
    assert "1881-01-02" in json.dumps(loaded["train"].to_list())


def test_whole_rows_load_with_their_card(tmp_path: Path) -> None:
    import datasets

    rows = [make_row(number) for number in range(5)]
    manifest = export(rows, "rows", str(tmp_path / "hub" / "rows.jsonl.gz"))
    files = [SplitFile(split="train", path=manifest["file"], rows=5)]
    (tmp_path / "hub" / "README.md").write_text(dataset_card(facts(rows, format="rows", files=files)))
    assert len(datasets.load_dataset(str(tmp_path / "hub"), cache_dir=str(tmp_path / "cache"))["train"]) == 5
