"""The report, card and exports of an extraction: a real small run, and runs made by hand whose numbers are known."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from searchinstruct_graph.agents.context import BaselineName, RewardName
from searchinstruct_graph.agents.extract_context import ExtractContext
from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.database import reading
from searchinstruct_graph.datasets.export import Selection
from searchinstruct_graph.datasets.exporting import Wanted, export_run, report_run, run_command, write_card
from searchinstruct_graph.datasets.formats import FORMATS, Shape
from searchinstruct_graph.datasets.inspection import settings_shown
from searchinstruct_graph.datasets.ledger import NAME, Ledger, PullRecord
from searchinstruct_graph.datasets.report import ReportFacts, text_summary
from searchinstruct_graph.datasets.report.gather import ClusterWords
from searchinstruct_graph.datasets.report.selecting import FAILURE_WORDS
from searchinstruct_graph.datasets.rows import Funnel, Rejection, Row, Selected, no_spending
from searchinstruct_graph.datasets.run import open_run, read_run
from searchinstruct_graph.datasets.selection_facts import REWARD_WORDS, selection_facts
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.graphs.extraction import extract
from searchinstruct_graph.models.structured import FailureKind
from searchinstruct_graph.selection.rewards import LEAST_PAIRS, TARGETS, reward_of
from searchinstruct_graph.selection.transport import representatives, transport_distance
from tests.datasets.test_report import Page, facts, rejection, rows, written
from tests.support.coast import EXAMPLES, write_coast

# A run made by hand: two kinds of documents in the plane, examples along the first axis


def plane(*degrees: float) -> NDArray[np.float32]:
    angles = np.radians(np.array(degrees, dtype=np.float64))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


NEAR, FAR = 0.0, 90.0


def pull(number: int, documents: list[int], pairs: dict[int, Sequence[float]], **changed: Any) -> PullRecord:
    """A pull whose documents gave pairs at these angles."""
    owners = [document for document, angles in pairs.items() for _ in angles]
    degrees = [angle for angles in pairs.values() for angle in angles]
    made = PullRecord(
        number=number,
        cluster=None,
        documents=documents,
        owners=owners,
        cells=[],
        vectors=plane(*degrees).astype(np.float16).tobytes() if degrees else b"",
        texts=[],
        distance=None,
        reward=None,
        failures=[],
        note="",
    )
    return PullRecord(**{**made, **changed})  # type: ignore[typeddict-item]


def clusters(labels: list[int], *degrees: float) -> bytes:
    out = io.BytesIO()
    centroids = plane(*degrees)
    np.savez(
        out,
        labels=np.array(labels, dtype=np.int32),
        centroids=centroids,
        spreads=np.zeros_like(centroids),
        matrix=np.zeros((0, 0), np.float32),
    )
    return out.getvalue()


def target(*degrees: float) -> dict[str, Any]:
    kept = base64.b64encode(plane(*degrees).astype(np.float16).tobytes()).decode()
    return {"dimensions": 2, "vectors": kept, "count": len(degrees)}


def made_run(
    folder: Path,
    pulls: Sequence[PullRecord],
    state: bytes | None = None,
    *,
    facts: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
    examples: str = "e",
    **told_otherwise: Any,
) -> Path:
    """A run with these pulls and no rows."""
    told = {
        "corpus": ["docs"],
        "embeddings": "wordllama",
        "planned_documents": 8,
        "reward": "transport",
        "baseline": None,
    }
    configuration = {
        "method": "equal",
        "examples": examples,
        "pile": "p",
        "task": {},
        "held_out": {},
        "models": {"extractor": "offline"},
        "prompts": {"extract": "1"},
        "settings": {**told, **(settings or {})},
        **told_otherwise,
    }
    folder.mkdir()
    open_run(
        folder, configuration, {"target": None, "concurrency": 8, "max_cost": None, "budget_documents": 8}, "0.1.0"
    )
    held = {"target": target(*[NEAR] * 10), "pile": {"documents": 8, "sections": 8}} if facts is None else facts

    async def fill(ledger: Ledger) -> None:
        for name, value in held.items():
            await ledger.note(name, value)
        await ledger.commit_wave(0, [], [], b"", proposed=0, last=-1)
        for each in pulls:
            await ledger.commit_pull(each, [], [], [], b"", proposed=len(each["owners"]), last=-1)
        if state is not None:
            await ledger.keep_clusters(state)

    with closing(Ledger(folder)) as ledger:
        asyncio.run(fill(ledger))
    return folder


# Documents 0 to 3 are near the examples and in cluster 0, 4 to 7 far from them and in cluster 1.
LABELS = [0, 0, 0, 0, 1, 1, 1, 1]
WARMUP = [pull(0, [4, 5], {4: [FAR] * 3, 5: [FAR] * 2}), pull(1, [0], {0: [NEAR]})]
CHOSEN = [
    pull(2, [1], {1: [NEAR] * 3}, cluster=0, reward=-0.25, distance=0.25),
    pull(3, [6], {}, cluster=1, reward=-1.0, distance=1.0, note="docs#6: truncated: cut", failures=[[6, "truncated"]]),
    pull(4, [2, 3], {2: [NEAR] * 3, 3: [NEAR] * 3}, cluster=0, reward=-0.2, distance=0.2),
]


def hand(folder: Path, **changed: Any) -> Path:
    return made_run(folder, [*WARMUP, *CHOSEN], clusters(LABELS, NEAR, FAR), **changed)


def test_every_document_read_is_counted_once(tmp_path: Path) -> None:
    found = selection_facts(hand(tmp_path / "run"))
    assert (found["documents"], found["budget"], found["read"], found["pulls"]) == (8, 8, 7, 5)
    assert (found["warmup_pulls"], found["warmup_read"]) == (2, 3)
    assert (found["pairs"], found["empty"]) == (15, 1)
    assert found["failures"] == {"truncated": 1}
    shown = ("size", "read", "at_random", "pulls", "pairs")
    assert [tuple(each[name] for name in shown) for each in found["clusters"]] == [  # type: ignore[literal-required]
        (4, 4, 1, 2, 10),
        (4, 3, 2, 1, 5),
    ]
    assert found["homes"] == {0: 1, 1: 0, 2: 0, 3: 1, 4: 0}


def test_failures_are_counted_whatever_the_note_says(tmp_path: Path) -> None:
    # The note is cut, and a stranger's address may say anything.
    failed = [[1, "provider"], [2, "timeout"], [2, "provider"], [3, "purged"], [4, "refused"], [5, "gone"]]
    note = "x: timeout: y; x: timeout: y"
    run = made_run(tmp_path / "run", [pull(0, [0, 1, 2, 3, 4, 5], {4: [NEAR]}, failures=failed, note=note)])
    found = selection_facts(run)
    # Document 2 is one document, and document 4 gave a pair.
    assert found["failures"] == {"provider": 2, "purged": 1, "gone": 1}
    assert found["empty"] == 5
    said = told(run)
    assert "the provider failed again and again 2 40%" in said
    assert "gone 1 20%" in said
    assert "nothing in it held as a pair 1 20%" in said


def test_whatever_can_be_chosen_or_fail_has_words() -> None:
    assert set(REWARD_WORDS) == set(get_args(RewardName))
    assert set(FAILURE_WORDS) == {*get_args(FailureKind), "purged"}


def test_regret_is_the_best_reward_less_that_of_the_documents_own_cluster(tmp_path: Path) -> None:
    found = selection_facts(hand(tmp_path / "run"))
    assert found["best"] == 0
    assert [(each["reward"], each["distance"]) for each in found["clusters"]] == [(-0.2, 0.2), (-1.0, 1.0)]
    # 0.8 for every document of cluster 1: two in the warm-up, one chosen.
    assert [read for read, _ in found["regret"]] == [0, 2, 3, 4, 5, 7]
    assert [regret for _, regret in found["regret"]] == pytest.approx([0, 1.6, 1.6, 1.6, 2.4, 2.4])
    # Half of the documents are in cluster 1: no sample is needed to know that.
    assert found["random_regret"] == pytest.approx(0.8 * 4 / 8)


def test_what_is_expected_at_random_counts_the_documents_of_what_was_read(tmp_path: Path) -> None:
    state = clusters([0, 0, 0, 0, 0, 1, 1, 2], NEAR, FAR, FAR)
    chosen = pull(1, [0], {0: [NEAR] * 5}, cluster=0, reward=-0.2, distance=0.2)
    known = pull(2, [5], {5: [FAR] * 5}, cluster=1, reward=-0.9, distance=0.9)
    run = made_run(tmp_path / "run", [pull(0, [1], {1: [NEAR]}), chosen, known], state)
    found = selection_facts(run)
    # Of cluster 2 nothing was read, so it is no evidence for choosing well.
    assert found["random_regret"] == pytest.approx(0.7 * 2 / 7)
    assert "of every cluster that was read, 88% of the pile" in told(run)


def test_a_cluster_that_was_never_chosen_is_known_by_the_warmup(tmp_path: Path) -> None:
    state = clusters([0, 0, 0, 0, 1, 2, 1, 1], NEAR, FAR, FAR)
    found = selection_facts(made_run(tmp_path / "run", [*WARMUP, CHOSEN[0]], state))
    of = {each["cluster"]: each for each in found["clusters"]}
    assert of[1]["reward"] == pytest.approx(-1.0, abs=1e-3)
    assert of[1]["distance"] is None
    assert of[1]["pairs"] < LEAST_PAIRS


@pytest.mark.parametrize("reward", ["transport", "divergence", "similarity"])
def test_rewards_of_clusters_are_on_one_scale(tmp_path: Path, reward: str) -> None:
    seen, wanted = [60.0, 110.0, 130.0], [-30.0, 0.0, 30.0, 10.0]
    pulls = [pull(0, [5], {5: seen}), pull(1, [0], {0: [NEAR]}, cluster=0, reward=-0.1)]
    run = made_run(
        tmp_path / "run",
        pulls,
        clusters(LABELS, NEAR, FAR),
        facts={"target": target(*wanted)},
        settings={"reward": reward},
    )
    of = reward_of(reward, plane(*wanted), least=1)
    by_the_run = of(plane(*seen), np.zeros(3, dtype=np.int64), np.random.default_rng(0))
    assert by_the_run is not None
    found = selection_facts(run)["clusters"][1]
    assert found["reward"] == pytest.approx(by_the_run, abs=2e-3)
    exact = -transport_distance(plane(*seen), plane(*wanted))
    assert (abs(by_the_run - exact) < 1e-6) == (reward == "transport")


def test_a_reward_that_believes_no_few_pairs_is_none(tmp_path: Path) -> None:
    pulls = [pull(0, [5], {5: [FAR] * (LEAST_PAIRS - 1)}), pull(1, [0], {}, cluster=0)]
    run = made_run(tmp_path / "run", pulls, clusters(LABELS, NEAR, FAR), settings={"prior": "mean"})
    assert selection_facts(run)["clusters"][1]["reward"] is None


def test_rewards_that_fall_are_not_compared(tmp_path: Path) -> None:
    run = hand(tmp_path / "run", settings={"reward": "coverage"})
    found = selection_facts(run)
    assert (found["best"], found["regret"], found["random_regret"]) == (None, [], None)
    assert [each["reward"] for each in found["clusters"]] == [None, None]
    assert [each["distance"] for each in found["clusters"]] == [0.2, 1.0]
    section = shown_section(run)
    assert "★" not in section
    assert ">reward</th>" not in section
    assert not re.search(r'class="worth-[0-9]', section)
    assert "chosen for what another dataset lacks" in section
    assert ">reward</th>" in shown_section(hand(tmp_path / "other"))


def test_a_cluster_without_a_pair_counts_as_the_worst(tmp_path: Path) -> None:
    state = clusters([0, 0, 0, 0, 1, 1, 1, 2], NEAR, FAR, FAR)
    found = selection_facts(made_run(tmp_path / "run", [*WARMUP, *CHOSEN, pull(5, [7], {}, cluster=2)], state))
    assert found["clusters"][2]["reward"] is None
    assert found["regret"][-1][1] - found["regret"][-2][1] == pytest.approx(0.8)


def test_a_lucky_cluster_of_few_pairs_is_not_the_best(tmp_path: Path) -> None:
    lucky = pull(2, [7], {7: [NEAR]}, cluster=1, reward=-0.01)
    solid = pull(3, [1], {1: [NEAR] * 6}, cluster=0, reward=-0.2, distance=0.2)
    run = made_run(tmp_path / "run", [pull(0, [0], {0: [FAR]}), lucky, solid], clusters(LABELS, NEAR, FAR))
    found = selection_facts(run)
    assert found["best"] == 0
    assert [regret for _, regret in found["regret"]] == sorted(regret for _, regret in found["regret"])


def test_distances_are_taken_from_sets_of_one_size(tmp_path: Path) -> None:
    found = selection_facts(hand(tmp_path / "run"))
    # Half of fifteen pairs; the warm-up gave six, five of them at a right angle to the examples.
    assert found["sample"] == 7
    assert [read for read, _ in found["curve"]] == [4, 5, 7]
    assert found["random_distance"] is None
    heights = [height for _, height in found["curve"]]
    assert heights == sorted(heights, reverse=True)
    assert heights[-1] == pytest.approx(1 / 3, abs=0.1)
    # The chosen pairs alone lie on the examples, from the pull on that makes them seven.
    assert [read for read, _ in found["chosen_curve"]] == [7]
    assert found["chosen_curve"][0][1] == pytest.approx(0.0, abs=1e-3)
    assert found == selection_facts(tmp_path / "run")
    assert "the warm-up's own pairs" not in told(tmp_path / "run")


def test_a_warmup_with_pairs_enough_is_a_line(tmp_path: Path) -> None:
    warm = [pull(0, [4, 5], {4: [FAR] * 5, 5: [FAR] * 5}), pull(1, [6, 0], {6: [FAR] * 5, 0: [NEAR] * 5})]
    run = made_run(tmp_path / "run", [*warm, *CHOSEN], clusters(LABELS, NEAR, FAR))
    found = selection_facts(run)
    assert found["sample"] == 14
    assert found["curve"][0][0] == 4
    assert found["random_distance"] == found["curve"][0][1] == pytest.approx(0.75, abs=0.1)
    assert "the warm-up's own pairs" in told(run)


def test_a_warmup_of_one_document_does_not_keep_distances_from_being_measured(tmp_path: Path) -> None:
    pulls = [pull(0, [0], {0: [FAR]})]
    pulls += [pull(at, [at], {at: [NEAR] * 4}, cluster=0, reward=-0.1, distance=0.1) for at in range(1, 8)]
    run = made_run(tmp_path / "run", pulls, clusters([0] * 8, NEAR))
    random = made_run(tmp_path / "random", pulls[:1] + [
        pull(at, [at], {at: [FAR] * 4}) for at in range(1, 8)
    ], settings={"baseline": "random"})  # fmt: skip
    found = selection_facts(run, random)
    assert found["sample"] == 14
    assert (found["curve"][0][0], found["random_distance"]) == (5, None)
    assert found["against"] is not None
    assert found["against"]["distance"] == pytest.approx(1.0, abs=1e-3)
    assert "Not measured" not in told(run, random)


def test_a_long_curve_begins_early_and_has_bounded_points(tmp_path: Path) -> None:
    pulls = [pull(0, [0, 1], {0: [FAR] * 40})]
    pulls += [pull(at, [2], {2: [NEAR] * 4}, cluster=0, reward=-0.1) for at in range(1, 100)]
    found = selection_facts(made_run(tmp_path / "run", pulls, clusters(LABELS, NEAR, FAR)))
    assert found["sample"] == 32
    assert len(found["curve"]) == 30
    assert (found["curve"][0][0], found["curve"][-1][0]) == (2, 101)
    assert found["random_distance"] == pytest.approx(1.0, abs=1e-3)


def test_a_warmup_is_measured_at_its_end(tmp_path: Path) -> None:
    pulls = [pull(at, [0], {0: [FAR] * 20}) for at in range(3)] + [pull(3, [0], {0: [NEAR] * 60})]
    pulls += [pull(at, [2], {2: [NEAR] * 4}, cluster=0, reward=-0.1) for at in range(4, 100)]
    found = selection_facts(made_run(tmp_path / "run", pulls, clusters(LABELS, NEAR, FAR)))
    assert 4 in [read for read, _ in found["curve"]]
    assert found["random_distance"] == pytest.approx(0.5, abs=0.1)


def test_distances_are_taken_to_few_examples_that_stand_for_all(tmp_path: Path) -> None:
    angles = np.random.default_rng(1).normal(0, 20, 1_000).tolist() + [170.0] * 24
    made = plane(*angles).astype(np.float16).astype(np.float32)
    pulls = [pull(0, [0], {0: [NEAR] * 5}), pull(1, [1], {1: [NEAR] * 5}, cluster=0, reward=-0.1, distance=0.1)]
    run = made_run(tmp_path / "run", pulls, clusters(LABELS, NEAR, FAR), facts={"target": target(*angles)})
    few = made[representatives(made, TARGETS, 0)]
    assert selection_facts(run)["curve"][-1][1] == pytest.approx(transport_distance(plane(*[NEAR] * 5), few), abs=1e-6)


def test_a_baseline_has_no_clusters_but_a_curve(tmp_path: Path) -> None:
    pulls = [pull(number, [number], {number: [FAR if number % 2 else NEAR] * 5}) for number in range(8)]
    found = selection_facts(made_run(tmp_path / "run", pulls, settings={"baseline": "random"}))
    assert (found["clusters"], found["regret"], found["random_distance"], found["warmup_read"]) == ([], [], None, 0)
    assert found["sample"] == 20
    assert [read for read, _ in found["curve"]] == list(range(4, 9))


def test_the_other_runs_distances_come_from_as_many_pairs(tmp_path: Path) -> None:
    few = [pull(number, [number], {number: [FAR] * 3}) for number in range(8)]
    other = made_run(tmp_path / "other", few, settings={"baseline": "random"})
    assert selection_facts(other)["sample"] == 12
    mine = hand(tmp_path / "run")
    more = [pull(0, [0], {0: [FAR] * 20}), pull(1, [1], {1: [FAR] * 20}, cluster=0)]
    large = made_run(tmp_path / "large", more, clusters(LABELS, NEAR, FAR))
    assert selection_facts(large)["sample"] == 20
    beside = selection_facts(large, mine)
    assert beside["sample"] == selection_facts(mine, large)["sample"] == 7
    assert beside["against"] is not None
    assert beside["against"]["curve"][-1][1] < beside["curve"][-1][1] == pytest.approx(1.0, abs=1e-3)
    assert "distance to the examples, of 7 pairs" in told(large, mine)


def test_it_is_said_what_runs_differ_in_beside_the_choice(tmp_path: Path) -> None:
    run = hand(tmp_path / "run", settings={"on_target": 0.95, "section_chars": 6_000, "reward": "transport"})
    choice = {"on_target": 0.95, "section_chars": 6_000, "reward": "divergence", "seed": 7, "corpus": ["./docs"]}
    like = hand(tmp_path / "like", settings=choice)
    against = selection_facts(run, like)["against"]
    assert against is not None
    assert (against["same_pile"], against["differences"]) == (True, [])
    said = told(run, like)
    assert "different piles" not in said
    assert "They differ in" not in said
    unlike = hand(
        tmp_path / "unlike",
        settings={"on_target": 0, "section_chars": 900, "language": "fa"},
        pile="another",
        models={"extractor": "<b>openai</b>:x"},
        prompts={"extract": "2"},
        held_out={"/far/away/bench.jsonl": "0"},
    )
    against = selection_facts(run, unlike)["against"]
    assert against is not None
    assert not against["same_pile"]
    assert against["differences"] == [
        ("model of the extractor", "offline", "<b>openai</b>:x"),
        ("prompt extract", "1", "2"),
        ("language", "none", "fa"),
        ("on_target", "0.95", "0"),
        ("section_chars", "6000", "900"),
        ("held-out files", "none", "bench.jsonl"),
    ]
    said = told(run, unlike)
    assert "They have read different piles" in said
    assert "They differ in more than the choice" in said
    assert "<b>openai</b>:x" in said


def test_only_what_can_be_compared_is_compared(tmp_path: Path) -> None:
    run = hand(tmp_path / "run")
    others = hand(tmp_path / "others", examples="x")
    with pytest.raises(UsageError, match="looked for other examples"):
        report_run(run, tmp_path / "r.html", others)
    embedded = hand(tmp_path / "embedded", settings={"embeddings": "huggingface:x"})
    with pytest.raises(UsageError, match="other embeddings"):
        report_run(run, tmp_path / "r.html", embedded)
    built = tmp_path / "built"
    built.mkdir()
    open_run(built, {"method": "ds2-instruct", "settings": {}}, {}, "0")
    for one, other in ((run, built), (built, run)):
        with pytest.raises(UsageError, match="is no extraction"):
            report_run(one, tmp_path / "r.html", other)
    # An encoder that was tuned sees the same examples elsewhere.
    tuned = hand(tmp_path / "tuned", facts={"target": target(*[45.0] * 10)})
    against = selection_facts(run, tuned)["against"]
    assert against is not None
    assert (against["comparable"], against["curve"], against["distance"]) == (False, [], None)
    report_run(run, tmp_path / "r.html", tuned)
    assert "different encoders" in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize("damaged", [{"dimensions": 2, "vectors": "?"}, {"dimensions": 3, "vectors": "AAAA"}, {"x": 1}])
def test_damaged_facts_are_named(tmp_path: Path, damaged: dict[str, Any]) -> None:
    run = hand(tmp_path / "run", facts={"target": damaged})
    with pytest.raises(UsageError, match=r"target.*cannot be read"):
        selection_facts(run)
    torn = made_run(tmp_path / "torn", WARMUP, clusters(LABELS, NEAR, FAR)[:100])
    with pytest.raises(UsageError, match="clusters cannot be read"):
        selection_facts(torn)


def shown_section(run: Path, against: Path | None = None) -> str:
    """The report's Selection."""
    out = run.with_suffix(".html")
    report_run(run, out, against)
    return out.read_text(encoding="utf-8").split('<section id="selection"')[1].split("</section>")[0]


def told(run: Path, against: Path | None = None) -> str:
    """The report's Selection as words."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", shown_section(run, against))).split())


@pytest.mark.parametrize(
    ("pulls", "state", "changed", "wanted"),
    [
        ([], None, {}, "clusters are formed when the warm-up is read"),
        (WARMUP[:1], None, {}, "no cluster has a reward"),
        ([*WARMUP, *CHOSEN], clusters(LABELS, NEAR, FAR), {"facts": {}}, "has not kept the examples' vectors"),
        (
            [*WARMUP, *CHOSEN],
            clusters(LABELS, NEAR, FAR),
            {"settings": {"reward": "coverage"}},
            "a cell that is filled is worth nothing",
        ),
        ([pull(0, [0], {})], None, {"settings": {"baseline": "all"}}, "were read in their order"),
        ([pull(0, [0], {}), pull(1, [1], {}, cluster=0)], clusters([0] * 8, NEAR), {}, "too few to take a distance"),
    ],
)
def test_hardly_anything_read_is_a_report_too(
    tmp_path: Path, pulls: list[PullRecord], state: bytes | None, changed: dict[str, Any], wanted: str
) -> None:
    assert wanted in told(made_run(tmp_path / "run", pulls, state, **changed))


def test_what_strangers_wrote_is_text(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>: provider: \u202egnp"
    pulls = [*WARMUP, pull(2, [1], {}, cluster=0, note=hostile)]
    run = made_run(tmp_path / "<b>run", pulls, clusters(LABELS, NEAR, FAR))
    other = made_run(tmp_path / "<i>&other", pulls, clusters(LABELS, NEAR, FAR))
    out = tmp_path / "report.html"
    report_run(run, out, other)
    page = Page(out.read_text(encoding="utf-8"))
    assert page.tags["script"] == page.tags["i"] == 0
    assert page.handlers == []
    assert "<script>alert(1)</script>" in " ".join(page.words)
    assert "\u202e" not in out.read_text(encoding="utf-8")


def test_a_source_that_was_chosen_gives_no_more_than_its_share(tmp_path: Path) -> None:
    kept = rows(30)
    for row in kept[:25]:
        row["sources"][0]["uri"] = "/docs/0.md"
    corpus: dict[str, int | None] = {f"/docs/{n}.md": 100 for n in range(30)}
    limits = {"max_share": None, "max_cost_usd": None, "max_seconds": None}
    unbounded = facts(30, limits=limits, corpus_documents=corpus)
    assert "more than their share" in written(tmp_path, kept, [], unbounded)
    chosen = selection_facts(hand(tmp_path / "run"))
    assert "their share" not in written(tmp_path, kept, [], ReportFacts(**{**unbounded, "selection": chosen}))


# What is told of the words of clusters


def selected(row: Row, cluster: int | None, number: int, *, words: str, document: str) -> Row:
    told_of = Selected(pull=number, cluster=cluster, transport=None, distance=0.1)
    row["origin"] = {**row["origin"], "selection": told_of, "family": document}
    row["sources"][0]["quotes"][0]["text"] = words
    return Row(**{**row, "instruction": words})


def test_telling_words_set_a_cluster_apart_in_any_script() -> None:
    spoken = {
        0: "چراغ دریایی کجا روشن است",
        1: "灯塔的光在哪里",
        2: "the loom of wool and thread",
        3: "the soup of the cook",
    }
    found = ClusterWords()
    for number, row in enumerate(rows(16)):
        cluster = number % 4
        found.add(selected(row, cluster, number, words=spoken[cluster], document=f"d{number}"))
    telling = found.telling({})
    assert set(telling[0]) <= set("چراغ دریایی کجا روشن است دريايي".split())
    assert set("".join(telling[1])) <= set(spoken[1])
    assert set(telling[2]) <= {"loom", "wool", "and", "thread"}
    # Words that others have too come after those that they lack.
    assert set(telling[3][:2]) == {"soup", "cook"}
    assert all(telling[cluster] for cluster in spoken)


def test_a_pull_of_the_warmup_counts_where_its_documents_belong() -> None:
    found = ClusterWords()
    for number, row in enumerate(rows(4)):
        found.add(
            selected(row, None, number, words="lamp oil" if number < 2 else "turnip broth", document=f"d{number}")
        )
    assert set(found.telling({0: 7, 1: 7, 2: 9})) == {7, 9}
    assert set(found.telling({0: 7, 1: 7, 2: 9})[7]) == {"lamp", "oil"}
    assert found.telling({}) == {}


def test_a_name_in_one_document_is_not_telling() -> None:
    found = ClusterWords()
    for number, row in enumerate(rows(9)):
        names = ("arvik", "bremsa", "corran")
        words = f"lamp {names[number]} {names[number]}" if number < 3 else "loom"
        found.add(selected(row, min(number // 3, 1), number, words=words, document=f"d{number}"))
    assert found.telling({})[0] == ["lamp"]


# A real run


class Runs(NamedTuple):
    chosen: Path
    random: Path


BUDGET = 24


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    place = tmp_path_factory.mktemp("runs")
    corpus = write_coast(place / "coast", 15)
    found = []
    named: list[tuple[str, BaselineName | None]] = [("chosen", None), ("random", "random")]
    for name, baseline in named:
        context = ExtractContext(
            model="offline",
            corpus=[corpus],
            budget_documents=BUDGET,
            baseline=baseline,
            domain="lighthouses",
            warmup=0.3,
        )
        asyncio.run(extract([], place / name, context, pairs=EXAMPLES))
        found.append(place / name)
    return Runs(*found)


def test_the_report_of_a_run_tells_how_it_chose(runs: Runs, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    assert report_run(runs.chosen, out, runs.random) == out
    text = out.read_text(encoding="utf-8")
    page = Page(text)
    words = " ".join(" ".join(page.words).split())
    assert page.tags["script"] == page.tags["img"] == 0
    assert page.tags["polyline"] >= 5
    for wanted in (
        "From pairs to rows",
        "Distance to the examples.",
        "Regret.",
        "Map of the clusters.",
        "lighthouse",
        "pairs found",
        "Beside another run",
    ):
        assert wanted in words
    assert f"{BUDGET} of 60 documents were read in {BUDGET} pulls" in words
    assert "Keywords by Bloom level" not in words
    # Every picture says in words what it shows.
    pictures = re.findall(r'<svg[^>]*class="chart[^>]*>', text)
    assert len(pictures) > 5
    assert all('role="img"' in picture and "aria-label=" in picture for picture in pictures)
    again = tmp_path / "again.html"
    report_run(runs.chosen, again, runs.random)
    assert text == again.read_text(encoding="utf-8")


def test_the_numbers_of_a_run_are_its_ledgers(runs: Runs) -> None:
    found = selection_facts(runs.chosen)
    with reading(runs.chosen / NAME) as db:
        pulls = list(ledgers.read_pulls(db))
        accepted = db.execute("SELECT count(*) FROM rows").fetchone()[0]
    assert found["read"] == sum(len(each["documents"]) for each in pulls) == BUDGET
    assert found["pairs"] == sum(len(each["owners"]) for each in pulls)
    assert found["accepted"] == accepted > 0
    assert found["examples"] == len(EXAMPLES)
    assert sum(each["read"] for each in found["clusters"]) == BUDGET
    assert sum(each["size"] for each in found["clusters"]) == found["documents"] == 60
    assert sum(each["pulls"] for each in found["clusters"]) == found["pulls"] - found["warmup_pulls"]
    beside = selection_facts(runs.chosen, runs.random)
    assert beside["against"] is not None
    assert beside["against"]["distance"] is not None
    assert beside["curve"][-1][1] < beside["against"]["distance"]
    assert all(-1 <= part <= 1 for each in found["clusters"] for part in each["place"])


def test_the_report_of_a_baseline_shows_what_it_can(runs: Runs) -> None:
    found = told(runs.random)
    assert f"A baseline: {BUDGET} of 60 documents were read at random, and nothing was chosen." in found
    assert "Distance to the examples." in found
    assert "Regret." not in found
    assert "Map of the clusters." not in found


def test_the_card_tells_the_method_and_cites_it(runs: Runs, tmp_path: Path) -> None:
    wanted = Wanted(format="messages", shape=Shape(), keep=Selection())
    made = export_run(runs.chosen, wanted, tmp_path / "data.jsonl")
    card = write_card(runs.chosen, wanted, made, tmp_path).read_text(encoding="utf-8")
    assert "eprint = {2505.12250}" in card
    assert f"{BUDGET} of the 60 documents of the pile were read" in card
    assert f"{len(EXAMPLES)} example pairs said what is wanted; the examples are not in the data" in card
    assert "| found |" in card
    assert "| proposed |" not in card
    assert "--seeds FILE" not in card
    assert f"--examples FILE --budget-documents {BUDGET} --run DIR" in card
    assert EXAMPLES[0][1] not in card
    random = write_card(runs.random, wanted, made, tmp_path).read_text(encoding="utf-8")
    assert "were read at random, without choosing" in random


def test_the_command_that_goes_on(tmp_path: Path) -> None:
    run = hand(
        tmp_path / "run", settings={"reward": "coverage", "cover": "/secret/place", "baseline": "all", "tune": True}
    )
    assert run_command(run) == (
        "searchinstruct extract --corpus docs --examples FILE --budget-documents 8 --reward coverage --cover RUN "
        "--baseline all --tune --run DIR"
    )
    shown = settings_shown(read_run(run))
    assert (shown["examples_sha256"], shown["pile_sha256"]) == ("e", "p")


def exported_records(run: Path, format: str, out: Path) -> list[dict[str, Any]]:
    export_run(run, Wanted(format=format, shape=Shape(), keep=Selection()), out)
    if format != "parquet":
        return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    import pyarrow.parquet as pq

    found: list[dict[str, Any]] = pq.read_table(out).to_pylist()
    return found


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_takes_the_rows_of_an_extraction(runs: Runs, tmp_path: Path, format: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs.chosen, run)
    with reading(run / NAME) as db:
        kept = list(ledgers.read_rows(db))
    # The offline model corrects nothing; one pair gets the answer that a correction would have replaced.
    with closing(sqlite3.connect(run / NAME)) as db, db:
        corrected = json.dumps([{"answer": "Nobody knows.", "reason": "corrected"}])
        db.execute(
            "UPDATE rows SET payload = json_set(payload, '$.rejected', json(?)) WHERE id = ?",
            (corrected, kept[0]["id"]),
        )
    found = exported_records(run, format, tmp_path / f"data.{'parquet' if format == 'parquet' else 'jsonl'}")
    if format == "preference":
        assert [(each["chosen"], each["rejected"]) for each in found] == [(kept[0]["answer"], "Nobody knows.")]
        return
    assert len(found) == len(kept)
    text = json.dumps(found[0], ensure_ascii=False)
    assert kept[0]["answer"] in text
    assert kept[0]["instruction"] in text
    assert all(question not in json.dumps(found, ensure_ascii=False) for question, _ in EXAMPLES)


def test_ragas_has_the_quotes_as_contexts(runs: Runs, tmp_path: Path) -> None:
    with reading(runs.chosen / NAME) as db:
        kept = {row["instruction"]: row for row in ledgers.read_rows(db)}
    for record in exported_records(runs.chosen, "ragas", tmp_path / "data.jsonl"):
        row = kept[record["user_input"]]
        assert record["reference_contexts"] == [
            quote["text"] for source in row["sources"] for quote in source["quotes"]
        ]


# The funnel of pairs


def test_the_funnel_of_pairs_in_lines() -> None:
    funnel = Funnel(
        proposed=10,
        refused=4,
        admitted=6,
        answered=6,
        accepted=5,
        rejected=1,
        quarantined=0,
        surplus=0,
        reasons={"off_target": 4, "duplicate": 1},
    )
    lines = text_summary(funnel, None, extracted=True).splitlines()
    assert lines[0].startswith("pairs found")
    assert "50% of the pairs found" in lines[2]
    assert not any("answered" in line or "proposed" in line for line in lines)
    assert all(len(line) < 100 for line in lines)


def test_private_refusals_lend_no_words(tmp_path: Path) -> None:
    from searchinstruct_graph.datasets.report.gather import gather_rejections

    def refused(reason: str, words: str) -> Rejection:
        made = rejection(reason=reason, instruction=words, sources=[], usage=no_spending())
        told_of = Selected(pull=0, cluster=3, transport=None, distance=0.1)
        made["origin"] = {**made["origin"], "selection": told_of}
        return made

    found = gather_rejections([refused("pii", "telephone"), refused("secret", "password")])
    assert found.clusters.telling({}) == {}
    other = gather_rejections([refused("off_target", "turnips")])
    assert 3 in other.clusters.telling({})
