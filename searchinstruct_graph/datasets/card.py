"""The dataset card: a README.md that the Hugging Face Hub and `datasets` read, and that tells a person what the data is,
what it is made of and what it is not good for.

`gather` counts the rows in one pass and bounded memory; the caller adds what only the run knows; `dataset_card` writes.
Names from elsewhere (sites, files, licences, models, a title) are escaped: they are words on the page, never markup.
"""

from __future__ import annotations

import hashlib
import json
import math
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NotRequired
from urllib.parse import urlsplit

from typing_extensions import TypedDict

from searchinstruct_graph.datasets.formats import Shape, columns, features, format_named, licence_of
from searchinstruct_graph.datasets.rows import Funnel, Row, Spent, no_spending
from searchinstruct_graph.datasets.selection_facts import REWARD_WORDS
from searchinstruct_graph.text.markdown import Code as _Code
from searchinstruct_graph.text.markdown import block as _block
from searchinstruct_graph.text.markdown import code as _code
from searchinstruct_graph.text.markdown import escaped as _text
from searchinstruct_graph.text.markdown import one_line as _plain
from searchinstruct_graph.text.markdown import table as _table

if TYPE_CHECKING:
    from searchinstruct_graph.datasets.edit_facts import EditFacts
    from searchinstruct_graph.datasets.selection_facts import SelectionFacts

TOP = 20
"""Sources that are named; the rest are counted together."""

_MOST = 20_000
"""Names that a tally holds; when there are more, the rarest half is counted as others."""


class Spread(TypedDict):
    """A number over the rows that have it. `low` is the tenth percentile, and with `median` exact to 0.001."""

    rows: int
    mean: float
    low: float
    median: float


class SourceShare(TypedDict):
    """A site or file and how often rows cite its pages."""

    name: str
    citations: int
    licenses: list[str]


class Counts(TypedDict):
    """What one pass over the rows tells. Dictionaries go from a value to its number of rows, most frequent first."""

    rows: int
    methods: dict[str, int]
    operations: dict[str, int]
    bloom: dict[str, int]
    languages: dict[str, int]
    grounding: dict[str, int]
    models: dict[str, dict[str, int]]
    """By role."""
    versions: dict[str, dict[str, int]]
    """Of this package and of every prompt, by name."""
    citations: int
    """Pages cited, one a row and page."""
    licenses: dict[str, int]
    """Citations by licence (`formats.licence_of`)."""
    sources: list[SourceShare]
    """The `TOP` most cited."""
    other_sources: int
    """How many more there are; about so many, when there are more than are held in memory."""
    retrieved: tuple[str, str]
    """When the first and the last cited page was fetched; empty when none was."""
    support: Spread | None
    agreement: Spread | None
    """Over the rows that samples were drawn for."""
    rejected: int
    """Rows with a rejected draft."""
    usage: Spent


class SplitFile(TypedDict):
    """An exported file: which split it is, its path from the card, its records."""

    split: str
    path: str
    rows: int


class Contamination(TypedDict):
    """One set that instructions were compared with."""

    against: str
    items: int
    found: int
    """Instructions refused because they were too like one of its items."""


class CardFacts(TypedDict):
    """Everything the card is written from."""

    title: str
    task: str
    """What the data is for, in a sentence; empty: nothing is said."""
    command: str
    """The command that makes it again."""
    format: str
    """A key of `formats.FORMATS`."""
    shape: Shape
    files: list[SplitFile]
    settings: Mapping[str, Any]
    """The run's settings, without secrets."""
    counts: Counts
    funnel: Funnel | None
    near_duplicates: str
    """The rule by which near-duplicates were refused; empty: none was applied."""
    contamination: list[Contamination]
    reviewed: int
    """Rows that a person has checked."""
    created_by: str
    selection: SelectionFacts | None
    """Of an extraction: how it chose what it read."""
    edits: NotRequired[EditFacts]
    """Of an edit set: its facts, changes and probes."""


class RowCounter:
    """Counts rows one by one: `add` each, then `counts`."""

    def __init__(self) -> None:
        self._rows = self._citations = self._rejected = 0
        self._by: dict[str, _Tally] = {name: _Tally() for name in _COUNTED}
        self._models: dict[str, _Tally] = {}
        self._versions: dict[str, _Tally] = {}
        self._licenses, self._sites = _Tally(), _Tally()
        self._site_licenses: dict[str, set[str]] = {}
        self._first, self._last = "", ""
        self._support, self._agreement = _Histogram(), _Histogram()
        self._usage = no_spending()

    def add(self, row: Row) -> None:
        """Count a row."""
        self._rows += 1
        self._rejected += bool(row["rejected"])
        for name, value in _COUNTED.items():
            self._by[name].add(value(row) or "none")
        for role, model in row["models"].items():
            self._models.setdefault(role, _Tally()).add(model)
        for name, version in row["versions"].items():
            self._versions.setdefault(name, _Tally()).add(version)
        self._support.add(row["critic"]["support"])
        self._agreement.add(row["critic"]["agreement"] if row["critic"]["samples"] else None)
        for source in row["sources"]:
            self._citations += 1
            site, licence = site_of(source["uri"]), licence_of(source["license"])
            self._licenses.add(licence)
            if self._sites.add(site):
                self._site_licenses = {name: self._site_licenses[name] for name in self._sites if name != site}
            if len(known := self._site_licenses.setdefault(site, set())) < 5:
                known.add(licence)
            if when := source["retrieved_at"]:
                self._first, self._last = min(self._first or when, when), max(self._last, when)
        _spend(self._usage, row["usage"])

    def counts(self) -> Counts:
        """What was counted so far."""
        top = self._sites.most(TOP)
        return Counts(
            rows=self._rows,
            methods=self._by["method"].ranked(),
            operations=self._by["operation"].ranked(),
            bloom=self._by["bloom"].ranked(),
            languages=self._by["language"].ranked(),
            grounding=self._by["grounding"].ranked(),
            models={role: tally.ranked() for role, tally in sorted(self._models.items())},
            versions={name: tally.ranked() for name, tally in sorted(self._versions.items())},
            citations=self._citations,
            licenses=self._licenses.ranked(),
            sources=[
                SourceShare(name=name, citations=count, licenses=sorted(self._site_licenses[name]))
                for name, count in top
            ],
            other_sources=self._sites.names - len(top),
            retrieved=(self._first, self._last),
            support=self._support.spread(),
            agreement=self._agreement.spread(),
            rejected=self._rejected,
            usage=Spent(**self._usage),
        )


def gather(rows: Iterable[Row]) -> Counts:
    """Count the rows in one pass; memory does not grow with their number."""
    counter = RowCounter()
    for row in rows:
        counter.add(row)
    return counter.counts()


_COUNTED: dict[str, Callable[[Row], str]] = {
    "method": lambda row: row["origin"]["method"],
    "operation": lambda row: row["origin"]["operation"],
    "bloom": lambda row: row["origin"]["bloom"],
    "language": lambda row: row["language"],
    "grounding": lambda row: row["grounding"],
}


class _Tally:
    """Counts names, holding at most `_MOST`."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()
        self._others = 0
        self._seen: _Distinct | None = None

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    @property
    def names(self) -> int:
        return len(self._held) if self._seen is None else self._seen.estimate()

    def add(self, name: str) -> bool:
        """Count `name`; True when others were dropped to make room for it."""
        if self._seen is not None and name not in self._held:
            self._seen.add(name)
        self._held[name] += 1
        if len(self._held) <= _MOST:
            return False
        if self._seen is None:
            self._seen = _Distinct()
            for known in self._held:
                self._seen.add(known)
        kept = Counter(dict(self._held.most_common(_MOST // 2)))
        kept[name] = self._held[name]
        self._others += self._held.total() - kept.total()
        self._held = kept
        return True

    def most(self, number: int) -> list[tuple[str, int]]:
        return sorted(self._held.items(), key=lambda item: (-item[1], item[0]))[:number]

    def ranked(self) -> dict[str, int]:
        found = dict(self.most(1_000))
        rest = self._held.total() + self._others - sum(found.values())
        return {**found, "others": rest} if rest else found


class _Distinct:
    """How many different names were added, by linear counting (Whang et al. 1990) over 2^23 bits, which is 1 MB."""

    _BITS = 1 << 23

    def __init__(self) -> None:
        self._marks = bytearray(self._BITS // 8)
        self._marked = 0

    def add(self, name: str) -> None:
        digest = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=4).digest()
        at, bit = divmod(int.from_bytes(digest, "big") % self._BITS, 8)
        if not self._marks[at] & 1 << bit:
            self._marks[at] |= 1 << bit
            self._marked += 1

    def estimate(self) -> int:
        return round(-self._BITS * math.log1p(-min(self._marked, self._BITS - 1) / self._BITS))


class _Histogram:
    """Numbers from 0 to 1 in steps of 0.001, and their sum."""

    def __init__(self) -> None:
        self._steps = [0] * 1_001
        self._sum = 0.0

    def add(self, value: float | None) -> None:
        if value is not None:
            self._steps[min(max(round(value * 1_000), 0), 1_000)] += 1
            self._sum += value

    def spread(self) -> Spread | None:
        if not (rows := sum(self._steps)):
            return None
        return Spread(rows=rows, mean=self._sum / rows, low=self._at(0.1 * rows), median=self._at(0.5 * rows))

    def _at(self, rank: float) -> float:
        passed = 0
        for step, count in enumerate(self._steps):
            passed += count
            if passed >= rank:
                return step / 1_000
        return 1.0


def _spend(total: Spent, spent: Spent) -> None:
    for name in ("model_calls", "input_tokens", "output_tokens", "searches", "pages"):
        total[name] += spent[name]
    known = total["cost_usd"] is not None and spent["cost_usd"] is not None
    total["cost_usd"] = (total["cost_usd"] or 0.0) + (spent["cost_usd"] or 0.0) if known else None


def site_of(uri: str) -> str:
    """What a page belongs to: the host of an address, the file of a record, the scheme of a topic (`pydoc:for`). Folders of
    absolute paths are left out: they tell about the machine, not about the data.
    """
    page = uri.partition("#")[0].strip()
    try:
        parts = urlsplit(page)
        if parts.scheme in ("http", "https") and parts.hostname:
            return parts.hostname
    except ValueError:
        return page[:200] or "unnamed"
    if parts.scheme == "file" or page.startswith(("/", "~")):
        return posixpath.basename(page.rstrip("/")) or "unnamed"
    if len(parts.scheme) > 1:
        return parts.scheme
    return page[:200] or "unnamed"


_BUCKETS = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")


def size_category(rows: int) -> str:
    """The Hub's bucket for a number of rows: `n<1K`, `1K<n<10K`, ..., `n>1T`."""
    at = sum(rows >= 1_000 * 10**power for power in range(len(_BUCKETS)))
    if at == 0:
        return "n<1K"
    return f"{_BUCKETS[at - 1]}<n<{_BUCKETS[at]}" if at < len(_BUCKETS) else "n>1T"


# Identifiers of https://huggingface.co/docs/hub/repositories-licenses that pages state under the same name.
_KNOWN = frozenset(
    "apache-2.0 mit unknown cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 "
    "cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 "
    "afl-3.0 agpl-3.0 artistic-2.0 bsd bsd-2-clause bsd-3-clause bsl-1.0 ecl-2.0 epl-1.0 epl-2.0 eupl-1.1 eupl-1.2 gfdl gpl "
    "gpl-2.0 gpl-3.0 isc lgpl lgpl-2.1 lgpl-3.0 mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 osl-3.0 pddl postgresql unlicense wtfpl "
    "zlib etalab-2.0".split()
)


def _license_fields(counts: Counts) -> dict[str, Any]:
    names = list(counts["licenses"])
    if not names:
        return {"license": "unknown"}
    if len(names) == 1 and names[0] in _KNOWN:
        return {"license": names[0]}
    told = [_plain(name, 80) for name in names[:50]]
    return {
        "license": "other",
        "license_name": "several-licenses" if len(names) > 1 else "stated-by-the-sources",
        "license_details": ", ".join(told) + (", ..." if len(names) > 50 else ""),
    }


_CODE = re.compile(r"[a-z]{2,3}")


def _front_matter(facts: CardFacts) -> str:
    import yaml

    counts, form = facts["counts"], format_named(facts["format"])
    languages = [code for code in counts["languages"] if _CODE.fullmatch(code) and code != "und"]
    tags = [
        "synthetic",
        "instruction-tuning",
        "searchinstruct-graph",
        *sorted(set(counts["methods"]) - {"none", "others"}),
    ]
    if counts["grounding"].get("quotes"):
        tags.append("grounded")
    if facts["format"] == "preference":
        tags.append("preference")
    config = {
        "config_name": "default",
        "data_files": [{"split": file["split"], "path": file["path"]} for file in facts["files"]],
    }
    named = columns(form, facts["shape"])
    told = {
        "pretty_name": _plain(facts["title"], 200),
        **({"language": languages} if languages else {}),
        **_license_fields(counts),
        "annotations_creators": ["machine-generated"],
        "task_categories": ["question-answering"]
        if facts["format"] == "ragas"
        else ["text-generation", "question-answering"],
        "size_categories": [size_category(_records(facts))],
        "tags": tags,
        **({"configs": [config]} if facts["files"] else {}),
        **({"dataset_info": [{"config_name": "default", "features": features(named)}]} if named else {}),
    }
    return yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=10_000)


def _records(facts: CardFacts) -> int:
    return sum(file["rows"] for file in facts["files"]) if facts["files"] else facts["counts"]["rows"]


def dataset_card(facts: CardFacts) -> str:
    """The card, Markdown with YAML front matter."""
    sections = (_about, _making, _numbers, _sources, _quality, _limits, _loading, _reproducing, _citation)
    body = "\n\n".join("\n".join(section(facts)) for section in sections)
    return f"---\n{_front_matter(facts)}---\n\n{body}\n"


def _about(facts: CardFacts) -> list[str]:
    counts = facts["counts"]
    quoted, rows = counts["grounding"].get("quotes", 0), counts["rows"]
    said = [f"# {_text(facts['title'], 200)}", ""]
    if facts["task"].strip():
        said += [_text(facts["task"], 1_000), ""]
    said.append(
        f"{_number(rows, 'instruction')} with answers, made by a program ({_text(facts['created_by'])}), in "
        f"{', '.join(map(_text, counts['languages'])) or 'no language'}."
    )
    if quoted:
        said.append(
            f"In {_part(quoted, rows)} every statement of the answer is carried by quotes that stand verbatim in the pages that "
            "are named."
        )
    said += ["", f"Form: `{facts['format']}` ({format_named(facts['format']).title})."]
    if facts["files"]:
        said += [
            "",
            *_table(("split", "file", "records"), [(f["split"], _Code(f["path"]), f["rows"]) for f in facts["files"]]),
        ]
    return said


_METHODS = {
    "searchinstruct": (
        "seed instructions are expanded, searched for, and answered from the quotes that were found (SearchInstruct)"
    ),
    "ds2-instruct": (
        "a sentence about the task becomes keywords, keywords and Bloom's levels become instructions, and samples vote on the "
        "answer (DS²-Instruct)"
    ),
    "equal": (
        "documents of a pile are read where they give pairs like some examples, and questions, answers and quotes are taken out "
        "of them together (EQUAL)"
    ),
}

_PAPERS = {
    "equal": (
        "zhang2025equal",
        "Chi Zhang and Huaping Zhong and Hongtao Li and Chengliang Chai and Jiawei Hong and Yuhao Deng and Jiacheng Wang and "
        "Tian Tan and Yizhou Yan and Jiantao Qiu and Ye Yuan and Guoren Wang and Conghui He and Lei Cao",
        "Not All Documents Are What You Need for Extracting Instruction Tuning Data",
        "2505.12250",
        "2025",
    ),
}
"""By method its paper: key, authors, title, arXiv number, year."""


def _making(facts: CardFacts) -> list[str]:
    counts = facts["counts"]
    said = ["## How it was made", ""]
    for method, rows in counts["methods"].items():
        told = f": {_METHODS[method]}" if method in _METHODS else ""
        said.append(f"* {_text(method)}, {_number(rows, 'row')}{told}.")
    if facts["selection"] is not None:
        said += ["", *_chosen(facts["selection"])]
    if (edits := facts.get("edits")) is not None:
        said += ["", *_edited(edits)]
    for title, tally in (("operation", counts["operations"]), ("Bloom's level", counts["bloom"])):
        if set(tally) - {"none"}:
            said += ["", *_table((title, "rows"), tally.items())]
    models = [(role, name, rows) for role, tally in counts["models"].items() for name, rows in tally.items()]
    said += ["", "Models, by role:", "", *_table(("role", "model", "rows"), models)]
    versions = [(name, ", ".join(tally)) for name, tally in counts["versions"].items()]
    said += ["", "Versions, of the program and of each prompt:", "", *_table(("name", "version"), versions)]
    if facts["settings"]:
        settings = json.dumps(dict(facts["settings"]), ensure_ascii=False, indent=2, sort_keys=True, default=str)
        said += ["", "Settings:", "", *_block(settings, "json")]
    return said


def _chosen(found: SelectionFacts) -> list[str]:
    """What an extraction read, and how it came to."""
    pile = (
        f" of the {_number(found['documents'], 'document')} of the pile"
        if found["documents"] is not None
        else " documents"
    )
    examples = (
        f"{_number(found['examples'], 'example pair')} said what is wanted; the examples are not in the data, and no model that "
        "wrote it has seen them."
    )
    if found["baseline"]:
        how = "at random" if found["baseline"] == "random" else "in their order"
        return [
            f"{found['read']:,}{pile} were read {how}, without choosing, up to a budget of {found['budget']:,}. {examples}"
        ]
    chosen = found["read"] - found["warmup_read"]
    clusters = f" out of {_number(len(found['clusters']), 'cluster')}" if found["clusters"] else ""
    reward = REWARD_WORDS.get(found["reward"], _text(found["reward"]))
    return [
        f"{found['read']:,}{pile} were read, up to a budget of {found['budget']:,}: {found['warmup_read']:,} at random, then "
        f"{chosen:,}{clusters} by a bandit. A cluster's reward is {reward}. {examples}",
        "",
        f"{_part(found['empty'], found['read'], 'document')} of those read gave no pair that holds; "
        f"{_number(found['off_target'], 'pair')} lay too far from every example.",
    ]


def _edited(found: EditFacts) -> list[str]:
    """Which facts an edit set corrects, how far its answers were changed, and what is held out."""
    done = found["accepted"] + found["rejected"]
    said = [
        f"It corrects {_number(found['accepted'], 'fact')} of {done:,} that had changed; {found['rejected']:,} were refused. "
        "Each fact was searched for before anything was written; a stale answer (the rejected half of a pair) was then edited as "
        "little as the new state allows (the chosen half).",
    ]
    if found["change"] is not None:
        said.append(
            f"An edit inserts or deletes {found['change']:.1%} of the tokens of both answers on average, "
            f"{found['most_change'] or 0.0:.1%} at most."
        )
    if found["sft_only"]:
        said.append(f"Without a rejected half: {_number(found['sft_only'], 'row')}.")
    held = sum(found["probes"].values())
    if held:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in found["probes"].items())
        said.append(
            f"Held out for evaluation, and in no row: {_number(held, 'probe')} ({kinds}); they are exported as `probes`."
        )
    if found["reasons"]:
        said += ["", *_table(("facts refused as", "facts"), [(_plain(n), c) for n, c in found["reasons"].items()])]
    return said


def _numbers(facts: CardFacts) -> list[str]:
    funnel, usage = facts["funnel"], facts["counts"]["usage"]
    said = ["## Counts", ""]
    if funnel is not None:
        names = ("proposed", "refused", "admitted", "answered", "accepted", "rejected", "quarantined", "surplus")
        told = {name: name for name in names}
        head = "instructions"
        if facts["selection"] is not None:
            # Pairs come with their answers: what is admitted is answered.
            told, head = (
                {"proposed": "found", **{name: name for name in names if name not in ("proposed", "answered")}},
                "pairs",
            )
        said += _table(("stage", head), [(shown, funnel[name]) for name, shown in told.items()])  # type: ignore[literal-required]
        if funnel["reasons"]:
            ranked = sorted(funnel["reasons"].items(), key=lambda item: (-item[1], item[0]))
            said += [
                "",
                "Why pairs were refused:"
                if facts["selection"]
                else "Why instructions were refused and answers rejected:",
                "",
                *_table(("reason", "count"), ranked),
            ]
        said.append("")
    cost = "an unknown sum" if usage["cost_usd"] is None else f"{usage['cost_usd']:.2f} USD"
    said.append(
        f"The rows took {_number(usage['model_calls'], 'model call')} ({usage['input_tokens']:,} tokens in, "
        f"{usage['output_tokens']:,} out), {usage['searches']:,} searches and {usage['pages']:,} pages, for {cost}."
    )
    return said


def _sources(facts: CardFacts) -> list[str]:
    counts = facts["counts"]
    said = ["## Sources", ""]
    total = counts["citations"]
    if not total:
        return [*said, "No row rests on a page; the terms of the models that wrote the rows apply."]
    said += [f"{_number(total, 'citation')} of pages, by licence as the pages state it:", ""]
    said += _table(
        ("licence", "citations", "share"), [(name, n, _share(n, total)) for name, n in counts["licenses"].items()]
    )
    named: list[tuple[str, int, str, str]] = [
        (_Code(one["name"]), one["citations"], _share(one["citations"], total), ", ".join(one["licenses"]))
        for one in counts["sources"]
    ]
    if counts["other_sources"]:
        rest = total - sum(one["citations"] for one in counts["sources"])
        named.append((f"{counts['other_sources']:,} others", rest, _share(rest, total), ""))
    said += ["", "By site or file:", "", *_table(("source", "citations", "share", "licences"), named)]
    first, last = counts["retrieved"]
    if first:
        said += ["", f"The pages were fetched from {_text(first[:10])} to {_text(last[:10])}."]
    return said


def _quality(facts: CardFacts) -> list[str]:
    counts, funnel = facts["counts"], facts["funnel"]
    measured = [
        (name, spread["rows"], f"{spread['mean']:.3f}", f"{spread['median']:.3f}", f"{spread['low']:.3f}")
        for name, spread in (("support", counts["support"]), ("agreement", counts["agreement"]))
        if spread is not None
    ]
    said = ["## Quality", ""]
    if measured:
        said += [
            "*Support* is how far a statement is carried by its own quotes (the least one of a row), *agreement* the share of "
            "independent samples that give the same answer; both are the critic's, from 0 to 1.",
            "",
            *_table(("measure", "rows", "mean", "median", "tenth percentile"), measured),
            "",
        ]
    if facts["near_duplicates"]:
        found = f" {funnel['reasons'].get('near_duplicate', 0):,} were refused." if funnel else ""
        said.append(f"* Near-duplicates: {_text(facts['near_duplicates'], 500)}.{found}")
    for check in facts["contamination"]:
        said.append(
            f"* Contamination: compared with {_number(check['items'], 'item')} of {_code(check['against'])}; "
            f"{_number(check['found'], 'instruction')} refused."
        )
    return said


def _limits(facts: CardFacts) -> list[str]:
    counts, rows = facts["counts"], facts["counts"]["rows"]
    reviewed = facts["reviewed"]
    found = [
        f"Checked by a person: {_part(reviewed, rows)}; the others by programs alone."
        if reviewed
        else "No row was checked by a person."
    ]
    offline = [role for role, tally in counts["models"].items() if any(name.startswith("offline") for name in tally)]
    if offline:
        found.append(
            f"The offline extractive model worked as {', '.join(map(_text, offline))}. It is no language model: it picks "
            "sentences out of pages by word overlap and static embeddings, so its text is stitched, its judgements are "
            "rough, and nothing is reasoned out."
        )
    if bare := counts["grounding"].get("none", 0):
        found.append(
            f"Without a page behind them: {_part(bare, rows)}. Their answers rest on the model's memory and on the agreement "
            "of its samples."
        )
    if counts["grounding"].get("quotes"):
        found.append(
            "A quote shows that a page says so, not that it is true; support is measured by the program's critic."
        )
    drawn = counts["agreement"]["rows"] if counts["agreement"] else 0
    if drawn < rows:
        found.append(f"Without independent samples, and so without a known agreement: {_part(rows - drawn, rows)}.")
    if not facts["contamination"]:
        found.append("It was compared with no benchmark: it may hold test items of some.")
    if not facts["near_duplicates"]:
        found.append("Near-duplicates were not looked for.")
    if unknown := counts["licenses"].get("unknown", 0):
        found.append(
            f"Pages that state no licence: {_part(unknown, counts['citations'], 'citation')}. Whoever uses the rows must clear "
            "that."
        )
    if unsure := counts["languages"].get("und", 0):
        found.append(f"Language not determined: {_part(unsure, rows)}.")
    if facts.get("edits") is not None:
        found.append(
            "Teaching a model a fact this way may harm what it knew beside it: measure that with the locality probes and a "
            "general benchmark before the model is used."
        )
    if counts["retrieved"][1]:
        found.append(f"What changed after {_text(counts['retrieved'][1][:10])} is not in it.")
    return ["## Known limits", "", *(f"* {one}" for one in found)]


def _loading(facts: CardFacts) -> list[str]:
    code = ["from datasets import load_dataset", "", 'dataset = load_dataset("path/to/this/folder")']
    if facts["files"]:
        code.append(f'print(dataset["{facts["files"][0]["split"]}"][0])')
    return ["## How to load it", "", *_block("\n".join(code), "python")]


def _reproducing(facts: CardFacts) -> list[str]:
    return [
        "## How to make it again",
        "",
        *_block(facts["command"], "sh"),
        "",
        "With the same models, pages and seed the same rows come out; pages that have changed since, and models that answer "
        "otherwise each time, give other rows.",
    ]


def _citation(facts: CardFacts) -> list[str]:
    title = re.sub(r"[\\{}%#$&_^~]", " ", _plain(facts["title"], 200))
    year = facts["counts"]["retrieved"][1][:4]
    dated = [f"  year = {{{year}}},"] if re.fullmatch(r"[0-9]{4}", year) else []
    entry = ["@misc{dataset,", f"  title = {{{' '.join(title.split())}}},", *dated]
    return [
        "## Citation",
        "",
        *_block("\n".join([*entry, f"  note = {{Made with {_plain(facts['created_by'], 80)}}}", "}"]), "bibtex"),
        *_papers(facts["counts"]["methods"]),
    ]


def _papers(methods: Iterable[str]) -> list[str]:
    """The papers of the methods that rows were made by."""
    said = []
    for method in methods:
        if method in _PAPERS:
            key, authors, title, number, year = _PAPERS[method]
            entry = [
                f"@misc{{{key},",
                f"  title = {{{title}}},",
                f"  author = {{{authors}}},",
                f"  year = {{{year}}},",
                f"  eprint = {{{number}}},",
                "  archivePrefix = {arXiv},",
                "}",
            ]
            said += ["", "The method of selection:", "", *_block("\n".join(entry), "bibtex")]
    return said


def _number(count: int, name: str) -> str:
    return f"{count:,} {name}" if count == 1 else f"{count:,} {name}s"


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.1f} %" if total else "0 %"


def _part(count: int, total: int, name: str = "row") -> str:
    return f"{_number(count, name)} ({_share(count, total)})"
