"""The section of an extraction: what was read of the pile, why there, and what it brought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from searchinstruct_graph.datasets.report.charts import Disc, Line, disc_map, line_chart, parted_bar
from searchinstruct_graph.datasets.report.markup import Child, Html, cut, folded, joined, own, table, tag
from searchinstruct_graph.datasets.report.summary import a_row, money, percent
from searchinstruct_graph.datasets.selection_facts import REWARD_WORDS, most_read

if TYPE_CHECKING:
    from searchinstruct_graph.datasets.selection_facts import ClusterFacts, Counterpart, SelectionFacts

_CLUSTERS = 30

FAILURE_WORDS = {
    "truncated": "the model's reply was cut off",
    "refused": "the model refused",
    "empty": "the model said nothing",
    "malformed": "the model's reply could not be read",
    "wrong_type": "the model's reply had another form than asked for",
    "provider": "the provider failed again and again",
    "timeout": "the provider did not answer in time",
    "budget": "the document's allowance was spent",
    "purged": "its source was purged",
}
"""Why a document gave nothing, by the kind of failure."""


def selection(found: SelectionFacts, telling: Mapping[int, Sequence[str]]) -> Html:
    """What was chosen and how well; `telling` are words by cluster."""
    return joined(
        tag("p", _told(found)),
        tag("div", _numbers(found), _against(found, found["against"]) if found["against"] else None, class_="grid"),
        _empty(found),
        tag("div", _distances(found), _regret(found), class_="grid"),
        _table_of_clusters(found, telling),
        _map(found, telling),
    )


def _quiet(*words: Child) -> Html:
    return tag("p", *words, class_="quiet")


def _told(found: SelectionFacts) -> str:
    pile = f" of {found['documents']:,} documents" if found["documents"] is not None else " documents"
    if found["baseline"]:
        how = "at random" if found["baseline"] == "random" else "in their order"
        return (
            f"A baseline: {found['read']:,}{pile} were read {how}, and nothing was chosen. {found['examples']:,} example pairs "
            "say what is wanted; they are not in the data."
        )
    chosen = found["read"] - found["warmup_read"]
    clusters = f" out of {len(found['clusters']):,} clusters" if found["clusters"] else ""
    aim = (
        "what another dataset lacks"
        if found["reward"] == "coverage"
        else f"their likeness to {found['examples']:,} example pairs"
    )
    return (
        f"{found['read']:,}{pile} were read in {found['pulls']:,} pulls: {found['warmup_read']:,} at random (the warm-up), then "
        f"{chosen:,}{clusters}, chosen for {aim} (EQUAL, arXiv 2505.12250). The examples are not in the data. A "
        "cluster's reward is "
        f"{REWARD_WORDS.get(found['reward'], found['reward'])}; a bandit weighs it against how seldom the cluster was tried."
    )


def _decimals(number: float | None, digits: int = 2) -> str:
    return "–" if number is None else f"{number:.{digits}f}"


def _per(part: float, whole: float) -> str:
    return f"{part / whole:.2f}" if whole else "–"


def _paid(cost: float | None, rows: int) -> str:
    return money(cost) if cost is None else money(cost / rows) if rows else "–"


def _numbers(found: SelectionFacts) -> Html:
    read, documents = found["read"], found["documents"]
    rows: list[list[Child]] = [
        [
            "documents in the pile",
            "unknown" if documents is None else f"{documents:,}",
            "sections of long ones counted each",
        ],
        ["budget", f"{found['budget']:,}", percent(found["budget"], documents) + " of the pile" if documents else ""],
        ["documents read", f"{read:,}", f"{percent(read, found['budget'])} of the budget"],
        [
            "of these in the warm-up",
            f"{found['warmup_read']:,}",
            f"{found['warmup_pulls']:,} of {found['pulls']:,} pulls",
        ],
        ["pairs that hold", f"{found['pairs']:,}", f"{_per(found['pairs'], read)} a document read"],
        ["documents without one", f"{found['empty']:,}", f"{percent(found['empty'], read)} of those read"],
        [
            "refused as off target",
            f"{found['off_target']:,}",
            f"{percent(found['off_target'], found['pairs'])} of the pairs",
        ],
        ["accepted rows", f"{found['accepted']:,}", f"{_per(found['accepted'], read)} a document read"],
        ["model calls an accepted row", a_row(found["model_calls"], found["accepted"]), ""],
        ["cost an accepted row", _paid(found["cost_usd"], found["accepted"]), ""],
    ]
    if found["baseline"]:
        rows = [row for row in rows if row[0] != "of these in the warm-up"]
    body = [[name, value, tag("span", note, class_="quiet")] for name, value, note in rows]
    return table(["", "value", "that is"], body, caption="What was read, and what it brought", numbers=(1,))


def _against(found: SelectionFacts, other: Counterpart) -> Html:
    mine = found["curve"][-1][1] if found["curve"] else None
    rows: list[tuple[str, str, str]] = [
        ("documents read", f"{found['read']:,}", f"{other['read']:,}"),
        ("pairs that hold", f"{found['pairs']:,}", f"{other['pairs']:,}"),
        ("documents without one", percent(found["empty"], found["read"]), percent(other["empty"], other["read"])),
        ("refused as off target", percent(found["off_target"], found["pairs"]), percent(other["off_target"], other["pairs"])),
        ("accepted rows", f"{found['accepted']:,}", f"{other['accepted']:,}"),
        ("accepted rows a document", _per(found["accepted"], found["read"]), _per(other["accepted"], other["read"])),
        (f"distance to the examples, of {found['sample']:,} pairs", _decimals(mine, 3), _decimals(other["distance"], 3)),
        ("model calls an accepted row", a_row(found["model_calls"], found["accepted"]),
         a_row(other["model_calls"], other["accepted"])),
        ("cost an accepted row", _paid(found["cost_usd"], found["accepted"]), _paid(other["cost_usd"], other["accepted"])),
    ]  # fmt: skip
    kind = f" (baseline {other['baseline']})" if other["baseline"] else ""
    header: list[Child] = ["", "this run", joined(own(other["name"], 60), kind)]
    shown = table(header, rows, caption="Beside another run of the same examples", numbers=(1, 2))
    warnings = [
        "" if other["same_pile"] else "They have read different piles: what differs need not come from the choice.",
        "" if found["read"] == other["read"] else "The two have not read equally many documents.",
        ""
        if other["comparable"]
        else "They see pairs through different encoders, so their distances cannot be compared.",
    ]
    said = _quiet(" ".join(filter(None, warnings))) if any(warnings) else None
    return joined(shown, said, _differences(other))


def _differences(other: Counterpart) -> Html | None:
    if not other["differences"]:
        return None
    rows = [[own(name, 60), own(mine, 80), own(theirs, 80)] for name, mine, theirs in other["differences"]]
    return table(["", "this run", "the other"], rows, caption="They differ in more than the choice")


def _empty(found: SelectionFacts) -> Html | None:
    if not found["empty"]:
        return None
    counted = sorted(found["failures"].items(), key=lambda item: (-item[1], item[0]))
    failed = min(sum(count for _, count in counted), found["empty"])
    held = found["empty"] - failed
    rows: list[list[Child]] = [["read, but nothing in it held as a pair", f"{held:,}", percent(held, found["empty"])]]
    rows += [[FAILURE_WORDS.get(kind, kind), f"{count:,}", percent(count, found["empty"])] for kind, count in counted]
    shown = table(["why", "documents", "share"], rows, caption="Documents that gave nothing", numbers=(1, 2))
    notes = [tag("li", own(cut(note, 400), 500)) for note in found["notes"]]
    return joined(shown, folded("The first notes", tag("ul", notes)) if notes else None)


def _distances(found: SelectionFacts) -> Html:
    from searchinstruct_graph.selection.rewards import LEAST_PAIRS

    title = "Distance to the examples."
    if not found["curve"]:
        why = (
            f"Not measured: {found['sample']:,} pairs are too few to take a distance from."
            if found["sample"] < LEAST_PAIRS
            else "Not measured: this run has not kept the examples' vectors; the same extract command adds them."
        )
        return tag("figure", tag("figcaption", tag("b", title)), _quiet(why))
    other, random = found["against"], found["random_distance"]
    ends = max(curve[-1][0] for curve in (found["curve"], other["curve"] if other else []) if curve)
    lines = [
        Line("everything extracted so far", "line-0", found["curve"]),
        Line("what was chosen, without the warm-up", "line-1", found["chosen_curve"]),
        Line(f"the warm-up's own pairs ({found['warmup_read']:,} documents at random)", "line-2",
             [(found["warmup_read"], random), (ends, random)] if random is not None else []),
        Line(f"the other run, {cut(other['name'], 40)}" if other else "", "line-3", other["curve"] if other else []),
    ]  # fmt: skip
    note = (
        f"Optimal transport with 1 - cosine as cost, from {found['sample']:,} pairs drawn from all up to there to the "
        "examples: 0 for equal sets. Every point is taken from as many pairs, because few look farther away than many; a line "
        "begins where there are so many."
    )
    return line_chart(title, lines, x_name="documents read", y_name="distance", note=note, digits=3)


def _regret(found: SelectionFacts) -> Html | None:
    if found["baseline"]:
        return None
    title = "Regret."
    if not found["regret"]:
        why = (
            "There is none to show: a cell that is filled is worth nothing any more, so no cluster is the best all along."
            if found["reward"] == "coverage"
            else "There is none to show yet: no cluster has a reward."
        )
        return tag("figure", tag("figcaption", tag("b", title)), _quiet(why))
    random = found["random_regret"]
    ends = found["regret"][-1][0]
    lines = [
        Line("this run", "line-0", found["regret"]),
        Line("expected at random", "line-2",
             [(0.0, 0.0), (ends, random * ends)] if random is not None else []),
    ]  # fmt: skip
    best = f"cluster {found['best']}"
    note = (
        f"Summed up over the documents in the order of reading: what the best cluster ({best}) is worth less what the "
        "document's own cluster is worth, both by everything that was extracted from them. Flat where the best is read. A "
        "cluster of few pairs looks worse than it is, and one without a pair counts as the worst. At random: the mean over the "
        f"documents of every cluster that was read, {_share_known(found)} of the pile."
    )
    return line_chart(title, lines, x_name="documents read", y_name="cumulative regret", note=note, start=0.0)


def _share_known(found: SelectionFacts) -> str:
    """Of the documents, the share in clusters of which something is known."""
    clusters = found["clusters"]
    return percent(sum(each["size"] for each in clusters if each["read"]), sum(each["size"] for each in clusters))


def _words_of(telling: Mapping[int, Sequence[str]], cluster: int) -> list[str]:
    return [cut(word, 30) for word in telling.get(cluster, [])]


def _table_of_clusters(found: SelectionFacts, telling: Mapping[int, Sequence[str]]) -> Html | None:
    from searchinstruct_graph.selection.rewards import LEAST_PAIRS

    if not found["clusters"]:
        return None if found["baseline"] else _quiet("The clusters are formed when the warm-up is read.")
    ranked = most_read(found["clusters"])
    shown = [each for each in ranked if each["read"]][:_CLUSTERS]
    longest = max((each["read"] for each in shown), default=0)
    valued = any(each["reward"] is not None for each in ranked)
    body = [
        _cluster(each, found["best"], _words_of(telling, each["cluster"]), longest, valued=valued) for each in shown
    ]
    header: list[Child] = [
        "cluster", "telling words", "documents", "pulls", "read", tag("span", "bar of documents read", class_="hidden"),
        "pairs", *(["reward"] if valued else []), "distance",
    ]  # fmt: skip
    numbers = (2, 3, 4, *range(6, len(header)))
    listed = table(header, body, caption="Pulls and documents read of every cluster", numbers=numbers)
    rest = ranked[len(shown) :]
    unread = sum(not each["read"] for each in rest)
    others = sum(each["read"] for each in rest)
    more = [
        "Grey: read in the warm-up, which is no pull of a cluster.",
        "★: the highest reward. A reward is of a cluster's pairs." if valued else "",
        f"A distance is that of a cluster's pairs to the examples (from {LEAST_PAIRS} pairs on).",
        f"{len(rest) - unread:,} more clusters gave {others:,} documents." if others else "",
        f"Of {unread:,} clusters nothing was read." if unread else "",
    ]
    return joined(listed, _quiet(" ".join(filter(None, more))))


def _cluster(each: ClusterFacts, best: int | None, words: Sequence[str], longest: int, *, valued: bool) -> list[Child]:
    chosen = each["read"] - each["at_random"]
    star = tag("span", "★ ", title="the highest reward") if each["cluster"] == best else None
    return [
        joined(star, str(each["cluster"])),
        joined(own(", ".join(words), 100)) if words else tag("span", "–", class_="quiet"),
        f"{each['size']:,}",
        f"{each['pulls']:,}",
        f"{each['read']:,}",
        parted_bar([(chosen, ""), (each["at_random"], "at-random")], longest),
        f"{each['pairs']:,}",
        *([_decimals(each["reward"])] if valued else []),
        _decimals(each["distance"]),
    ]


def _map(found: SelectionFacts, telling: Mapping[int, Sequence[str]]) -> Html | None:
    if not found["clusters"]:
        return None
    discs = [
        Disc(
            x=each["place"][0],
            y=each["place"][1],
            size=each["size"],
            worth=each["reward"],
            ringed=each["read"] > each["at_random"],
            told=_of(each, _words_of(telling, each["cluster"])),
        )
        for each in found["clusters"]
    ]
    share = found["shown_variance"]
    held = f", {percent(share, 1)} of their variance" if share is not None else ""
    shaded = (
        "its shade its reward"
        if found["reward"] != "coverage"
        else "without a shade, because what a cluster is worth falls as cells are filled"
    )
    note = (
        f"The clusters' centres on their first two principal components{held}. A disc's area is the documents in it, {shaded}. "
        "Point at one to read its numbers."
    )
    told = f"the mean of the {found['examples']:,} examples"
    return disc_map(
        "Map of the clusters.", discs, found["centre"], note=note, worth="reward", ring="chosen", centre_told=told
    )


def _of(each: ClusterFacts, words: Sequence[str]) -> str:
    parts = [
        f"cluster {each['cluster']}",
        ", ".join(words),
        f"{each['size']:,} documents, {each['read']:,} read",
        f"{each['pulls']:,} pulls" if each["pulls"] else "",
        f"{each['pairs']:,} pairs" if each["read"] else "",
        f"reward {each['reward']:.2f}" if each["reward"] is not None else "",
        f"distance {each['distance']:.2f}" if each["distance"] is not None else "",
    ]
    return "; ".join(filter(None, parts))
