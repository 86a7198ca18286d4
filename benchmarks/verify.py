"""Does `searchinstruct verify` find corrupted rows? A set made from CPython's own reference, corrupted by seed.

    python -m benchmarks.verify [--rows 200] [--corrupt 50] [--seed 0] [--data FOLDER] [--out benchmarks/results]

Answers are sentences of `pydoc:`, some lightly reworded; in a quarter of the rows one sentence is corrupted: a number
changed, a name swapped, a negation put in or taken out, a citation moved to another page. Each set is checked twice: as
rows with statements and quotes, and as bare Alpaca records. FOLDER (with `support`) adds the statement scorer alone on
claims that people have judged. Prints AUROC by kind, how many untouched rows pass, and rows a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ["SEARCHINSTRUCT_MODEL"] = "offline"

from benchmarks.datasets import lines
from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.agents.rating import rate
from searchinstruct_graph.datasets.checks import RowCheck
from searchinstruct_graph.datasets.records import read_records
from searchinstruct_graph.graphs.verify import Tally, verify_rows
from searchinstruct_graph.text import compare
from searchinstruct_graph.text.sentences import sentences
from searchinstruct_graph.tools.corpus import PYDOC, Corpus, Passage
from searchinstruct_graph.tools.reading.document import Document

AUROC_TARGET, PASS_TARGET = 0.90, 0.95

REWORDED = 0.4
"""Share of the sentences that are reworded, corrupted or not."""

_SYNONYMS = {
    "returns": "gives back", "returned": "given back", "used": "employed", "called": "invoked", "must": "has to",
    "may": "might", "however": "though", "therefore": "so", "often": "frequently", "created": "made", "allows": "lets one",
    "value": "content", "specified": "given", "defined": "set out", "contains": "holds", "whether": "if", "usually":
    "normally", "occurs": "happens", "raised": "thrown", "same": "identical", "following": "next", "evaluated": "worked out",
    "whose": "of which the", "using": "by means of", "because": "since", "also": "too", "several": "a number of", "similar":
    "alike", "executed": "run",
}  # fmt: skip
_AUXILIARY = re.compile(
    r"\b(is|are|was|were|can|will|must|may|should|has been|have been|does|do)\b(?! (?:not|no)\b|n't)"
)
_NOT = re.compile(r"\b(?:does not|do not|is not|are not|cannot|can not|will not|must not|may not|should not)\b")
_AFFIRMED = {"does not": "does", "do not": "do", "cannot": "can", "can not": "can"}
_NAME = re.compile(r"[\"`](\w[\w.]*(?:\(\))?)[\"`]|\b(\w*_\w+|[A-Z]\w*[a-z][A-Z]\w*|(?<=[a-z] )[A-Z][a-z]{3,})\b")
_DIGITS = re.compile(r"(?<![\w.])\d+(?![\w.]*\w)")
_SPELLED = "two three four five six seven eight nine ten".split()


@dataclass(frozen=True)
class Said:
    """A sentence of a page."""

    page: Document
    start: int
    end: int

    @property
    def text(self) -> str:
        """The sentence as the page has it."""
        return self.page.text[self.start : self.end]

    @property
    def line(self) -> str:
        """On one line."""
        return " ".join(self.text.split())


def prose(page: Document) -> list[Said]:
    """The sentences of running text: no code, no tables, no headings."""
    found = []
    for span in sentences(page.text):
        said = Said(page, span.start, span.end)
        plain = re.match(r"[A-Z][^\n]*", said.text) and said.line.endswith(".") and "::" not in said.line
        if plain and 8 <= len(said.line.split()) <= 45 and not re.search(r"\n\s*\n|>>>|[*=~^-]{3}|\n {3,}", said.text):
            found.append(said)
    return found


def reworded(text: str, draw: random.Random) -> str:
    """The sentence in slightly other words: up to three synonyms, a clause moved to the end, or both."""
    if (
        clause := re.fullmatch(r"(If|When|Because|While) ([^,]{10,80}), (?:then )?(\w)(.{10,})\.", text)
    ) and draw.random() < 0.7:
        text = f"{clause[3].upper()}{clause[4]} {clause[1].lower()} {clause[2]}."
    found = [word for word in _SYNONYMS if re.search(rf"\b{word}\b", text)]
    for word in draw.sample(found, min(3, len(found))):
        text = re.sub(rf"\b{word}\b", _SYNONYMS[word], text, count=1)
    return text


def other_number(text: str, draw: random.Random, names: Sequence[str]) -> str | None:
    """One number changed."""
    places = [*_DIGITS.finditer(text), *re.finditer(rf"\b(?:{'|'.join(_SPELLED)})\b", text)]
    if not places:
        return None
    place = draw.choice(places)
    if place.group().isdigit():
        value = int(place.group())
        new = str(draw.choice([value + 1, value + 2, value * 2 + 1, max(0, value - 1) if value else 3]))
    else:
        new = draw.choice([word for word in _SPELLED if word != place.group()])
    return text[: place.start()] + new + text[place.end() :]


def other_name(text: str, draw: random.Random, names: Sequence[str]) -> str | None:
    """One name (an identifier, a quoted word, a capitalised one) replaced by another one of the pages."""
    places = [place for place in _NAME.finditer(text) if place.start() > 0]
    if not places:
        return None
    place = draw.choice(places)
    group = 1 if place[1] else 2
    old = place[group]
    alike = [
        each
        for each in names
        if each not in text and (each[0].isupper(), "_" in each) == (old[0].isupper(), "_" in old)
    ]
    if not alike:
        return None
    start, end = place.span(group)
    return text[:start] + draw.choice(alike) + text[end:]


def other_polarity(text: str, draw: random.Random, names: Sequence[str]) -> str | None:
    """A negation taken out, or put in."""
    if denied := _NOT.search(text):
        affirmed = _AFFIRMED.get(denied.group(), denied.group().removesuffix(" not"))
        return text[: denied.start()] + affirmed + text[denied.end() :]
    if found := _AUXILIARY.search(text):
        return text[: found.end()] + " not" + text[found.end() :]
    return None


CORRUPTIONS: dict[str, Callable[[str, random.Random, Sequence[str]], str | None]] = {
    "number": other_number,
    "name": other_name,
    "negation": other_polarity,
}
MOVED = "citation"


@dataclass
class Made:
    """A row of the set: what its statements say, where each comes from, and what was done to it."""

    statements: list[str]
    origins: list[Said]
    kind: str = ""


async def pages() -> list[Document]:
    """Every topic of the reference."""
    from pydoc_data.topics import topics

    corpus = await Corpus.open([PYDOC])
    return [await corpus.read(f"{PYDOC}{name}") for name in sorted(topics)]


def make(documents: Sequence[Document], rows: int, corrupt: int, kinds: Sequence[str], seed: int) -> list[Made]:
    """`rows` answers of one to three sentences, `corrupt` of them corrupted, the kinds in turn."""
    draw = random.Random(seed)
    by_page = [found for page in documents if len(found := prose(page)) >= 3]
    everything = [said for found in by_page for said in found]
    names = sorted({name for said in everything for pair in _NAME.findall(said.line) for name in pair if name})
    made = []
    for _ in range(rows):
        found = draw.choice(by_page)
        origins = draw.sample(found, draw.randint(1, 3))
        texts = [reworded(o.line, draw) if draw.random() < REWORDED else o.line for o in origins]
        made.append(Made(texts, origins))
    waiting = [kinds[at % len(kinds)] for at in range(corrupt)]
    for kind in waiting:
        untouched = [row for row in made if not row.kind]
        draw.shuffle(untouched)
        for row in untouched:
            at = draw.randrange(len(row.statements))
            if kind == MOVED:
                others = [said for said in everything if said.page.uri != row.origins[at].page.uri]
                row.origins[at] = draw.choice(others)
            else:
                changed = CORRUPTIONS[kind](row.statements[at], draw, names)
                if changed is None or changed == row.statements[at]:
                    continue
                row.statements[at] = changed
            row.kind = kind
            break
    return made


def cited(row: Made) -> dict[str, Any]:
    """The row with its statements, sources and quotes."""
    uris = list(dict.fromkeys(said.page.uri for said in row.origins))
    sources: list[dict[str, Any]] = [{"id": n, "uri": uri, "quotes": []} for n, uri in enumerate(uris, 1)]
    statements = []
    for text, said in zip(row.statements, row.origins, strict=True):
        source = sources[uris.index(said.page.uri)]
        source.update(title=said.page.title, sha256=said.page.sha256)
        source["quotes"].append({"text": said.text, "start": said.start, "end": said.end})
        statements.append(
            {"text": text, "citations": [source["id"]], "quotes": [[source["id"], len(source["quotes"]) - 1]]}
        )
    question = f"What does the reference say about {row.origins[0].page.title}?"
    return {"instruction": question, "answer": " ".join(row.statements), "statements": statements, "sources": sources}


def bare(row: Made) -> dict[str, Any]:
    """The row as an Alpaca record."""
    title = row.origins[0].page.title
    return {
        "instruction": f"What does the reference say about {title}?", "input": "", "output": " ".join(row.statements),
    }  # fmt: skip


def auroc(good: Sequence[float], bad: Sequence[float]) -> float:
    """Chance that a good row scores above a bad one, ties counted half (Mann-Whitney U over the number of pairs)."""
    wins = sum((one > other) + (one == other) / 2 for one in good for other in bad)
    return wins / (len(good) * len(bad)) if good and bad else float("nan")


async def check(path: Path) -> tuple[list[RowCheck], float]:
    """The checks of a file's rows, and seconds taken."""
    corpus = await Corpus.open([PYDOC])
    context = ResearchContext(corpus=[PYDOC], model="offline")
    began = time.perf_counter()
    checks = [row async for row in verify_rows(read_records(str(path)), corpus, context, Tally())]
    return checks, time.perf_counter() - began


def corrupted(rows: int, corrupt: int, seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Figures of both forms of the set, and the outcome of every row."""
    table: list[dict[str, Any]] = []
    outcomes: list[dict[str, Any]] = []
    documents = asyncio.run(pages())
    for form, dump, kinds in (("cited rows", cited, [*CORRUPTIONS, MOVED]), ("alpaca", bare, list(CORRUPTIONS))):
        made = make(documents, rows, corrupt, kinds, seed)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "rows.jsonl"
            path.write_text("".join(json.dumps(dump(row)) + "\n" for row in made), encoding="utf-8")
            checks, seconds = asyncio.run(check(path))
        good = [c["score"] for c, row in zip(checks, made, strict=True) if not row.kind]
        for kind in ("", *kinds):
            bad = [c["score"] for c, row in zip(checks, made, strict=True) if row.kind and kind in ("", row.kind)]
            what = f"AUROC, {kind or 'all corruptions'} ({len(bad)} of {len(made)} rows)"
            table.append(
                {"what": what, "data": form, "value": auroc(good, bad), "target": None if kind else AUROC_TARGET}
            )
        passing = [c["passed"] for c, row in zip(checks, made, strict=True) if not row.kind]
        refused = [not c["passed"] for c, row in zip(checks, made, strict=True) if row.kind]
        table += [
            {
                "what": "untouched rows that pass",
                "data": form,
                "value": sum(passing) / len(passing),
                "target": PASS_TARGET,
            },
            {"what": "corrupted rows that fail", "data": form, "value": sum(refused) / len(refused), "target": None},
            {"what": "rows a second", "data": form, "value": len(made) / seconds, "target": None},
        ]
        outcomes += [{"form": form, "kind": row.kind, **c} for c, row in zip(checks, made, strict=True)]
    return table, outcomes


def judged(data: Path) -> list[dict[str, Any]]:
    """AUROC of the statement scorer, and of plain word comparison, on claims that people have judged."""
    table = []
    for name in ("wice", "qags_cnndm", "qags_xsum"):
        scores: dict[str, dict[bool, list[float]]] = {"verify": {True: [], False: []}, "words": {True: [], False: []}}
        for row in lines(data / "support" / f"{name}.jsonl.gz"):
            texts = row.get("evidence") or [row["source"]]
            held = "\n".join(texts)
            label = row["supported"] if "supported" in row else row["label"] == "supported"
            scores["verify"][label].append(rate(row["claim"], [Passage("", "", "", 0, len(held), held, 1.0)]).score)
            scores["words"][label].append(compare.support(row["claim"], texts))
        for arm, found in scores.items():
            what = (
                f"AUROC of a statement's score ({len(found[True])} of {len(found[True]) + len(found[False])} supported)"
            )
            table.append(
                {"what": what, "data": name, "arm": arm, "value": auroc(found[True], found[False]), "target": None}
            )
    return table


def run(data: Path | None, seed: int = 0, limit: int = 0) -> dict[str, Any]:
    """{"rows": [...], "outcomes": [...]}; `limit` is the number of rows a set, 0 for 200."""
    rows = limit or 200
    table, outcomes = corrupted(rows, rows // 4, seed)
    return {"rows": table + (judged(data) if data else []), "outcomes": outcomes}


def main() -> None:
    """Print the figures; keep them with every row's outcome."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--corrupt", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=None, help="folder of evaluation sets; `support` is read")
    parser.add_argument("--out", type=Path, default=None, help="folder for verify.json")
    chosen = parser.parse_args()
    table, outcomes = corrupted(chosen.rows, chosen.corrupt, chosen.seed)
    if chosen.data:
        table += judged(chosen.data)
    for row in table:
        bound = "" if row["target"] is None else f"  (>= {row['target']:g})"
        print(f"{row['data']:<12} {row.get('arm', ''):<7} {row['what']:<58} {row['value']:8.3f}{bound}")
    if chosen.out:
        chosen.out.mkdir(parents=True, exist_ok=True)
        kept = {"seed": chosen.seed, "rows": table, "outcomes": outcomes}
        (chosen.out / "verify.json").write_text(json.dumps(kept, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
