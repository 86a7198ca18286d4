"""The sections of a report that are numbers: each takes what was gathered and gives its HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from searchinstruct_graph.datasets.acceptance import FEW_FILES
from searchinstruct_graph.datasets.diversity import gini
from searchinstruct_graph.datasets.report.charts import Point, bar, bars, heat, histogram, scatter
from searchinstruct_graph.datasets.report.facts import ReportFacts, ReportLimits
from searchinstruct_graph.datasets.report.gather import (
    LEVELS,
    OPERATIONS,
    RowFacts,
    Scores,
    Tally,
    counted,
    length_bars,
    mean,
    quantile,
    score_bars,
    unit_of,
)
from searchinstruct_graph.datasets.report.markup import Child, Html, cut, folded, joined, own, table, tag
from searchinstruct_graph.datasets.report.probing import Probed
from searchinstruct_graph.datasets.report.summary import a_row, duration, money, percent
from searchinstruct_graph.datasets.rows import BLOOM, Funnel, Spent

_KEYWORDS, _UNITS, _OTHERS, _DOCUMENTS = 24, 20, 12, 60
_FEW_ROWS = 3
"""So many rows any file may give, as acceptance has it."""


def _quiet(*words: Child) -> Html:
    return tag("p", *words, class_="quiet")


def _named(value: str, otherwise: str = "not stated") -> Html:
    return own(value, 80) if value else tag("span", otherwise, class_="quiet")


def funnel(counts: Funnel, target: int | None, *, extracted: bool = False) -> Html:
    """Counts from what was proposed (of an extraction: the pairs that were found) to what was accepted, and why the rest
    was not.
    """
    proposed, accepted = counts["proposed"], counts["accepted"]
    longest = max(proposed, counts["admitted"], counts["answered"], accepted, 1)
    first = "pairs found" if extracted else "proposed"
    stages = [
        (first, proposed, ""),
        ("admitted", counts["admitted"], f"{percent(counts['admitted'], proposed)} of {first}"),
        ("answered", counts["answered"], f"{percent(counts['answered'], counts['admitted'])} of admitted"),
        ("accepted", accepted, f"{percent(accepted, counts['answered'])} of answered"),
    ]
    if extracted:
        # A pair comes with its answer, so none waits for one.
        stages[2:] = [("accepted", accepted, f"{percent(accepted, counts['admitted'])} of admitted")]
    steps = table(
        ["stage", "count", "passed", f"of {first}", tag("span", "bar", class_="hidden")],
        [
            [
                name,
                f"{count:,}",
                passed,
                percent(count, proposed),
                bar(count, longest, "good" if name == "accepted" else ""),
            ]
            for name, count, passed in stages
        ],
        caption="From pairs to rows" if extracted else "From proposals to rows",
        numbers=(1, 2, 3),
    )
    missing = target - accepted if target is not None else 0
    told = [
        f"Yield: {percent(accepted, proposed)} of the pairs found became rows."
        if extracted
        else f"Yield: {percent(accepted, proposed)} of everything proposed and {percent(accepted, counts['answered'])} of "
        f"everything answered became rows.",
        f"{missing:,} rows are missing to the target of {target:,}." if missing > 0 else "",
        f"{counts['refused']:,} pairs were refused because they do not hold, lie off target or repeat another, "
        f"{counts['rejected']:,} more were rejected when they stood before the rows."
        if extracted
        else f"{counts['refused']:,} proposals were refused before anything was paid for an answer, "
        f"{counts['rejected']:,} answers were rejected.",
        f"{counts['quarantined']:,} of these wait for a person." if counts["quarantined"] else "",
        f"{counts['surplus']:,} {'pairs' if extracted else 'answered instructions'} are kept for a higher target."
        if counts["surplus"]
        else "",
    ]
    reasons = sorted(counts["reasons"].items(), key=lambda item: (-item[1], item[0]))
    why = bars(
        "Why work was refused",
        "reason",
        [(own(name, 80), count) for name, count in reasons[:30]],
        sum(counts["reasons"].values()),
        of="times",
    )
    return joined(tag("p", " ".join(filter(None, told))), steps, why if reasons else None)


def _top(tally: Tally, most: int = _OTHERS) -> list[tuple[Child, int]]:
    held = tally.top()
    shown: list[tuple[Child, int]] = [(_named(key), sum(counts)) for key, counts in held[:most]]
    rest = sum(sum(counts) for _, counts in held[most:]) + sum(tally.others)
    return [*shown, (f"{len(held) - most:,} others", rest)] if rest else shown


def composition(found: RowFacts) -> Html:
    """What the rows are: levels, keywords, kinds, operations, languages."""
    rows = found.rows
    grids = [
        bars("Operations", "operation", _top(found.operations), rows),
        bars("Question kinds", "kind", _top(found.kinds), rows),
        bars("Languages", "language", _top(found.languages), rows),
    ]
    levels = found.blooms.first()
    if any(level for level in levels):
        order = [(level or tag("span", "no level", class_="quiet"), levels.get(level, 0)) for level in LEVELS]
        grids.insert(0, bars("Bloom levels", "level", [each for each in order if each[1] or each[0] in BLOOM], rows))
    told = _quiet(
        f"{found.grounded:,} of {rows:,} rows are grounded in quotes ({found.statements:,} statements, {found.quotes:,} "
        f"quotes); {found.pairs:,} have a refused answer beside the accepted one, for preference pairs."
    )
    return joined(told, _keyword_map(found), tag("div", grids, class_="grid"), _kind_map(found))


def _keyword_map(found: RowFacts) -> Html | None:
    if not found.keywords.counts:
        return None
    top = found.keywords.top(_KEYWORDS)
    used = [at for at, level in enumerate(LEVELS) if level or any(counts[at] for _, counts in top)]
    rows: list[tuple[Child, list[int]]] = [(own(key, 60), [counts[at] for at in used]) for key, counts in top]
    chart = heat("Keywords by Bloom level, in rows", "keyword", [LEVELS[at] or "none" for at in used], rows)
    rest = len(found.keywords.counts) - len(top)
    more = f"The {len(top)} most frequent keywords; {rest:,} more are not shown." if rest > 0 else ""
    counting = "A row counts for each of its keywords."
    return joined(chart, _quiet(f"{more} {counting}".strip()))


def _kind_map(found: RowFacts) -> Html | None:
    top = found.forms.top(_OTHERS)
    used = [at for at in range(len(OPERATIONS)) if any(counts[at] for _, counts in top)]
    if len(top) < 2 or len(used) < 2:
        return None
    rows: list[tuple[Child, list[int]]] = [(_named(key), [counts[at] for at in used]) for key, counts in top]
    return heat("Question kinds by operation, in rows", "kind", [OPERATIONS[at] for at in used], rows)


def _whole(number: float) -> str:
    return f"{int(number):,}"


def _decimals(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".") or "0"


def lengths(found: RowFacts) -> Html:
    """How long instructions and answers are, in words."""

    def one(title: str, counts: Counter[int]) -> Html:
        middle, long, longest = quantile(counts, 0.5), quantile(counts, 0.95), max(counts, default=0)
        note = f"Median {middle:,}, 95% have at most {long:,}, the longest {longest:,}." if counts else ""
        return histogram(
            title, length_bars(counts), unit="words", note=note, label=_whole, open_ended=_ends_open(counts)
        )

    charts = one("Instructions", found.instruction_words), one("Answers", found.answer_words)
    told = "Words as search counts them; two neighbouring characters count as a word in scripts without spaces."
    return joined(tag("div", charts, class_="grid"), _quiet(told))


def _ends_open(counts: Counter[int]) -> bool:
    found = length_bars(counts)
    return bool(found) and max(counts) >= found[-1].high


def diversity(found: RowFacts, probed: Probed) -> Html:
    """How different the instructions are from each other."""
    if not found.rows:
        return _quiet("There are no rows to compare.")
    sampled, measures = len(probed.probes), probed.measures
    of = "all of them" if sampled == found.rows else f"a sample of {sampled:,}, drawn by their ids"
    left_out = sampled - measures["embedded"]
    told = [
        f"Measured on the instructions of {found.rows:,} rows: {of}. These numbers depend on how many texts they are taken "
        "from: compare runs of the same sample size.",
        f"{left_out:,} texts hold no word that the embeddings know and are left out of the cosines."
        if left_out
        else "",
    ]
    numbers: list[tuple[str, float | None, str]] = [
        (
            "Vendi score",
            measures["vendi"],
            f"so many entirely different texts would be as diverse; 1 to {measures['embedded']:,}",
        ),
        ("mean pairwise cosine", measures["mean_cosine"], "0: nothing in common, 1: all the same"),
        *(
            (f"distinct-{n}", measures["distinct"][n - 1], f"different runs of {n} of all runs of {n} words")
            for n in (1, 2, 3)
        ),
    ]
    body = [
        [
            name,
            "–" if value is None else f"{value:,.1f}" if name == "Vendi score" else f"{value:.3f}",
            tag("span", note, class_="quiet"),
        ]
        for name, value, note in numbers
    ]
    measured = table(["measure", "value", "meaning"], body, caption="Diversity of the instructions", numbers=(1,))
    nearest = Counter(counted([max(each.cosine, 0.0) for each in probed.nearest]))
    middle = mean(nearest)
    close = histogram(
        "Nearest neighbours.",
        score_bars(nearest, bars=20),
        unit="cosine of an instruction and the one nearest to it",
        note=f"Mean {middle:.2f}; bars near 1 are rewordings." if middle is not None else "",
        label=_decimals,
    )
    return joined(
        tag("p", " ".join(filter(None, told)), class_="quiet"),
        tag("div", tag("div", measured, _closest(probed)), close, class_="grid"),
        _map(found, probed),
    )


def _closest(probed: Probed, most: int = 5) -> Html | None:
    pairs: dict[tuple[int, int], float] = {}
    for row, neighbour in enumerate(probed.nearest):
        pairs[min(row, neighbour.row), max(row, neighbour.row)] = neighbour.cosine
    top = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:most]
    if not top:
        return None
    items = [
        tag("li", tag("b", f"{cosine:.2f}"), " ", own(probed.text(one), 240), tag("br"), own(probed.text(other), 240))
        for (one, other), cosine in top
    ]
    return folded("The closest pairs", tag("ol", items, class_="pairs"))


def _map(found: RowFacts, probed: Probed) -> Html:
    levels = [level for level in BLOOM if level in found.blooms.counts]
    kinds = [kind for kind, _ in found.kinds.top() if kind]
    colourings = [(name, groups) for name, groups in (("Bloom level", levels), ("question kind", kinds)) if groups]
    points = [
        Point(
            x,
            y,
            probe.instruction,
            tuple(getattr(probe, "bloom" if name == "Bloom level" else "kind") for name, _ in colourings),
        )
        for (x, y), probe in probed.placed
    ]
    note = (
        "Instructions that mean similar things stand together (t-SNE of their embeddings); the axes mean nothing. "
        "Point at one to read it."
    )
    if len(points) < 2:
        points = []
    return scatter("Map of the instructions", points, colourings or [("question kind", [])], note)


def quality(found: RowFacts) -> Html:
    """The critic's numbers."""

    def one(title: str, scores: Scores, bars_: int, meaning: str) -> Html:
        taken = sum(scores.counts.values())
        middle = mean(scores.counts)
        if middle is None:
            return tag("figure", tag("figcaption", tag("b", title)), _quiet(f"Not taken of any row: {meaning}."))
        missing = f" Not taken of {scores.missing:,} rows." if scores.missing else ""
        note = f"{meaning.capitalize()}; mean {middle:.2f} of {taken:,} rows.{missing}"
        return histogram(
            title, score_bars(scores.counts, bars=bars_), unit=title.rstrip(".").lower(), note=note, label=_decimals
        )

    charts = [
        one("Support.", found.support, 20, "least share of a statement that its own quotes carry"),
        one("Agreement.", found.agreement, 10, "share of independent samples that give the same answer"),
    ]
    return tag("div", charts, class_="grid")


def allowed_share(documents: int, units: int, limits: ReportLimits, size_share: float | None) -> float:
    """The share of rows from which a file or host gives more than its part: what the run allows; else twice its even
    part, or twice its part of the corpus's text when that is more.
    """
    few = FEW_FILES / documents if documents else 0.0
    if limits["max_share"] is not None:
        return min(1.0, max(limits["max_share"], few))
    return min(1.0, max(few or FEW_FILES / max(units, 1), FEW_FILES * (size_share or 0.0)))


def sources(found: RowFacts, facts: ReportFacts) -> Html:
    """What the rows rest on, and, unless it was chosen for a reason, whether it is spread evenly."""
    if not found.units.counts:
        return _quiet("The rows cite no pages.")
    documents = _units(facts["corpus_documents"])
    first = found.units.first()
    giving = sum(first.values())
    even = [
        *(first.get(unit, 0) for unit in documents),
        *(count for unit, count in first.items() if unit not in documents),
    ]
    unevenness = gini(even)
    reached = sum(unit in found.units.counts for unit in documents)
    sizes = sum(documents.values()) if documents and all(documents.values()) else 0

    def part(unit: str) -> float | None:
        return documents[unit] / sizes if sizes and unit in documents else None

    bounded = facts["selection"] is None

    def over(unit: str, count: int) -> bool:
        if not bounded:
            return False
        share = allowed_share(len(documents), len(first), facts["limits"], part(unit))
        return count > _FEW_ROWS and count / giving > share

    heavy = [unit for unit, count in first.items() if over(unit, count)]
    told = [
        f"{len(first):,} files and hosts are cited.",
        f"{reached:,} of the corpus's {len(documents):,} files ({percent(reached, len(documents))}) carry a row."
        if documents
        else "",
        f"Gini coefficient {unevenness:.2f} (0: every one gives as many rows; 1: one gives all"
        f"{', files without a row counted' if documents else ''})."
        if unevenness is not None and len(even) > 1
        else "",
        f"{len(heavy):,} of them give more than their share, marked ▲." if heavy else "",
        "None gives more than its share." if bounded and not heavy else "",
        "" if found.units.exact else "There are more than are counted: the rarest were let go.",
    ]
    top = found.units.top(_UNITS)
    body = [
        [
            joined(
                tag("span", "▲ ", title="more than its share", class_="heavy") if over(unit, counts[0]) else None,
                own(unit, 120),
            ),
            f"{counts[0]:,}",
            percent(counts[0], giving),
            *([_percent_or_dash(part(unit))] if sizes else []),
            f"{sum(counts):,}",
            bar(counts[0], max(first.values()), "over" if over(unit, counts[0]) else ""),
        ]
        for unit, counts in top
    ]
    header: list[Child] = [
        "file or host",
        "rows first from it",
        "share",
        *(["of the text"] if sizes else []),
        "rows citing it",
        tag("span", "bar", class_="hidden"),
    ]
    listed = table(header, body, caption="Sources", numbers=range(1, len(header) - 1))
    more = _quiet(f"The first {len(top)} of {len(first):,}.") if len(first) > len(top) else None
    licences = bars("Licences", "licence", _top(found.licences), found.rows, of="rows citing")
    return joined(tag("p", " ".join(filter(None, told))), listed, more, _untouched(documents, found), licences)


def _percent_or_dash(share: float | None) -> str:
    return "–" if share is None else percent(share, 1)


def _units(documents: Mapping[str, int | None]) -> dict[str, int]:
    """The corpus's files with their characters; 0 where not known."""
    sizes: dict[str, int] = {}
    for uri, size in documents.items():
        unit = unit_of(uri)
        sizes[unit] = sizes.get(unit, 0) + (size or 0)
    return sizes


def _untouched(documents: Mapping[str, int], found: RowFacts) -> Html | None:
    missing = [unit for unit in documents if unit not in found.units.counts]
    if not missing:
        return None
    items = [tag("li", own(unit, 120)) for unit in missing[:_DOCUMENTS]]
    rest = len(missing) - _DOCUMENTS
    more = tag("li", f"and {rest:,} more") if rest > 0 else None
    return folded(f"{len(missing):,} files without a row", tag("ul", items, more, class_="columns"))


def cost(facts: ReportFacts) -> Html:
    """What the run used, by role, and for each accepted row."""
    usage, accepted = facts["usage"], facts["funnel"]["accepted"]
    tokens = usage["input_tokens"] + usage["output_tokens"]
    whole = table(
        ["", "whole run", "an accepted row"],
        [
            ["model calls", f"{usage['model_calls']:,}", a_row(usage["model_calls"], accepted)],
            ["tokens", f"{tokens:,}", a_row(tokens, accepted, 0)],
            ["cost", money(usage["cost_usd"]), _cost_of_a_row(usage["cost_usd"], accepted)],
            ["searches", f"{usage['searches']:,}", a_row(usage["searches"], accepted)],
            ["pages", f"{usage['pages']:,}", a_row(usage["pages"], accepted)],
            ["working time", duration(usage["seconds"]), _time_of_a_row(usage["seconds"], accepted)],
        ],
        caption="Usage, refused work included",
        numbers=(1, 2),
    )
    roles = sorted(usage["roles"].items(), key=lambda item: (-item[1]["model_calls"], item[0]))
    if not roles:
        return whole
    most = max(spent["model_calls"] for _, spent in roles)
    by_role = table(
        [
            "role",
            "calls",
            "tokens in",
            "tokens out",
            "cost",
            "searches",
            "pages",
            tag("span", "bar of calls", class_="hidden"),
        ],
        [[own(role, 60), *_spent(spent), bar(spent["model_calls"], most)] for role, spent in roles[:40]],
        caption="By role",
        numbers=range(1, 7),
    )
    return joined(whole, by_role)


def _spent(spent: Spent) -> list[str]:
    return [
        f"{spent['model_calls']:,}",
        f"{spent['input_tokens']:,}",
        f"{spent['output_tokens']:,}",
        money(spent["cost_usd"]),
        f"{spent['searches']:,}",
        f"{spent['pages']:,}",
    ]


def _cost_of_a_row(dollars: float | None, rows: int) -> str:
    return money(dollars) if dollars is None else money(dollars / rows) if rows else "–"


def _time_of_a_row(seconds: float | None, rows: int) -> str:
    return duration(seconds) if seconds is None else duration(seconds / rows) if rows else "–"


def contamination(report: Mapping[str, Any] | None) -> Html:
    """Which texts repeat held-out questions."""
    if report is None:
        return _quiet("Not checked: no held-out questions were named (--decontaminate).")
    checked, hit = report.get("checked", 0), report.get("contaminated", 0)
    verdict = (
        "None repeats a held-out question."
        if not hit
        else f"{hit:,} ({percent(hit, checked)}) repeat a held-out question."
    )
    parts: list[Child] = [tag("p", f"{checked:,} texts were compared. {verdict}")]
    tables = []
    for name, title in (("rules", "By rule"), ("files", "By held-out file")):
        counts: list[tuple[Child, int]] = [
            (own(str(key), 120), count) for key, count in dict(report.get(name) or {}).items()
        ]
        if counts:
            tables.append(bars(title, name[:-1], counts[:30], checked, of="texts"))
    parts.append(tag("div", tables, class_="grid"))
    matches = list(report.get("matches") or [])[:20]
    if matches:
        body = [
            [
                own(str(each["text"]), 300),
                own(str(each["item"]), 300),
                own(f"{each['file']}:{each['line']}", 120),
                str(each["rule"]),
                f"{each['score']:.2f}",
            ]
            for each in matches
        ]
        shown = table(
            ["text", "held-out question", "where", "rule", "score"], body, caption="The first matches", numbers=(4,)
        )
        parts.append(folded(f"The first {len(matches)}", shown))
    return joined(parts)


def provenance(facts: ReportFacts) -> Html:
    """Settings, limits, models and versions of the run."""
    limits = facts["limits"]
    bounds = {
        "most of one source": percent(limits["max_share"], 1) if limits["max_share"] is not None else "no bound",
        "cost": money(limits["max_cost_usd"]) if limits["max_cost_usd"] is not None else "no bound",
        "time": duration(limits["max_seconds"]) if limits["max_seconds"] is not None else "no bound",
    }
    groups = [
        ("Settings", facts["settings"]),
        ("Limits", bounds),
        ("Models", facts["models"]),
        ("Versions", facts["versions"]),
    ]
    return tag("div", [_pairs(title, held) for title, held in groups if held], class_="grid")


def _pairs(title: str, held: Mapping[str, str]) -> Html:
    body = [[own(name, 60), own(cut(str(value), 300), 400)] for name, value in list(held.items())[:100]]
    return table([title.lower(), "value"], body, caption=title)
