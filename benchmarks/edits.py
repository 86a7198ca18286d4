"""How good are edit sets? Facts whose object differs from one period to the next, out of pages that people have marked.

    python -m benchmarks.edits --data FOLDER [--facts 50] [--seed 0] [--show 30] [--out benchmarks/results]

FOLDER holds `timeqa`. Of a page with questions about at least two periods, the later one's answer is the new object, the
earlier one's the old, and the questions about all other periods must keep their answers. Also edits the shipped facts about
Python against `pydoc:`. Everything with the extractive model. Prints what was accepted and why not, whether the quotes behind
a row touch the marked span, how much of an answer changed, and which locality probes hold the marked answer.

Then every fact is told wrongly in three ways: its new object is the answer of another period, another name of the same kind that
its page holds, or an answer from another page. None of these should be accepted; how many are is printed as well.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import re
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ["SEARCHINSTRUCT_MODEL"] = "offline"
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

from benchmarks.datasets import lines
from searchinstruct_graph.agents.edit_context import EditContext
from searchinstruct_graph.datasets.database import reading
from searchinstruct_graph.datasets.ledger import NAME, read_probes, read_rejections, read_rows
from searchinstruct_graph.graphs.editing import edit
from searchinstruct_graph.models.offline.names import names
from searchinstruct_graph.text.editing import surname
from searchinstruct_graph.text.words import normal_form, words

EXAMPLE = Path(__file__).parent.parent / "examples" / "facts" / "python_changes.jsonl"

_PERIOD = re.compile(
    r"\b(?:from|in|between|since|after)\s+((?:[A-Z][a-z]{2,8}\.?\s+)?\d{4})(?:\s+(?:to|and|until)\s+((?:[A-Z][a-z]{2,8}\.?\s+)?\d{4}))?",
    re.I,
)
_LABELS = {
    "P6": "head of government", "P26": "spouse", "P36": "capital", "P39": "position held", "P54": "team", "P69": "school",
    "P98": "editor", "P102": "party", "P108": "employer", "P115": "home venue", "P118": "league", "P123": "publisher",
    "P127": "owner", "P137": "operator", "P159": "headquarters", "P169": "chief executive", "P175": "performer",
    "P241": "military branch", "P264": "record label", "P286": "head coach", "P371": "presenter", "P410": "rank",
    "P449": "broadcaster", "P466": "occupant", "P488": "chair", "P551": "residence", "P749": "parent organization",
    "P1037": "director", "P4791": "commander", "P6087": "coach of",
}  # fmt: skip


def facts_of(
    data: Path, wanted: int, seed: int
) -> tuple[list[dict[str, Any]], dict[str, list[tuple[str, tuple[int, int]]]]]:
    """Facts out of marked pages, and of each (by its question) the marked answers with their spans in the page's text."""
    pages = [page for page in lines(data / "timeqa" / "pages.jsonl.gz") if page["relation"] in _LABELS]
    random.Random(seed).shuffle(pages)
    facts, marked = [], {}
    for page in pages:
        starts, at = [], 0
        for paragraph in page["paragraphs"]:
            starts.append(at)
            at += len(paragraph) + 2
        asked = [each for each in page["questions"] if each["answers"] and _PERIOD.search(each["question"])]
        for each in asked:
            marked[each["question"]] = [
                (a["text"], (starts[a["paragraph"]] + a["start"], starts[a["paragraph"]] + a["end"]))
                for a in each["answers"]
            ]
        pairs = [
            (old, new)
            for old, new in itertools.pairwise(asked)
            if normal_form(old["answers"][0]["text"]) != normal_form(new["answers"][0]["text"])
        ]
        if not pairs:
            continue
        old, new = pairs[-1]
        period = _PERIOD.search(new["question"])
        facts.append(
            {
                "subject": page["title"].rsplit("/", 1)[-1].replace("_", " "),
                "relation": _LABELS[page["relation"]],
                "old": old["answers"][0]["text"],
                "new": new["answers"][0]["text"],
                "as_of": period[1] if period else "",
                "question": new["question"],
                "unchanged": [
                    {"question": each["question"], "answer": each["answers"][0]["text"]}
                    for each in asked
                    if each is not new
                ],
            }
        )
        if len(facts) == wanted:
            break
    return facts, marked


def told_wrongly(facts: list[dict[str, Any]], data: Path, seed: int) -> dict[str, list[dict[str, Any]]]:
    """The facts with another new object: of another period, of the same page and kind, of another page with the same relation.

    A fact of whose page no such object is known is left out.
    """
    draw = random.Random(seed)
    pages = {
        page["title"].rsplit("/", 1)[-1].replace("_", " "): page for page in lines(data / "timeqa" / "pages.jsonl.gz")
    }
    marked = {title: [a["text"] for q in page["questions"] for a in q["answers"]] for title, page in pages.items()}
    found: dict[str, list[dict[str, Any]]] = {"another period": [], "another name of the page": [], "another page": []}
    for fact in facts:
        page = pages[fact["subject"]]
        text = "\n\n".join(page["paragraphs"])
        own = {normal_form(each) for each in [*marked[fact["subject"]], fact["old"], fact["new"], fact["subject"]]}
        told = normal_form(" ".join(own))
        before = {each["question"]: each["answer"] for each in fact["unchanged"]}
        periods = [each for each in before.values() if not _same(each, fact["new"]) and not _same(each, fact["old"])]
        same = [
            name
            for name in dict.fromkeys(names(text))
            if _kind_of(name) == _kind_of(fact["new"]) and not set(words(name)) & set(words(told))
        ]
        others = [
            each
            for title, answers in marked.items()
            if pages[title]["relation"] == page["relation"]
            for each in answers
            if normal_form(each) not in normal_form(text) and not set(words(each)) & set(words(told))
        ]
        for kind, choices in zip(
            found, (periods or [fact["old"]] * bool(fact["unchanged"]), same, others), strict=True
        ):
            if choices:
                new = draw.choice(choices)
                old = fact["new"] if _same(new, fact["old"]) else fact["old"]
                found[kind].append({**fact, "old": old, "new": new, "unchanged": []})
    return found


def _kind_of(name: str) -> str:
    """`person`, `name` of several words, `word`, `date`, or `other` (brackets, a list)."""
    if re.search(r"\d", name) or set(words(name)) & _MONTHS:
        return "date"
    if re.search(r"[^\w\s.'’-]", name) or " and " in name:
        return "other"
    return "person" if surname(name) else "name" if " " in name else "word"


_MONTHS = frozenset("january february march april may june july august september october november december".split())


async def run(name: str, facts: Path, corpus: str, folder: Path) -> dict[str, Any]:
    """The edit run, and its rows, probes and refusals."""
    began = time.monotonic()
    outcome = await edit([str(facts)], folder, EditContext(corpus=[corpus], model="offline"))
    with reading(folder / NAME) as db:
        rows, probes, refused = list(read_rows(db)), list(read_probes(folder)), list(read_rejections(db))
    return {
        "name": name, "outcome": outcome, "rows": rows, "probes": probes, "refused": refused,
        "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip


def told(found: dict[str, Any], facts: int) -> dict[str, Any]:
    """The figures of a run."""
    rows, probes = found["rows"], found["probes"]
    changes = [row["origin"]["edit"]["change"] for row in rows]
    return {
        "facts": facts,
        "accepted facts": len({row["origin"]["edit"]["fact"] for row in rows}),
        "rows": len(rows),
        "preference pairs": sum(bool(row["rejected"]) for row in rows),
        "probes": dict(Counter(probe["kind"] for probe in probes)),
        "refused": dict(Counter(each["reason"] for each in found["refused"])),
        "mean change": round(sum(changes) / len(changes), 3) if changes else None,
        "largest change": max(changes, default=None),
        "quotes verbatim": all(
            q["text"] and q["end"] > q["start"] for row in rows for s in row["sources"] for q in s["quotes"]
        ),
        "probes among rows": len(
            {normal_form(p["question"]) for p in probes} & {normal_form(r["instruction"]) for r in rows}
        ),
        "seconds": found["seconds"],
    }


def spans_found(found: dict[str, Any], facts: list[dict[str, Any]], marked: dict[str, Any]) -> dict[str, Any]:
    """Whether the quotes behind an accepted fact touch the marked span; and what became of the other periods."""
    by_new = {(fact["subject"], fact["new"]): fact for fact in facts}
    touched: dict[str, bool] = {}
    for row in found["rows"]:
        edited = row["origin"]["edit"]
        fact = by_new.get((edited["subject"], edited["new"]))
        if fact is None:
            continue
        spans = [span for _, span in marked[fact["question"]]]
        hit = any(
            q["start"] < end and start < q["end"] for s in row["sources"] for q in s["quotes"] for start, end in spans
        )
        touched[edited["fact"]] = touched.get(edited["fact"], False) or hit
    local = [p for p in found["probes"] if p["kind"] == "locality" and p["question"] in marked]
    right = [p for p in local if any(_same(p["answer"], text) for text, _ in marked[p["question"]])]
    quoted = [
        p
        for p in local
        if any(
            q["start"] < end and start < q["end"]
            for s in p["sources"]
            for q in s["quotes"]
            for _, (start, end) in marked[p["question"]]
        )
    ]
    return {
        "facts whose quote touches the marked span": f"{sum(touched.values())} of {len(touched)}",
        "other periods among locality probes": len(local),
        "of them with the marked answer": len(right),
        "of them whose quote touches the marked span": len(quoted),
    }


def _same(one: str, other: str) -> bool:
    return words(normal_form(one)) == words(normal_form(other))


def show(found: dict[str, Any], count: int, seed: int) -> None:
    """Rows and probes to look at."""
    draw = random.Random(seed)
    for row in draw.sample(found["rows"], min(count, len(found["rows"]))):
        stale = row["rejected"][0]["answer"] if row["rejected"] else "-"
        print(f"\n? {row['instruction']}\n  - {stale}\n  + {row['answer']}  ({row['origin']['edit']['change']:.2f})")
    for probe in draw.sample(found["probes"], min(count, len(found["probes"]))):
        print(f"\n{probe['kind']}: {probe['question']}\n  = {probe['answer']}   (not: {probe['stale']})")


def main() -> None:
    """Run both sets and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--facts", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    figures: dict[str, Any] = {}
    with TemporaryDirectory() as place:
        folder = Path(place)
        facts, marked = facts_of(given.data, given.facts, given.seed)
        (folder / "facts.jsonl").write_text(
            "".join(json.dumps(f, ensure_ascii=False) + "\n" for f in facts), encoding="utf-8"
        )
        pages = [
            {
                "id": page["id"],
                "title": page["title"].rsplit("/", 1)[-1].replace("_", " "),
                "text": "\n\n".join(page["paragraphs"]),
            }
            for page in lines(given.data / "timeqa" / "pages.jsonl.gz")
        ]
        (folder / "pages.jsonl").write_text(
            "".join(json.dumps(p, ensure_ascii=False) + "\n" for p in pages), encoding="utf-8"
        )
        periods = asyncio.run(run("periods", folder / "facts.jsonl", str(folder / "pages.jsonl"), folder / "periods"))
        figures["periods"] = {**told(periods, len(facts)), **spans_found(periods, facts, marked)}
        for kind, wrong in told_wrongly(facts, given.data, given.seed).items():
            file = folder / f"{kind}.jsonl"
            file.write_text("".join(json.dumps(f, ensure_ascii=False) + "\n" for f in wrong), encoding="utf-8")
            found = asyncio.run(run(kind, file, str(folder / "pages.jsonl"), folder / kind))
            taken = {row["origin"]["edit"]["fact"]: row for row in found["rows"]}
            figures[f"told wrongly: {kind}"] = {
                "facts": len(wrong),
                "accepted": len(taken),
                "refused": dict(Counter(each["reason"] for each in found["refused"])),
            }
            for row in list(taken.values())[: given.show]:
                quotes = [q["text"] for s in row["sources"] for q in s["quotes"]]
                print(f"\n! {kind}: {row['instruction']}\n  + {row['answer']}\n    {quotes}")
        python = asyncio.run(run("python", EXAMPLE, "pydoc:", folder / "python"))
        figures["python"] = told(python, sum(1 for _ in EXAMPLE.open(encoding="utf-8")))
        for found in (periods, python):
            show(found, given.show, given.seed)
    print(json.dumps(figures, indent=2, ensure_ascii=False))
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "edits.json").write_text(json.dumps(figures, indent=2, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
