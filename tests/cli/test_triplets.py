"""`searchinstruct triplets` as a user runs it: processes of its own, a real folder, a scripted provider over HTTP."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from searchinstruct_graph.datasets.database import has_table, reading
from searchinstruct_graph.datasets.failpoints import FAILPOINTS
from searchinstruct_graph.datasets.inspection import triplets_resting_on
from searchinstruct_graph.datasets.ledger import Ledger, read_funnel, read_triplet_counts, read_triplets
from searchinstruct_graph.datasets.triplets import query_family, triplet_faults
from tests.support.clinic import pairs, write_clinic, write_pairs
from tests.support.desk import MODEL, json_of
from tests.support.extractive import extractive
from tests.support.scripted_llm import ChatRequest, ScriptedLLM, slow, status
from tests.support.zygote import ForkedShell, Zygote

WORKERS = 3


class Desk(ForkedShell):
    """A shell in a folder with the clinic's pages and pairs."""

    def __init__(self, folder: Path, zygote: Zygote, llm: ScriptedLLM | None = None) -> None:
        super().__init__(folder, zygote, llm)
        write_clinic(folder / "clinic")
        write_pairs(folder / "pairs.jsonl")

    def triplets(self, run: str, *more: str) -> list[str]:
        """The arguments of a triplets run of the pairs in the folder `run`."""
        return ["triplets", "pairs.jsonl", "--run", run, "--concurrency", str(WORKERS), *more]


class Whole(NamedTuple):
    """Everything of a run that neither a kill nor the clock may change."""

    triplets: list[Any]
    families: list[Any]
    refused: list[Any]
    tried: int


def whole(run: Path) -> Whole:
    """What a run's ledger holds; it must be whole, and hold no reply any more."""
    db = sqlite3.connect(run / "ledger.sqlite")
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert db.execute("SELECT count(*) FROM calls").fetchone() == (0,)
    triplets = db.execute("SELECT number, id, family, denying, payload FROM triplets ORDER BY number").fetchall()
    keys = db.execute("SELECT key, family FROM triplet_keys ORDER BY key").fetchall()
    refused = [
        {name: value for name, value in json.loads(payload).items() if name != "usage"}
        for (payload,) in db.execute("SELECT payload FROM rejections ORDER BY number")
    ]
    (tried,) = db.execute("SELECT value FROM facts WHERE name = 'tried'").fetchone()
    db.close()
    return Whole(triplets, keys, refused, int(tried))


def rows_of(run: Path) -> list[Any]:
    with reading(run / "ledger.sqlite") as db:
        return list(read_triplets(db))


def test_pairs_become_triplets_that_are_told_and_sound(tmp_path: Path, provider: ScriptedLLM, zygote: Zygote) -> None:
    desk = Desk(tmp_path, zygote, provider)
    outcome = json_of(desk.do(*desk.triplets("run", *MODEL, "--json")))
    found = outcome["triplets"]
    assert (outcome["ended"], found["pairs"], found["tried"]) == ("pairs", 9, 9)
    assert 5 <= found["kept"] == outcome["accepted"] < 9
    assert sum(found["reasons"].values()) == 9 - found["kept"]
    assert outcome["spent"]["model_calls"] == len(provider.calls())
    assert set(outcome["roles"]) == {"instructor", "poisoner", "passage_writer", "validator"}
    assert outcome["spent"]["cost_usd"] is None  # an unknown price is not nothing
    # What was told is in the ledger, and told again.
    told = json_of(desk.do("status", "run", "--json"))
    assert (told["method"], told["ended"], told["triplets"]) == ("triplets", "pairs", found)
    assert told["funnel"]["accepted"] == found["kept"]
    assert told["funnel"]["rejected"] == 9 - found["kept"]
    shown = desk.do("status", "run").stdout
    assert f"9 of 9 pairs tried: {found['kept']} kept" in shown
    assert "not kept: " in shown
    assert desk.do("doctor", "run").stdout.startswith(f"run is sound: {found['kept']} triplets")
    rows = rows_of(tmp_path / "run")
    assert len(rows) == found["kept"]
    for row in rows:
        assert triplet_faults(row) == []
        assert set(row["models"].values()) == {"openai:scripted"}
        assert row["versions"]["write_passage"] == "1"
    assert found["found"] + found["written"] == 2 * len(rows)
    # Rows that share a query, or a family that was given, are one family.
    groups = [query_family(row["query_positive"]) for row in rows]
    for one, row in zip(groups, rows, strict=True):
        assert {each["family"] for group, each in zip(groups, rows, strict=True) if group == one} == {row["family"]}
    assert found["families"] == len({row["family"] for row in rows})


def test_a_person_is_told_how_many_tries_were_kept_and_what_goes_wrong(tmp_path: Path, zygote: Zygote) -> None:
    desk = Desk(tmp_path, zygote)
    done = desk.do(*desk.triplets("run"))
    assert done.returncode == 0, done.stderr
    kept = len(rows_of(tmp_path / "run"))
    assert f"{kept} triplets: every pair was tried" in done.stdout
    assert f"9 of 9 pairs tried: {kept} kept ({round(100 * kept / 9)}%), {9 - kept} not" in done.stdout
    assert "hard negatives: " in done.stdout
    assert "next: searchinstruct export run --format triplets" in done.stdout
    assert "run run: 9 pairs, 0 of them tried" in done.stderr
    short = desk.do(*desk.triplets("run", "--target", "500"))
    assert short.returncode == 3, short.stderr
    for number, (text, _) in enumerate(BAD):
        (tmp_path / f"bad{number}.jsonl").write_text(text)
    (tmp_path / "none.jsonl").write_text("\n")
    for wrong, words in (
        (["triplets", "--run", "run"], "--corpus URI"),
        (["triplets", "pairs.jsonl"], "--run DIR"),
        (["triplets", "missing.jsonl", "--run", "other"], "missing.jsonl"),
        (["triplets", "none.jsonl", "--run", "other"], "none.jsonl has none"),
        (["triplets", "--corpus", "nowhere", "--run", "other"], "nowhere"),
        ([*desk.triplets("run", "--least-score", "0.9")], "settings.least_score: 0.5 → 0.9"),
        ([*desk.triplets("other", "--least-edit", "0.9")], "least_edit (0.9) must be below most_edit (0.7)"),
        ([*desk.triplets("run", "--target", "1")], "cannot take some back"),
        ([*desk.triplets("other", "--modle", "x")], "--modle"),
        *((["triplets", f"bad{number}.jsonl", "--run", "other"], words) for number, (_, words) in enumerate(BAD)),
    ):
        failed = desk.do(*wrong)
        assert failed.returncode == 2, wrong
        assert words in failed.stderr
        assert len(failed.stderr.strip().splitlines()) == 1, failed.stderr
    assert not (tmp_path / "other" / "run.json").exists()


def test_a_run_that_keeps_nothing_or_ends_early_says_why(tmp_path: Path, zygote: Zygote) -> None:
    desk = Desk(tmp_path, zygote)
    foreign = [
        {"query": "درمان تب کاه چیست", "passage": "تب کاه با استراحت درمان می‌شود."},
        {"query": "稻草热怎么治疗", "passage": "稻草热通过休息治疗。"},
    ]
    write_pairs(tmp_path / "foreign.jsonl", foreign)
    none = desk.do("triplets", "foreign.jsonl", "--run", "foreign", "--max-pairs", "1")
    assert none.returncode == 3, none.stderr
    assert "0 triplets: 1 pairs were tried, as --max-pairs says" in none.stdout
    assert "the offline model reads English alone" in none.stdout


BAD = (
    ('{"query": "who"}\n', "bad0.jsonl:1: no passage"),
    ('{"query": "who", "passage": "He."}\n{"query": "", "text": "It."}\n', "bad1.jsonl:2: no query"),
    ("{not json\n", "bad2.jsonl"),
)


def test_the_passages_of_a_corpus_are_asked_about(tmp_path: Path, zygote: Zygote) -> None:
    desk = Desk(tmp_path, zygote)
    command = ["triplets", "--corpus", "clinic", "--json"]
    outcome = json_of(desk.do(*command, "--run", "run", "--seed", "1"))
    found = outcome["triplets"]
    assert (found["pairs"], found["tried"]) == (9, 9)
    assert found["kept"] > 0
    assert outcome["spent"]["searches"] > 0
    assert outcome["roles"]["query_writer"]["model_calls"] >= 9
    rows = rows_of(tmp_path / "run")
    for row in rows:
        assert all(uri.startswith("clinic/") for uri in row["uris"].values())
        assert row["document"] in (tmp_path / row["uris"]["document"]).read_text()
    few = json_of(desk.do(*command, "--run", "few", "--seed", "1", "--max-pairs", "4"))
    assert few["triplets"]["tried"] == 4
    more = json_of(desk.do(*command, "--run", "few", "--seed", "1"))
    assert more["triplets"] == found
    assert whole(tmp_path / "few") == whole(tmp_path / "run")
    # Numbered passages are those of one state of the corpus.
    (tmp_path / "clinic" / "new.md").write_text("# New\n\nNew text.\n")
    changed = desk.do("triplets", "--corpus", "clinic", "--run", "run", "--seed", "1")
    assert changed.returncode == 2
    assert "passages: " in changed.stderr


def test_hard_negatives_are_looked_for_in_a_corpus_beside_the_pairs(tmp_path: Path, zygote: Zygote) -> None:
    desk = Desk(tmp_path, zygote)
    plain = [{name: each[name] for name in ("query", "passage")} for each in pairs()[:3]]
    write_pairs(tmp_path / "plain.jsonl", plain)
    outcome = json_of(desk.do("triplets", "plain.jsonl", "--corpus", "clinic", "--run", "run", "--json"))
    assert outcome["triplets"]["pairs"] == 3
    assert outcome["spent"]["searches"] > 0
    uris = [uri for row in rows_of(tmp_path / "run") for uri in row["uris"].values()]
    assert uris
    assert all(uri.startswith("clinic/") for uri in uris)


def test_a_dry_run_extrapolates_and_keeps_nothing(tmp_path: Path, zygote: Zygote) -> None:
    desk = Desk(tmp_path, zygote)
    told = json_of(desk.do(*desk.triplets("run", "--dry-run", "--json")))
    assert (told["pairs"], told["trial_pairs"], told["tries"]) == (9, 9, 9)
    assert told["kept"] == told["trial_kept"] > 0
    assert told["model_calls"] > 0
    assert not (tmp_path / "run").exists()
    assert "triplets expected" in desk.do(*desk.triplets("run", "--dry-run", "--target", "2")).stdout


def test_a_smaller_target_goes_on_to_a_larger_one_whatever_the_workers(tmp_path: Path, zygote: Zygote) -> None:
    desk = Desk(tmp_path, zygote)
    assert desk.do(*desk.triplets("all")).returncode == 0
    few = json_of(desk.do(*desk.triplets("run", "--target", "2", "--concurrency", "1", "--json")))
    assert (few["ended"], few["accepted"]) == ("target", 2)
    assert rows_of(tmp_path / "run") == [
        {**row, "family": few_row["family"]}
        for row, few_row in zip(rows_of(tmp_path / "all"), rows_of(tmp_path / "run"), strict=False)
    ]
    assert desk.do(*desk.triplets("run")).returncode == 0
    assert whole(tmp_path / "run") == whole(tmp_path / "all")


def test_held_out_questions_duplicates_and_negations_are_kept_out_in_order(tmp_path: Path, zygote: Zygote) -> None:
    (tmp_path / "held.jsonl").write_text(json.dumps({"question": "What should one know about marsh palsy?"}) + "\n")

    def denying(request: ChatRequest) -> object:
        wanted = "Only texts that speak of warm rooms in winter and of cold nights count."
        if request.schema == "WrittenInstruction":
            return {"instruction": wanted, "kind": "mention", "evidence": ""}
        if request.schema == "PoisonedInstruction":
            return {"instruction": wanted.replace("that speak", "that do not speak"), "changed": "not"}
        if request.schema == "PoisonedQuery":
            return {"query": request.tag("query").replace("know about", "read of") + " at home", "changed": ""}
        if request.schema == "TripletReview":
            answers = [
                {"question": each, "holds": True, "score": 0.9, "quote": "", "reason": "yes"} for each in "abcde"
            ]
            return {"answers": answers}
        return extractive(request) if request.schema != "WrittenPassage" else {"passage": request.tag("target") + "x"}

    with ScriptedLLM(denying) as llm:
        desk = Desk(tmp_path, zygote, llm)
        write_pairs(tmp_path / "pairs.jsonl", [{**each, "family": ""} for each in pairs()])
        found = json_of(
            desk.do(*desk.triplets("run", *MODEL, "--decontaminate", "held.jsonl", "--negation-share", "1", "--json"))
        )["triplets"]
        assert found["reasons"]["contaminated"] == 3
        assert (found["kept"], found["denying"]) == (2, 2)
        assert found["reasons"]["duplicate"] == 4  # one query with one instruction is asked once
        strict = desk.do(*desk.triplets("strict", *MODEL, "--negation-share", "0.1", "--json"))
        assert strict.returncode == 3
        found = json.loads(strict.stdout)["triplets"]
        assert (found["kept"], found["reasons"]) == (0, {"negation_share": 9})


def test_a_purged_source_takes_its_triplets_along_and_never_comes_back(tmp_path: Path, zygote: Zygote) -> None:
    desk = Desk(tmp_path, zygote)
    assert desk.do(*desk.triplets("run")).returncode == 0
    page = "clinic/glass-lung-symptoms.md"
    before = rows_of(tmp_path / "run")
    resting = [row for row in before if page in row["uris"].values()]
    assert 0 < len(resting) < len(before)
    purged = desk.do("purge", "run", "--source", page, "--yes")
    assert purged.returncode == 0, purged.stderr
    assert f"removed {len(resting)} triplets" in purged.stdout
    assert [row["id"] for row in rows_of(tmp_path / "run")] == [row["id"] for row in before if row not in resting]
    assert desk.do(*desk.triplets("run")).returncode == 0
    assert len(rows_of(tmp_path / "run")) == len(before) - len(resting)
    assert desk.do("doctor", "run").returncode == 0
    fresh = desk.do("purge", "run", "--source", "nowhere.md", "--yes")
    assert "nothing in run rests on" in fresh.stdout


def test_doctor_finds_a_triplet_that_was_changed(tmp_path: Path, zygote: Zygote) -> None:
    desk = Desk(tmp_path, zygote)
    assert desk.do(*desk.triplets("run", "--target", "1")).returncode == 0
    with sqlite3.connect(tmp_path / "run" / "ledger.sqlite") as db:
        db.execute("UPDATE triplets SET payload = json_set(payload, '$.document', 'other')")
    sick = desk.do("doctor", "run")
    assert sick.returncode == 1
    assert "1 triplets are not what their ids say" in sick.stdout


# Kills.


class Unkilled(NamedTuple):
    """A run that nobody disturbed: its folder, what it holds, and its calls."""

    folder: Path
    whole: Whole
    calls: int


FEW = 4
"""Pairs of the runs that are killed."""


@pytest.fixture(scope="module")
def unkilled(tmp_path_factory: pytest.TempPathFactory, zygote: Zygote) -> Unkilled:
    folder = tmp_path_factory.mktemp("unkilled")
    with ScriptedLLM(extractive) as llm:
        desk = Desk(folder, zygote, llm)
        done = desk.do(*desk.triplets("run", *MODEL, "--max-pairs", str(FEW)))
        assert done.returncode == 0, done.stderr
        return Unkilled(folder, whole(folder / "run"), len(llm.calls()))


PASSAGES = {
    "call.before": [1],
    "call.answered": [9],
    "call.saved": [5],
    "triplet.before": [1, FEW],
    "triplet.committed": [2],
}


def test_every_place_that_a_triplets_run_passes_is_aimed_at() -> None:
    assert set(PASSAGES) <= set(FAILPOINTS)
    assert {point for point in FAILPOINTS if point.startswith("triplet.")} <= set(PASSAGES)


@pytest.mark.parametrize("armed", [f"{point}:{count}" for point, counts in PASSAGES.items() for count in counts])
def test_killed_at_a_failpoint_the_same_command_ends_with_the_same_run(
    armed: str, unkilled: Unkilled, provider: ScriptedLLM, zygote: Zygote
) -> None:
    desk, run = Desk(unkilled.folder, zygote, provider), f"run-{armed.replace(':', '-')}"
    command = desk.triplets(run, *MODEL, "--max-pairs", str(FEW))
    killed = desk.do(*command, SEARCHINSTRUCT_FAILPOINT=armed)
    assert killed.returncode == -signal.SIGKILL
    done = desk.do(*command)
    assert done.returncode == 0, done.stderr
    assert whole(unkilled.folder / run) == unkilled.whole
    # Only what was in flight at the kill is asked again: calls, and replies on their way to the disk.
    assert unkilled.calls <= len(provider.calls()) <= unkilled.calls + 2 * WORKERS


def test_one_signal_drains_and_the_same_command_goes_on(unkilled: Unkilled, zygote: Zygote) -> None:
    with ScriptedLLM(lambda request: slow(0.1, extractive(request))) as llm:
        desk = Desk(unkilled.folder, zygote, llm)
        command = desk.triplets("run-drained", *MODEL, "--max-pairs", str(FEW), "--concurrency", "1")
        process = desk.begin(*command)
        while len(llm.calls()) < 3:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "resume with the same command" in error
        made = len(llm.calls())
        done = desk.do(*command)
        assert done.returncode == 0, done.stderr
        assert whole(unkilled.folder / "run-drained") == unkilled.whole
        # Whatever was in flight was finished and kept: nothing is asked twice.
        assert made < len(llm.calls()) == unkilled.calls


# Providers that fail, and money.


def test_a_pair_that_the_provider_cannot_take_is_passed_over_while_others_are_done(
    tmp_path: Path, zygote: Zygote
) -> None:
    unlucky = pairs()[1]["passage"]

    def unwilling(request: ChatRequest) -> object:
        return status(400, "no") if request.tag("passage") == unlucky else extractive(request)

    with ScriptedLLM(unwilling) as llm:
        desk = Desk(tmp_path, zygote, llm)
        found = json_of(desk.do(*desk.triplets("run", *MODEL, "--max-pairs", str(FEW), "--json")))["triplets"]
        assert found["reasons"]["provider_failed"] == 1
        assert found["stages"]["pair"] == 1
        assert found["kept"] > 0


def test_money_is_a_hard_stop_and_a_larger_purse_goes_on(unkilled: Unkilled, tmp_path: Path, zygote: Zygote) -> None:
    with ScriptedLLM(extractive) as llm:
        desk = Desk(tmp_path, zygote, llm)
        (tmp_path / "prices.json").write_text('{"openai:scripted": {"input": 1000.0, "output": 1000.0}}')
        prices = {"SEARCHINSTRUCT_PRICES": str(tmp_path / "prices.json")}
        # Every call of the scripted provider has 15 tokens.
        half = unkilled.calls * 0.015 / 2
        command = [*desk.triplets("run", *MODEL, "--json"), "--max-pairs", str(FEW)]
        poor = desk.do(*command, "--max-cost", str(half), **prices)
        assert poor.returncode == 3, poor.stderr
        told = json.loads(poor.stdout)
        assert told["ended"] == "max_cost"
        assert 0 < told["spent"]["cost_usd"] <= half + 1e-9  # floats are added up
        rich = desk.do(*command, "--max-cost", "100000", **prices)
        assert rich.returncode == 0, rich.stderr
        assert len(llm.calls()) == unkilled.calls
        assert whole(tmp_path / "run") == unkilled.whole


def test_a_ledger_from_before_there_were_triplets_is_read_and_mended(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    with sqlite3.connect(tmp_path / "ledger.sqlite") as db:
        db.execute("DROP TABLE triplets")
        db.execute("DROP TABLE triplet_keys")
    with reading(tmp_path / "ledger.sqlite") as old:
        assert list(read_triplets(old)) == []
        assert read_triplet_counts(old) == (0, 0)
        assert read_funnel(old)["proposed"] == 0
        assert triplets_resting_on(old, "clinic") == []
    Ledger(tmp_path).close()  # opened to write, it gets the tables
    with reading(tmp_path / "ledger.sqlite") as new:
        assert has_table(new, "triplets")
