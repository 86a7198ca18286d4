"""`searchinstruct edit` as a user runs it: processes of its own, a real folder, a scripted provider over HTTP."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from searchinstruct_graph.datasets.failpoints import FAILPOINTS
from tests.support.desk import MODEL, json_of, payloads
from tests.support.extractive import extractive
from tests.support.scripted_llm import ChatRequest, ScriptedLLM, slow, status
from tests.support.town import CARRIED, FACTS, write_facts, write_town
from tests.support.zygote import ForkedShell, Zygote

WORKERS = 4


class Town(ForkedShell):
    """A shell in a folder with the town's almanac and the facts that have changed."""

    def __init__(self, folder: Path, zygote: Zygote, llm: ScriptedLLM | None = None) -> None:
        super().__init__(folder, zygote, llm)
        write_town(folder / "town")
        write_facts(folder / "facts.jsonl")

    def edit(self, run: str, *more: str) -> list[str]:
        """The arguments of an edit set of the town's facts in the folder `run`."""
        return [
            *("edit", "--facts", "facts.jsonl", "--corpus", "town", "--run", run),
            *("--wordings", "6", "--concurrency", str(WORKERS), *more),
        ]


class Whole(NamedTuple):
    """Everything of a run that neither a kill nor the clock may change."""

    rows: dict[str, str]
    refused: list[Any]
    edits: list[Any]
    probes: list[Any]
    pool: list[Any]


def probes_of(run: Path) -> list[dict[str, Any]]:
    """The probes of a run's ledger, without the time at which their pages were read."""
    db = sqlite3.connect(run / "ledger.sqlite")
    payloads_ = db.execute("SELECT payload FROM probes WHERE payload IS NOT NULL ORDER BY ordinal").fetchall()
    found = [json.loads(payload) for (payload,) in payloads_]
    db.close()
    return [
        {**each, "sources": [{k: v for k, v in s.items() if k != "retrieved_at"} for s in each["sources"]]}
        for each in found
    ]


def whole(run: Path) -> Whole:
    """What a run's ledger holds."""
    db = sqlite3.connect(run / "ledger.sqlite")
    refused = [
        (each["id"], each["reason"], each["detail"], each["instruction"])
        for (payload,) in db.execute("SELECT payload FROM rejections ORDER BY number")
        for each in [json.loads(payload)]
    ]
    edits = [json.loads(payload) for (payload,) in db.execute("SELECT payload FROM edits ORDER BY number")]
    pool = db.execute("SELECT wave, hex(segment) FROM pool ORDER BY wave").fetchall()
    assert db.execute("SELECT count(*) FROM calls").fetchone() == (0,)
    db.close()
    return Whole(payloads(run), refused, edits, probes_of(run), pool)


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_facts_become_pairs_and_probes_that_are_told_exported_and_sound(
    tmp_path: Path, provider: ScriptedLLM, zygote: Zygote
) -> None:
    desk = Town(tmp_path, zygote, provider)
    outcome = json_of(desk.run(*desk.edit("run", *MODEL, "--json")))
    edits = outcome["edits"]
    assert (outcome["ended"], edits["facts"], edits["accepted"], edits["rejected"]) == ("facts", 5, 3, 2)
    assert edits["reasons"] == {"contradicted": 1, "no_evidence": 1}
    assert outcome["accepted"] == edits["pairs"] > 12
    assert outcome["spent"]["model_calls"] == len(provider.calls())
    assert {"searcher", "editor", "prober", "critic"} <= set(outcome["roles"])
    assert outcome["spent"]["cost_usd"] is None  # an unknown price is not nothing
    # What was told is in the ledger, and told again.
    told = json_of(desk.do("status", "run", "--json"))
    assert (told["method"], told["ended"], told["edits"]) == ("edit", "facts", edits)
    assert "3 accepted, 2 rejected" in desk.do("status", "run").stdout
    assert desk.do("doctor", "run").stdout.startswith(f"run is sound: {outcome['accepted']} rows")
    # Pairs as a trainer takes them.
    assert desk.do("export", "run", "--format", "preference", "--conversational", "--out", "p.jsonl").returncode == 0
    pairs = lines(tmp_path / "p.jsonl")
    assert len(pairs) == edits["pairs"]
    for pair in pairs:
        ((chosen,), (rejected,)) = pair["chosen"], pair["rejected"]
        fact = next(each for each in FACTS if each["new"] in chosen["content"])
        assert fact["new"] in CARRIED
        assert fact["old"].removeprefix("the ") in rejected["content"]
        assert fact["old"] not in chosen["content"]
        assert pair["prompt"][0]["role"] == "user"
        assert pair["metadata"]["reason"] == "stale"
    # Every quote stands where it is said to stand.
    assert desk.do("export", "run", "--format", "rows", "--out", "rows.jsonl", "--card").returncode == 0
    rows = lines(tmp_path / "rows.jsonl")
    for row in rows:
        edited = row["origin"]["edit"]
        assert row["origin"]["operation"] == "edit"
        assert row["origin"]["family"] == edited["fact"]
        assert 0 < edited["change"] <= 0.5
        assert (
            edited["new"] in "".join(row["answer"][start:end] + " " for start, end in edited["spans"]) + row["answer"]
        )
        assert edited["new"] in " ".join(quote["text"] for s in row["sources"] for quote in s["quotes"])
        for source in row["sources"]:
            text = (tmp_path / source["uri"]).read_text(encoding="utf-8")
            assert all(quote["text"] in text for quote in source["quotes"])
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "corrects 3 facts of 5" in card
    assert "searchinstruct edit --facts FILE" in card
    # Probes are beside the rows, not among them.
    assert desk.do("export", "run", "--format", "probes", "--out", "probes.jsonl").returncode == 0
    probes = lines(tmp_path / "probes.jsonl")
    assert probes == lines(tmp_path / outcome["probes"])
    assert {each["kind"]: 0 for each in probes} == dict.fromkeys(edits["probes"], 0)
    assert {kind: sum(each["kind"] == kind for each in probes) for kind in edits["probes"]} == edits["probes"]
    asked = {row["instruction"].casefold().rstrip("?.") for row in rows}
    assert not any(each["question"].casefold().rstrip("?.") in asked for each in probes)
    locality = [each for each in probes if each["kind"] == "locality"]
    assert any(each["answer"] == "Thursday" for each in locality)
    for each in locality:
        assert each["stale"] == ""
        assert not any(new in each["answer"] for new in CARRIED)
    report = desk.do("report", "run")
    assert report.returncode == 0, report.stderr
    page = (tmp_path / report.stdout.strip()).read_text(encoding="utf-8")
    assert "<mark>Ines Arkwright</mark>" in page
    assert "<mark>Tobias Renn</mark>" in page
    assert "contradicted" in page


def test_a_person_is_told_how_it_went_and_what_goes_wrong(tmp_path: Path, zygote: Zygote) -> None:
    desk = Town(tmp_path, zygote)
    done = desk.do(*desk.edit("run"))
    assert done.returncode == 0, done.stderr  # rejected facts are an answer
    assert "5 of 5 facts done: 3 accepted, 2 rejected (1 contradicted, 1 no evidence)" in done.stdout
    assert "probes: " in done.stdout
    assert "next: searchinstruct export run --format preference" in done.stdout
    short = desk.do(*desk.edit("run", "--target", "500"))
    assert short.returncode == 3, short.stderr
    write_facts(tmp_path / "none.jsonl", [FACTS[4]])
    nothing = desk.do("edit", "--facts", "none.jsonl", "--corpus", "town", "--run", "nothing")
    assert nothing.returncode == 3
    assert "no evidence" in nothing.stdout
    for wrong, words in (
        (["edit", "--run", "run"], "--facts FILE"),
        (["edit", "--facts", "facts.jsonl"], "--run DIR"),
        (["edit", "--facts", "missing.jsonl", "--run", "other"], "missing.jsonl"),
        ([*desk.edit("run", "--max-change", "0.2")], "settings.max_change: 0.5 → 0.2"),
        ([*desk.edit("other", "--stale-model", "offline")], "stale_model"),
        (["export", "run", "--format", "probes", "--split", "train=0.5,test=0.5"], "whole"),
        (["export", "run", "--format", "nothing"], "probes"),
    ):
        failed = desk.do(*wrong)
        assert failed.returncode == 2, wrong
        assert words in failed.stderr
        assert len(failed.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "other").exists() or not (tmp_path / "other" / "run.json").exists()


def test_a_dry_run_extrapolates_and_keeps_nothing(tmp_path: Path, zygote: Zygote) -> None:
    desk = Town(tmp_path, zygote)
    write_facts(tmp_path / "facts.jsonl", [{**FACTS[0], "as_of": str(year)} for year in range(2001, 2013)])
    told = json_of(desk.do(*desk.edit("run", "--dry-run", "--json")))
    assert (told["facts"], told["trial_facts"]) == (12, 5)
    assert told["rows"] == round(told["trial_rows"] * 12 / 5)
    assert told["model_calls"] > 0
    assert not (tmp_path / "run").exists()


def test_a_smaller_target_leaves_rows_over_for_a_larger_one(tmp_path: Path, zygote: Zygote) -> None:
    desk = Town(tmp_path, zygote)
    assert desk.do(*desk.edit("all")).returncode == 0
    few = json_of(desk.do(*desk.edit("run", "--target", "7", "--json")))
    assert (few["ended"], few["accepted"]) == ("target", 7)
    rows = list(payloads(tmp_path / "all"))
    # A row's id hangs on the run's configuration, which the target is not part of.
    assert list(payloads(tmp_path / "run")) == rows[:7]
    assert desk.do(*desk.edit("run", "--target", "3")).returncode == 2
    assert desk.do(*desk.edit("run")).returncode == 0
    assert whole(tmp_path / "run") == whole(tmp_path / "all")


def test_a_purged_source_takes_its_rows_and_probes_along(tmp_path: Path, zygote: Zygote) -> None:
    desk = Town(tmp_path, zygote)
    assert desk.do(*desk.edit("run")).returncode == 0
    assert desk.do("export", "run", "--format", "preference").returncode == 0
    before = probes_of(tmp_path / "run")
    purged = desk.do("purge", "run", "--source", "town/bridge.md", "--yes")
    assert purged.returncode == 0, purged.stderr
    assert "probes" in purged.stdout
    for name in ("preference", "probes"):
        text = (tmp_path / "run" / "exports" / f"{name}.jsonl").read_text(encoding="utf-8")
        assert "Alder" not in text
        assert "Veldmoor" in text
    left = lines(tmp_path / "run" / "exports" / "probes.jsonl")
    assert 0 < len(left) < len(before)
    assert f"{len(before) - len(left)} probes" in purged.stdout
    told = json_of(desk.do("status", "run", "--json"))["edits"]
    assert (told["accepted"], told["reasons"]["purged"]) == (2, 1)
    # Nothing of it comes back, and the run is sound.
    assert desk.do(*desk.edit("run")).returncode == 0
    assert lines(tmp_path / "run" / "exports" / "probes.jsonl") == left
    assert desk.do("doctor", "run").returncode == 0
    rejected = desk.do("purge", "run", "--source", "town/library.md", "--yes")
    assert "1 rejections" in rejected.stdout  # of the fact that this page contradicts


def test_doctor_finds_a_row_that_asks_what_a_probe_asks_and_no_export_holds_both(
    tmp_path: Path, zygote: Zygote
) -> None:
    desk = Town(tmp_path, zygote)
    assert desk.do(*desk.edit("run")).returncode == 0
    question = probes_of(tmp_path / "run")[0]["question"]
    with sqlite3.connect(tmp_path / "run" / "ledger.sqlite") as db:
        ordinal, payload = db.execute("SELECT ordinal, payload FROM rows LIMIT 1").fetchone()
        changed = json.dumps({**json.loads(payload), "instruction": f" {question.upper()}"})
        db.execute("UPDATE rows SET payload = ? WHERE ordinal = ?", (changed, ordinal))
    sick = desk.do("doctor", "run")
    assert sick.returncode == 1
    assert "1 rows ask what a probe asks" in sick.stdout
    rows = desk.do("export", "run", "--format", "messages", "--out", "m.jsonl")
    assert "1 without: held out as a probe" in rows.stdout
    assert question.upper() not in (tmp_path / "m.jsonl").read_text(encoding="utf-8")
    probes = desk.do("export", "run", "--format", "probes", "--out", "q.jsonl")
    assert "1 without: asked in training" in probes.stdout
    assert question not in [each["question"] for each in lines(tmp_path / "q.jsonl")]


def test_a_ledger_from_before_there_were_probes_is_read_and_mended(tmp_path: Path, zygote: Zygote) -> None:
    desk = Town(tmp_path, zygote)
    (tmp_path / "seeds.txt").write_text("When is the reading room of the library closed?\n")
    build = ["build", "--seeds", "seeds.txt", "--corpus", "town", "--run", "old", "--target", "1", "--no-expand"]
    assert desk.do(*build).returncode == 0
    with sqlite3.connect(tmp_path / "old" / "ledger.sqlite") as db:
        db.execute("DROP TABLE probes")
        db.execute("DROP TABLE edits")
    assert json_of(desk.do("status", "old", "--json"))["edits"] is None
    assert desk.do("doctor", "old").returncode == 0
    assert desk.do("export", "old", "--format", "messages").returncode == 0
    none = desk.do("export", "old", "--format", "probes")
    assert none.returncode == 2
    assert "has no probes" in none.stderr
    assert desk.do(*build).returncode == 0  # opened to write, it gets the tables
    assert desk.do("purge", "old", "--source", "town/library.md", "--yes").returncode == 0


# Kills.


class Unkilled(NamedTuple):
    """A run that nobody disturbed: its folder, what it holds, and its calls."""

    folder: Path
    whole: Whole
    calls: int


@pytest.fixture(scope="module")
def unkilled(tmp_path_factory: pytest.TempPathFactory, zygote: Zygote) -> Unkilled:
    folder = tmp_path_factory.mktemp("unkilled")
    with ScriptedLLM(extractive) as llm:
        desk = Town(folder, zygote, llm)
        done = desk.do(*desk.edit("run", *MODEL))
        assert done.returncode == 0, done.stderr
        return Unkilled(folder, whole(folder / "run"), len(llm.calls()))


PASSAGES = {
    **{point: [1, 20] for point in ("call.before", "call.answered", "call.saved")},
    **{point: [1, 3, len(FACTS)] for point in ("fact.before", "fact.committed")},
    **{point: [1] for point in ("export.written", "export.renamed")},
}


def test_every_place_that_an_edit_set_passes_is_aimed_at() -> None:
    assert set(PASSAGES) <= set(FAILPOINTS)
    assert {point for point in FAILPOINTS if point.startswith("fact.")} <= set(PASSAGES)


@pytest.mark.parametrize("armed", [f"{point}:{count}" for point, counts in PASSAGES.items() for count in counts])
def test_killed_at_a_failpoint_the_same_command_ends_with_the_same_run(
    armed: str, unkilled: Unkilled, provider: ScriptedLLM, zygote: Zygote
) -> None:
    desk, run = Town(unkilled.folder, zygote, provider), f"run-{armed.replace(':', '-')}"
    killed = desk.do(*desk.edit(run, *MODEL), SEARCHINSTRUCT_FAILPOINT=armed)
    assert killed.returncode == -signal.SIGKILL
    done = desk.do(*desk.edit(run, *MODEL))
    assert done.returncode == 0, done.stderr
    assert whole(unkilled.folder / run) == unkilled.whole
    assert [each["id"] for each in lines(unkilled.folder / run / "exports" / "probes.jsonl")] == [
        each["id"] for each in unkilled.whole.probes
    ]
    # Only what was in flight at the kill is asked again: calls, and replies on their way to the disk.
    assert unkilled.calls <= len(provider.calls()) <= unkilled.calls + 2 * WORKERS


def test_killed_again_and_again_nothing_is_lost_or_doubled(unkilled: Unkilled, zygote: Zygote) -> None:
    with ScriptedLLM(lambda request: slow(0.03, extractive(request))) as late:
        desk, draw, kills = Town(unkilled.folder, zygote, late), random.Random(7), 0
        while kills < 4:
            before = len(late.calls())
            process = desk.begin(*desk.edit("run-random", *MODEL))
            deadline = time.monotonic() + 60
            # The clock of a busy machine says little about how far a process is; its calls do.
            while process.poll() is None and len(late.calls()) <= before and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(draw.uniform(0.0, 0.3))
            if process.poll() is not None:
                process.communicate()
                break
            process.kill()
            process.communicate()
            kills += 1
        assert kills
        done = desk.do(*desk.edit("run-random", *MODEL))
        assert done.returncode == 0, done.stderr
        assert whole(unkilled.folder / "run-random") == unkilled.whole
        assert len(late.calls()) <= unkilled.calls + kills * 2 * WORKERS


def test_one_signal_drains_and_the_same_command_goes_on(unkilled: Unkilled, zygote: Zygote) -> None:
    with ScriptedLLM(lambda request: slow(0.1, extractive(request))) as llm:
        desk = Town(unkilled.folder, zygote, llm)
        process = desk.begin(*desk.edit("run-drained", *MODEL, "--concurrency", "1"))
        while len(llm.calls()) < 3:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "resume with the same command" in error
        made = len(llm.calls())
        done = desk.do(*desk.edit("run-drained", *MODEL))
        assert done.returncode == 0, done.stderr
        assert whole(unkilled.folder / "run-drained") == unkilled.whole
        # Whatever was in flight was finished and kept: nothing is asked twice.
        assert made < len(llm.calls()) == unkilled.calls


# Providers that fail, and money.


def test_a_fact_that_the_provider_cannot_take_is_passed_over_while_others_are_done(
    tmp_path: Path, zygote: Zygote
) -> None:
    def unwilling(request: ChatRequest) -> object:
        return status(400, "no") if "Alder Bridge" in request.user else extractive(request)

    with ScriptedLLM(unwilling) as llm:
        desk = Town(tmp_path, zygote, llm)
        edits = json_of(desk.do(*desk.edit("run", *MODEL, "--json")))["edits"]
        assert edits["reasons"] == {"contradicted": 1, "no_evidence": 1, "provider_failed": 1}
        assert edits["accepted"] == 2


def test_money_is_a_hard_stop_and_a_larger_purse_goes_on(unkilled: Unkilled, tmp_path: Path, zygote: Zygote) -> None:
    with ScriptedLLM(extractive) as llm:
        desk = Town(tmp_path, zygote, llm)
        (tmp_path / "prices.json").write_text('{"openai:scripted": {"input": 1000.0, "output": 1000.0}}')
        prices = {"SEARCHINSTRUCT_PRICES": str(tmp_path / "prices.json")}
        whole_cost = json_of(desk.do(*desk.edit("priced", *MODEL, "--json"), **prices))["spent"]["cost_usd"]
        before = len(llm.calls())
        poor = desk.do(*desk.edit("run", *MODEL, "--max-cost", str(whole_cost / 2), "--json"), **prices)
        assert poor.returncode == 3, poor.stderr
        told = json.loads(poor.stdout)
        assert told["ended"] == "max_cost"
        assert 0 < told["spent"]["cost_usd"] <= whole_cost / 2
        made = len(llm.calls()) - before
        rich = desk.do(*desk.edit("run", *MODEL, "--max-cost", "100000", "--json"), **prices)
        assert rich.returncode == 0, rich.stderr
        assert len(llm.calls()) - before == unkilled.calls > made
        assert probes_of(tmp_path / "run") == unkilled.whole.probes


def test_pages_without_a_title_or_in_other_scripts_do_no_harm(tmp_path: Path, zygote: Zygote) -> None:
    desk = Town(tmp_path, zygote)
    (tmp_path / "town" / "fa.md").write_text(
        "شهردار ولدمور از سال ۱۴۰۳ آوا کریمی است. پیش از او رضا شریفی شهردار بود.\n"
    )
    (tmp_path / "town" / "zh.md").write_text("韦尔德穆尔图书馆的馆长是李明。图书馆有一万二千册藏书。\n")
    facts = [
        {
            "subject": "ولدمور",
            "relation": "شهردار",
            "old": "رضا شریفی",
            "new": "آوا کریمی",
            "question": "شهردار ولدمور کیست؟",
        },
        {
            "subject": "韦尔德穆尔图书馆",
            "relation": "馆长",
            "old": "王芳",
            "new": "李明",
            "question": "韦尔德穆尔图书馆的馆长是谁？",
        },
        {"subject": "<b>x</b>", "relation": "</fact> ignore", "old": "<i>", "new": "\u202eevil"},
    ]
    write_facts(tmp_path / "facts.jsonl", facts)
    done = desk.do(*desk.edit("run", "--json"))
    assert done.returncode in (0, 3), done.stderr
    edits = json.loads(done.stdout)["edits"]
    assert edits["accepted"] + edits["rejected"] == 3
    report = desk.do("report", "run")
    page = (tmp_path / report.stdout.strip()).read_text(encoding="utf-8")
    assert "<b>x</b>" not in page
    assert "\u202e" not in page
