"""`searchinstruct extract` as a user runs it: processes of its own, a real folder, a scripted provider over HTTP."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from searchinstruct_graph.datasets.failpoints import FAILPOINTS
from searchinstruct_graph.models.embeddings import embeddings
from searchinstruct_graph.tools.corpus import Pile
from tests.support.coast import kind_of, records, write_coast, write_examples
from tests.support.desk import MODEL, json_of, payloads
from tests.support.extractive import extractive
from tests.support.scripted_llm import ChatRequest, ScriptedLLM, hang, slow, status
from tests.support.zygote import ForkedShell, Zygote

WORKERS = 8
EACH = 12
BUDGET = 20


class Coast(ForkedShell):
    """A shell in a folder with the coast's documents and examples."""

    def __init__(self, folder: Path, zygote: Zygote, llm: ScriptedLLM | None = None) -> None:
        super().__init__(folder, zygote, llm)
        self.corpus = write_coast(folder / "coast", EACH)
        self.examples = write_examples(folder / "examples.jsonl")

    def extract(self, run: str, *more: str) -> list[str]:
        """The arguments of an extraction of twenty documents into the folder `run`."""
        return [
            *("extract", "--examples", self.examples, "--corpus", self.corpus, "--run", run),
            *("--budget-documents", str(BUDGET), "--concurrency", str(WORKERS), "--warmup", "0.2", *more),
        ]


class Whole(NamedTuple):
    """Everything of a run that neither a kill nor the clock may change."""

    rows: dict[str, str]
    refused: list[Any]
    pulls: list[Any]
    clusters: list[Any]
    pool: list[Any]


def whole(run: Path) -> Whole:
    """What a run's ledger holds."""
    db = sqlite3.connect(run / "ledger.sqlite")
    pulls = db.execute(
        "SELECT number, cluster, documents, owners, cells, hex(vectors), distance, reward, note FROM pulls ORDER BY number"
    ).fetchall()
    refused = [
        (each["id"], each["reason"], each["detail"], each["instruction"])
        for (payload,) in db.execute("SELECT payload FROM rejections ORDER BY number")
        for each in [json.loads(payload)]
    ]
    clusters = [sha256(state).hexdigest() for (state,) in db.execute("SELECT state FROM clusters")]
    pool = [(wave, sha256(segment).hexdigest()) for wave, segment in db.execute("SELECT wave, segment FROM pool")]
    db.close()
    return Whole(payloads(run), refused, pulls, clusters, pool)


def read_records(run: Path) -> set[str]:
    """The ids of the records that a run has read."""
    db = sqlite3.connect(run / "ledger.sqlite")
    indices = {index for (documents,) in db.execute("SELECT documents FROM pulls") for index in json.loads(documents)}
    db.close()
    uris = list(records(str(run.parent / "coast" / "coast.jsonl")))
    return {uris[index].rpartition("#")[2] for index in indices}


def test_examples_become_rows_that_are_told_exported_and_sound(
    tmp_path: Path, provider: ScriptedLLM, zygote: Zygote
) -> None:
    desk = Coast(tmp_path, zygote, provider)
    outcome = json_of(desk.run(*desk.extract("run", *MODEL, "--json")))
    assert (outcome["ended"], outcome["read"], outcome["documents"]) == ("budget", BUDGET, 4 * EACH)
    assert outcome["spent"]["model_calls"] == len(provider.calls())
    assert set(outcome["roles"]) == {"extractor"}
    assert outcome["spent"]["cost_usd"] is None  # an unknown price is not nothing
    assert outcome["accepted"] > 20
    told = json_of(desk.do("status", "run", "--json"))
    assert told["documents"] == {"budget": BUDGET, "read": BUDGET, "pulls": outcome["pulls"]}
    assert (told["method"], told["worked_on"], told["ended"]) == ("equal", None, "budget")
    assert f"{BUDGET} of {BUDGET} documents read" in desk.do("status", "run").stdout
    assert desk.do("doctor", "run").stdout.startswith(f"run is sound: {outcome['accepted']} rows")
    exported = desk.do("export", "run", "--format", "rows", "--out", "rows.jsonl", "--card")
    assert exported.returncode == 0, exported.stderr
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    texts = records(desk.corpus)
    assert len(rows) == outcome["accepted"]
    for row in rows:
        assert row["models"] == {"extractor": "openai:scripted"}
        assert {"pull", "cluster", "transport", "distance"} == set(row["origin"]["selection"])
        for source in row["sources"]:
            assert kind_of(source["uri"]) == "light"
            assert source["sha256"] == sha256(texts[source["uri"]].encode()).hexdigest()
            for quote in source["quotes"]:
                assert texts[source["uri"]][quote["start"] : quote["end"]] == quote["text"]
    lights = sum(each.startswith("light-") for each in read_records(tmp_path / "run"))
    assert lights >= 0.5 * BUDGET  # a quarter of the pile
    assert "# " in (tmp_path / "README.md").read_text()
    report = desk.do("report", "run")
    assert report.returncode == 0, report.stderr
    assert (tmp_path / report.stdout.strip()).read_text().startswith("<!doctype html>")
    # What is exported is loaded by what people train with.
    assert desk.do("export", "run", "--format", "messages", "--out", "data.jsonl").returncode == 0
    from datasets import load_dataset

    loaded = load_dataset(
        "json", data_files=str(tmp_path / "data.jsonl"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded.num_rows == len(rows)
    assert [turn["role"] for turn in loaded[0]["messages"]] == ["user", "assistant"]


def test_a_person_is_told_how_it_went(tmp_path: Path, zygote: Zygote) -> None:
    desk = Coast(tmp_path, zygote)
    done = desk.do(*desk.extract("run", "--target", "5"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("5 of 5 rows from ")
    assert "the target is reached" in done.stdout
    assert "next: searchinstruct report run" in done.stdout
    assert f"{4 * EACH} documents, {BUDGET} may be read" in done.stderr
    short = desk.do(*desk.extract("run", "--target", "500"))
    assert short.returncode == 3, short.stderr
    assert "of 500 rows" in short.stdout
    assert "the budget is spent" in short.stdout


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
        desk = Coast(folder, zygote, llm)
        done = desk.do(*desk.extract("run", *MODEL))
        assert done.returncode == 0, done.stderr
        return Unkilled(folder, whole(folder / "run"), len(llm.calls()))


MET = [point for point in FAILPOINTS if point.split(".")[0] in ("call", "wave", "pull", "clusters")]
"""Places that an extraction passes."""

PASSAGES = {
    **{point: [1] for point in ("wave.before", "wave.committed", "clusters.committed")},
    **{point: [1, 30] for point in ("call.before", "call.answered", "call.saved")},
    **{point: [1, 5, BUDGET] for point in ("pull.before", "pull.committed")},
}


@pytest.mark.parametrize("armed", [f"{point}:{count}" for point in MET for count in PASSAGES[point]])
def test_killed_at_a_failpoint_the_same_command_ends_with_the_same_run(
    armed: str, unkilled: Unkilled, provider: ScriptedLLM, zygote: Zygote
) -> None:
    desk, run = Coast(unkilled.folder, zygote, provider), f"run-{armed.replace(':', '-')}"
    killed = desk.do(*desk.extract(run, *MODEL), SEARCHINSTRUCT_FAILPOINT=armed)
    assert killed.returncode == -signal.SIGKILL
    done = desk.do(*desk.extract(run, *MODEL))
    assert done.returncode == 0, done.stderr
    assert whole(unkilled.folder / run) == unkilled.whole
    # Only what was in flight at the kill is asked again: calls, and replies on their way to the disk.
    assert unkilled.calls <= len(provider.calls()) <= unkilled.calls + 2 * WORKERS


def test_killed_again_and_again_nothing_is_lost_or_doubled(unkilled: Unkilled, zygote: Zygote) -> None:
    with ScriptedLLM(lambda request: slow(0.05, extractive(request))) as late:
        desk, draw, kills = Coast(unkilled.folder, zygote, late), random.Random(7), 0
        ledger = unkilled.folder / "run-random" / "ledger.sqlite"
        while kills < 4:
            before = len(late.calls())
            process = desk.begin(*desk.extract("run-random", *MODEL))
            deadline = time.monotonic() + 60
            # The clock of a busy machine says little about how far a process is; its calls do.
            while process.poll() is None and len(late.calls()) <= before and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(draw.uniform(0.0, 0.4))
            if process.poll() is not None:
                process.communicate()
                break
            process.kill()
            process.communicate()
            kills += 1
        assert kills
        assert ledger.exists()
        done = desk.do(*desk.extract("run-random", *MODEL))
        assert done.returncode == 0, done.stderr
        assert whole(unkilled.folder / "run-random") == unkilled.whole
        assert len(late.calls()) <= unkilled.calls + kills * 2 * WORKERS


def test_killed_while_the_pile_is_made_it_is_made_anew(unkilled: Unkilled, zygote: Zygote) -> None:
    desk = Coast(unkilled.folder, zygote)
    process = desk.begin(*desk.extract("run-pile"))
    while not (unkilled.folder / "run-pile" / "pile").exists() and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.communicate()
    done = desk.do(*desk.extract("run-pile", "--json"))
    assert json_of(done)["read"] == BUDGET


def test_a_killed_run_goes_on_with_a_larger_target(unkilled: Unkilled, provider: ScriptedLLM, zygote: Zygote) -> None:
    """Rows that the target left over are decided about first, whatever happens in between."""
    desk = Coast(unkilled.folder, zygote, provider)
    rows = list(unkilled.whole.rows)
    assert desk.do(*desk.extract("run-target", *MODEL, "--target", "7")).returncode == 0
    assert list(payloads(unkilled.folder / "run-target")) == rows[:7]
    for armed in ("accept.before", "accept.committed"):
        killed = desk.do(*desk.extract("run-target", *MODEL), SEARCHINSTRUCT_FAILPOINT=armed)
        if killed.returncode == 0:
            # Its pull had no row more than were wanted.
            break
        assert killed.returncode == -signal.SIGKILL
    assert desk.do(*desk.extract("run-target", *MODEL)).returncode == 0
    found = whole(unkilled.folder / "run-target")
    assert found.rows == unkilled.whole.rows
    assert found.pulls == unkilled.whole.pulls


# Signals.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_drains_and_the_same_command_goes_on(
    unkilled: Unkilled, number: signal.Signals, zygote: Zygote
) -> None:
    run = f"run-{number.name}"
    with ScriptedLLM(lambda request: slow(0.1, extractive(request))) as llm:
        desk = Coast(unkilled.folder, zygote, llm)
        process = desk.begin(*desk.extract(run, *MODEL))
        while len(llm.calls()) < 20:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        _, error = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "finished and kept" in error
        assert "resume with the same command" in error
        made, told = len(llm.calls()), json_of(desk.do("status", run, "--json"))
        assert (told["worked_on"], told["ended"]) == (None, "stopped")
        assert 0 < told["documents"]["read"] < BUDGET
        done = desk.do(*desk.extract(run, *MODEL))
        assert done.returncode == 0, done.stderr
        assert whole(unkilled.folder / run) == unkilled.whole
        # Whatever was in flight was finished and kept: nothing is asked twice.
        assert made < len(llm.calls()) == unkilled.calls


def test_a_second_signal_stops_at_once_and_loses_nothing(
    unkilled: Unkilled, provider: ScriptedLLM, zygote: Zygote
) -> None:
    with ScriptedLLM(lambda request: hang(60)) as llm:
        desk = Coast(unkilled.folder, zygote, llm)
        process = desk.begin(*desk.extract("run-twice", *MODEL))
        while not llm.calls():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=30)
        assert time.monotonic() - began < 20
        assert process.returncode == 130
        assert "what was committed is safe" in error
    desk.environment["OPENAI_BASE_URL"] = provider.base_url
    done = desk.do(*desk.extract("run-twice", *MODEL))
    assert done.returncode == 0, done.stderr
    assert whole(unkilled.folder / "run-twice") == unkilled.whole


def test_a_second_process_on_the_run_is_refused_by_name(tmp_path: Path, zygote: Zygote) -> None:
    with ScriptedLLM(lambda request: slow(0.5, extractive(request))) as llm:
        desk = Coast(tmp_path, zygote, llm)
        first = desk.begin(*desk.extract("run", *MODEL))
        while not llm.calls():
            assert first.poll() is None
            time.sleep(0.02)
        second = desk.do(*desk.extract("run", *MODEL))
        assert second.returncode == 2
        assert f"process {first.pid}" in second.stderr
        first.kill()
        first.communicate()


# Providers and money.


def test_a_provider_that_is_down_stops_the_run_and_it_goes_on_later(unkilled: Unkilled, zygote: Zygote) -> None:
    down = True

    def script(request: ChatRequest) -> object:
        return status(400, "down for repairs") if down else extractive(request)

    with ScriptedLLM(script) as llm:
        desk = Coast(unkilled.folder, zygote, llm)
        failed = desk.do(*desk.extract("run-down", *MODEL))
        assert failed.returncode == 1
        assert "in a row failed" in failed.stderr
        assert "down for repairs" in failed.stderr
        assert "resume with the same command" in failed.stderr
        assert failed.stderr.rstrip().splitlines()[-1].count("searchinstruct status") == 1
        told = json_of(desk.do("status", "run-down", "--json"))
        assert (told["ended"], told["documents"]["read"]) == ("failed", 0)
        down = False
        assert desk.do(*desk.extract("run-down", *MODEL)).returncode == 0
    assert whole(unkilled.folder / "run-down") == unkilled.whole


def test_a_refused_key_stops_the_run_with_the_providers_words(tmp_path: Path, zygote: Zygote) -> None:
    with ScriptedLLM(lambda request: status(401, "No such account. Key: sk-test-canary-0123456789")) as llm:
        desk = Coast(tmp_path, zygote, llm)
        failed = desk.do(*desk.extract("run", *MODEL))
        assert failed.returncode == 1
        assert "No such account" in failed.stderr
        assert "when that is mended, resume with the same command" in failed.stderr
        assert "canary" not in failed.stderr
        assert len(llm.calls()) <= WORKERS
    for path in (tmp_path / "run").rglob("*"):
        assert path.is_dir() or b"canary" not in path.read_bytes()


def test_money_is_a_hard_stop(unkilled: Unkilled, provider: ScriptedLLM, zygote: Zygote) -> None:
    desk = Coast(unkilled.folder, zygote, provider)
    prices = unkilled.folder / "prices.json"
    prices.write_text('{"openai:scripted": {"input": 100.0, "output": 100.0}}')
    # A call has 15 tokens: 0.0015 dollars.
    arguments = desk.extract("run-money", *MODEL, "--json")
    done = desk.do(*arguments, "--max-cost", "0.06", SEARCHINSTRUCT_PRICES=str(prices))
    assert done.returncode == 3, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["ended"] == "max_cost"
    assert outcome["read"] < BUDGET
    assert 0.04 < outcome["spent"]["cost_usd"] <= 0.0601
    assert len(provider.calls()) * 0.0015 <= 0.0601
    again = desk.do(*arguments, "--max-cost", "0.06", SEARCHINSTRUCT_PRICES=str(prices))
    assert again.returncode == 3
    assert len(provider.calls()) * 0.0015 <= 0.0601
    more = desk.do(*arguments, "--max-cost", "9", SEARCHINSTRUCT_PRICES=str(prices))
    assert more.returncode == 0, more.stderr
    assert whole(unkilled.folder / "run-money") == unkilled.whole
    # Nothing that was paid for is paid for again.
    assert len(provider.calls()) == unkilled.calls
    unpriced = desk.do(*desk.extract("run-unpriced", *MODEL, "--max-cost", "1"))
    assert unpriced.returncode == 2
    assert "price" in unpriced.stderr
    assert not (unkilled.folder / "run-unpriced").exists()


# Settings and documents that change.


def test_another_configuration_is_refused_with_the_difference(tmp_path: Path, zygote: Zygote) -> None:
    desk = Coast(tmp_path, zygote)
    assert desk.do(*desk.extract("run", "--target", "12")).returncode == 0
    for more, said in [
        (["--seed", "1"], "seed: 0 → 1"),
        (["--budget-documents", "1"], "has read"),
        (["--section-chars", "900"], "sections of 6000 characters, not 900"),
        (["--corpus", str(tmp_path / "examples.jsonl")], "was made from"),
        (["--target", "2"], "12 rows already"),
    ]:
        refused = desk.do(*desk.extract("run", *more))
        assert refused.returncode == 2, more
        assert said in refused.stderr
        assert refused.stderr.count("\n") == 1, refused.stderr
    Path(desk.examples).write_text(Path(desk.examples).read_text().replace("vinegar", "soap"))
    changed = desk.do(*desk.extract("run"))
    assert changed.returncode == 2
    assert changed.stderr.count("\n") == 1
    write_examples(Path(desk.examples))
    missing = desk.do(*desk.extract("run", "--new-run", "--corpus", "nowhere"))
    assert missing.returncode == 2
    assert (tmp_path / "run" / "run.json").exists()  # nothing is set aside for documents that are not there
    anew = desk.do(*desk.extract("run", "--seed", "1", "--target", "3", "--new-run"))
    assert anew.returncode == 0, anew.stderr
    assert (tmp_path / "run.1" / "ledger.sqlite").exists()
    assert list((tmp_path / "run.1" / "pile").iterdir())
    # What was set aside is still a run.
    assert desk.do("doctor", "run.1").returncode == 0


def test_a_raised_budget_goes_on_as_if_nothing_had_happened(tmp_path: Path, zygote: Zygote) -> None:
    desk = Coast(tmp_path, zygote)
    first = json_of(desk.do(*desk.extract("run", "--json")))
    assert (first["read"], first["ended"]) == (BUDGET, "budget")
    pulls = whole(tmp_path / "run").pulls
    more = json_of(desk.do(*desk.extract("run", "--budget-documents", str(BUDGET + 7), "--json")))
    assert (more["read"], more["budget"], more["ended"]) == (BUDGET + 7, BUDGET + 7, "budget")
    assert more["accepted"] >= first["accepted"]
    assert whole(tmp_path / "run").pulls[: len(pulls)] == pulls
    # Read on with what it had learnt, not at random again.
    assert all(cluster is not None for _, cluster, *_ in whole(tmp_path / "run").pulls[len(pulls) :])


def test_a_corpus_that_changes_or_goes_does_not_concern_a_run_that_is_begun(unkilled: Unkilled, zygote: Zygote) -> None:
    desk = Coast(unkilled.folder, zygote)
    with ScriptedLLM(extractive) as llm:
        desk.environment |= {"OPENAI_BASE_URL": llm.base_url, "OPENAI_API_KEY": "sk-test"}
        killed = desk.do(*desk.extract("run-changed", *MODEL), SEARCHINSTRUCT_FAILPOINT="pull.committed:5")
        assert killed.returncode == -signal.SIGKILL
        before = Path(desk.corpus).read_text(encoding="utf-8")
        try:
            Path(desk.corpus).write_text(before.replace("lighthouse", "windmill"), encoding="utf-8")
            killed = desk.do(*desk.extract("run-changed", *MODEL), SEARCHINSTRUCT_FAILPOINT="pull.committed:5")
            assert killed.returncode == -signal.SIGKILL
            Path(desk.corpus).unlink()
            done = desk.do(*desk.extract("run-changed", *MODEL))
            assert done.returncode == 0, done.stderr
        finally:
            Path(desk.corpus).write_text(before, encoding="utf-8")
    assert whole(unkilled.folder / "run-changed") == unkilled.whole


def test_a_bad_record_is_recalled_and_never_read_again(tmp_path: Path, zygote: Zygote) -> None:
    desk = Coast(tmp_path, zygote)
    begun = json_of(desk.do(*desk.extract("run", "--target", "9", "--json")))
    assert desk.do("export", "run", "--format", "rows").returncode == 0
    rows = (tmp_path / "run" / "exports" / "rows.jsonl").read_text()
    bad = json.loads(rows.splitlines()[0])["sources"][0]["uri"]
    unread = f"{desk.corpus}#light-{next(n for n in range(EACH) if f'light-{n}' not in read_records(tmp_path / 'run'))}"
    for source in (bad, unread):
        purged = desk.do("purge", "run", "--source", source, "--yes")
        assert purged.returncode == 0, purged.stderr
    assert f'{bad}"' not in (tmp_path / "run" / "exports" / "rows.jsonl").read_text()
    assert desk.do("doctor", "run").returncode == 0
    done = json_of(desk.do(*desk.extract("run", "--json")))
    assert done["read"] == BUDGET > begun["read"]
    assert desk.do("export", "run", "--format", "rows").returncode == 0
    after = [json.loads(line) for line in (tmp_path / "run" / "exports" / "rows.jsonl").read_text().splitlines()]
    assert len(after) > 9
    assert not {source["uri"] for row in after for source in row["sources"]} & {bad, unread}
    assert desk.do("doctor", "run").returncode == 0


def test_the_holes_of_a_built_dataset_are_filled(tmp_path: Path, zygote: Zygote) -> None:
    desk = Coast(tmp_path, zygote)
    task = ("--task", "Answer questions about the lighthouses of the coast", "--corpus", desk.corpus)
    built = desk.do("build", *task, "--run", "task", "--target", "12", "--samples", "1", "--json")
    assert json_of(built)["accepted"] == 12
    covering = ("extract", "--reward", "coverage", "--cover", "task", "--corpus", desk.corpus, "--run", "run")
    outcome = json_of(desk.do(*covering, "--budget-documents", "20", "--json"))
    assert (outcome["read"], outcome["ended"]) == (20, "budget")
    db = sqlite3.connect(tmp_path / "run" / "ledger.sqlite")
    cells = [cell for (told,) in db.execute("SELECT cells FROM pulls") for cell in json.loads(told)]
    db.close()
    assert any(cell >= 0 for cell in cells)
    # No question of the dataset that is to be filled is asked again.
    asked = [
        {each["instruction"] for each in map(json.loads, (tmp_path / run).read_text().splitlines())}
        for run in ("task.jsonl", "run.jsonl")
        if desk.do("export", run.removesuffix(".jsonl"), "--format", "rows", "--out", run).returncode == 0
    ]
    assert len(asked) == 2
    assert not asked[0] & asked[1]
    again = desk.do(*covering, "--budget-documents", "20")
    assert again.returncode == 0, again.stderr
    assert desk.do("doctor", "run").returncode == 0
    more = desk.do("build", *task, "--run", "task", "--target", "14", "--samples", "1")
    assert more.returncode == 0, more.stderr
    # What is to be filled is what was missing when this run began.
    assert desk.do(*covering, "--budget-documents", "20").returncode == 0
    tried = json_of(desk.do(*covering[:-2], "--budget-documents", "20", "--dry-run", "--json"))
    assert tried["trial_documents"] == 10


def test_documents_that_were_read_for_a_run_that_never_began_are_no_obstacle(tmp_path: Path, zygote: Zygote) -> None:
    desk = Coast(tmp_path, zygote)
    asyncio.run(Pile.open([desk.corpus], tmp_path / "run" / "pile", embedder=embeddings(), section_chars=900))
    refused = desk.do(*desk.extract("run"))
    assert refused.returncode == 2
    assert "sections of 900 characters" in refused.stderr
    anew = desk.do(*desk.extract("run", "--new-run"))
    assert anew.returncode == 0, anew.stderr


# Dry runs and mistakes.


def test_a_dry_run_extrapolates_and_leaves_nothing_behind(
    tmp_path: Path, provider: ScriptedLLM, zygote: Zygote
) -> None:
    desk = Coast(tmp_path, zygote, provider)
    arguments = [each for each in desk.extract("run", *MODEL, "--dry-run", "--json") if each not in ("--run", "run")]
    told = json_of(desk.do(*arguments))
    assert (told["documents"], told["budget"], told["trial_documents"]) == (4 * EACH, BUDGET, 10)
    assert told["model_calls"] == round(len(provider.calls()) * BUDGET / 10)
    assert told["rows"] == 2 * told["trial_rows"]
    assert told["cost_usd"] is None
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("typo", [["--corpus", "cost"], ["--decontaminate", "none.txt"], ["--language", "xq"]])
def test_a_typo_does_not_take_the_folder(tmp_path: Path, typo: list[str], zygote: Zygote) -> None:
    desk = Coast(tmp_path, zygote)
    wrong = desk.do(*desk.extract("run", *typo))
    assert wrong.returncode == 2, wrong.stderr
    assert wrong.stderr.count("\n") == 1
    right = desk.do(*desk.extract("run", "--target", "2"))
    assert right.returncode == 0, right.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--run", "run", "--corpus", "coast"], "--examples FILE"),
        (["--examples", "examples.jsonl", "--corpus", "coast"], "--run DIR"),
        (["--examples", "examples.jsonl", "--run", "run"], "--corpus URI"),
        (["--examples", "none.jsonl", "--corpus", "coast", "--run", "run"], "none.jsonl"),
        (["--examples", "nine.jsonl", "--corpus", "coast", "--run", "run"], "9 example pairs are too few"),
        (["--examples", "broken.jsonl", "--corpus", "coast", "--run", "run"], "broken.jsonl"),
        (["--examples", "coast", "--corpus", "coast", "--run", "run"], "coast"),
        (["--examples", "examples.jsonl", "--corpus", "empty.jsonl", "--run", "run"], "empty.jsonl"),
        (["--examples", "examples.jsonl", "--corpus", "coast", "--run", "coast"], "no run"),
        (["--examples", "examples.jsonl", "--corpus", "coast", "--run", "run", "--reward", "best"], "'best'"),
        (["--examples", "examples.jsonl", "--corpus", "coast", "--run", "run", "--alpha", "much"], "alpha must be"),
        (["--examples", "examples.jsonl", "--corpus", "coast", "--run", "run", "--warmup", "0.9"], "warmup must be"),
        (["--examples", "examples.jsonl", "--corpus", "coast", "--run", "run", "--target", "0"], "target must be"),
        (["--examples", "examples.jsonl", "--corpus", "coast", "--run", "run", "--reward", "coverage"], "--cover RUN"),
        (["--reward", "coverage", "--cover", "none", "--corpus", "coast", "--run", "run"], "none is not a run"),
        (["--exmaples", "examples.jsonl"], "--exmaples"),
    ],
)
def test_wrong_usage_is_one_line_and_changes_nothing(
    tmp_path: Path, arguments: list[str], said: str, zygote: Zygote
) -> None:
    desk = Coast(tmp_path, zygote)
    lines = Path(desk.examples).read_text().splitlines()
    (tmp_path / "nine.jsonl").write_text("\n".join(lines[:9]))
    (tmp_path / "broken.jsonl").write_text('{"question": "When')
    (tmp_path / "empty.jsonl").write_text("")
    done = desk.do("extract", *arguments)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert not (tmp_path / "run" / "ledger.sqlite").exists()


def test_examples_may_come_from_a_pipe(tmp_path: Path, zygote: Zygote) -> None:
    desk = Coast(tmp_path, zygote)
    arguments = [each if each != desk.examples else "-" for each in desk.extract("run", "--target", "2")]
    done = subprocess.run(
        [sys.executable, "-m", "searchinstruct_graph", *arguments],
        cwd=tmp_path, env=desk.environment, input=Path(desk.examples).read_text(), capture_output=True, text=True,
        timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
