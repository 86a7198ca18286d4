"""`searchinstruct build` as a user runs it: a child process, a real folder, a scripted provider over HTTP."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from searchinstruct_graph.datasets.failpoints import FAILPOINTS
from tests.support.desk import MODEL, Shell, json_of, payloads
from tests.support.extractive import extractive
from tests.support.scripted_llm import ChatRequest, ScriptedLLM, hang, slow, status
from tests.support.search_services import SearchServices
from tests.support.valley import PAGES, SEEDS, TASK, write_valley

WORKERS = 8


class Desk(Shell):
    """A shell in a folder with the valley's handbook."""

    def __init__(self, folder: Path, llm: ScriptedLLM | None = None) -> None:
        super().__init__(folder, llm)
        self.corpus = write_valley(folder / "valley")
        self.seeds = folder / "seeds.txt"
        self.seeds.write_text("\n".join(SEEDS), encoding="utf-8")

    def build(self, run: str, *more: str) -> list[str]:
        return [
            *("build", "--seeds", str(self.seeds), "--corpus", self.corpus, "--run", run, "--target", "12"),
            *("--samples", "2", "--concurrency", str(WORKERS), *more),
        ]


def test_seeds_become_a_dataset_that_is_told_exported_and_sound(tmp_path: Path, provider: ScriptedLLM) -> None:
    desk = Desk(tmp_path, provider)
    outcome = json_of(desk.run(*desk.build("run", *MODEL, "--json")))
    assert (outcome["accepted"], outcome["ended"]) == (12, "target")
    assert outcome["spent"]["model_calls"] == len(provider.calls())
    assert outcome["spent"]["cost_usd"] is None  # an unknown price is not nothing
    told = json_of(desk.run("status", "run", "--json"))
    assert told["funnel"]["accepted"] == 12
    assert told["funnel"]["admitted"] + told["funnel"]["refused"] == told["funnel"]["proposed"]
    assert desk.run("doctor", "run").stdout.startswith("run is sound: 12 rows")
    exported = desk.run("export", "run", "--format", "rows", "--out", "rows.jsonl", "--card")
    assert exported.returncode == 0, exported.stderr
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == 12
    for row in rows:
        assert row["grounding"] == "quotes"
        assert row["models"]["writer"] == "openai:scripted"
        for source in row["sources"]:
            page = Path(source["uri"]).read_text(encoding="utf-8")
            for quote in source["quotes"]:
                assert page[quote["start"] : quote["end"]] == quote["text"]
    assert "# " in (tmp_path / "README.md").read_text()
    report = desk.run("report", "run")
    assert (tmp_path / report.stdout.strip()).read_text().startswith("<!doctype html>")


def test_one_sentence_becomes_rows_spread_over_the_levels(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    arguments = ("build", "--task", TASK, "--corpus", desk.corpus, "--run", "run", "--target", "18", "--json")
    outcome = json_of(desk.run(*arguments, "--samples", "2"))
    assert outcome["accepted"] == 18
    db = sqlite3.connect(tmp_path / "run" / "ledger.sqlite")
    levels = dict(
        db.execute(
            "SELECT json_extract(origin, '$.bloom'), count(*) FROM instructions WHERE status='accepted' GROUP BY 1"
        )
    )
    assert len(levels) == 6
    assert max(levels.values()) <= 4
    assert outcome["spent"]["cost_usd"] == 0.0  # the offline model costs nothing, and that is known


@pytest.fixture(scope="module")
def unkilled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], int]:
    """A run that nobody disturbed: its home, its rows, and its calls."""
    folder = tmp_path_factory.mktemp("unkilled")
    with ScriptedLLM(extractive) as llm:
        desk = Desk(folder, llm)
        done = desk.run(*desk.build("run", *MODEL))
        assert done.returncode == 0, done.stderr
        return folder, payloads(folder / "run"), len(llm.calls())


@pytest.mark.parametrize("point", [p for p in FAILPOINTS if p.split(".")[0] in ("call", "wave", "answer", "accept")])
def test_killed_at_a_failpoint_the_same_command_ends_with_the_same_rows(
    point: str, unkilled: tuple[Path, dict[str, str], int], provider: ScriptedLLM
) -> None:
    folder, rows, calls = unkilled
    desk = Desk(folder, provider)
    run = f"run-{point}"
    killed = desk.run(*desk.build(run, *MODEL), SEARCHINSTRUCT_FAILPOINT=f"{point}:2")
    assert killed.returncode == -signal.SIGKILL
    done = desk.run(*desk.build(run, *MODEL))
    assert done.returncode == 0, done.stderr
    assert payloads(folder / run) == rows
    # Only what was in flight at the kill is asked again; answers beyond the target are a matter of timing.
    assert len(provider.calls()) <= calls + 2 * WORKERS + SURPLUS


SURPLUS = 40
"""Calls of a few answers more or less that were begun before the target was reached."""


def test_killed_again_and_again_no_row_is_lost_or_doubled(
    unkilled: tuple[Path, dict[str, str], int], provider: ScriptedLLM
) -> None:
    folder, rows, _ = unkilled
    desk, draw, kills = Desk(folder, provider), random.Random(7), 0
    while kills < 6:
        process = desk.start(*desk.build("run-random", *MODEL))
        try:
            process.communicate(timeout=draw.uniform(1.2, 3.0))
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
    done = desk.run(*desk.build("run-random", *MODEL))
    assert done.returncode == 0, done.stderr
    assert payloads(folder / "run-random") == rows
    assert kills


def test_answers_that_wait_for_an_earlier_one_survive_its_kill(
    unkilled: tuple[Path, dict[str, str], int], provider: ScriptedLLM
) -> None:
    """The first instruction never gets its answer, all others do; then the run is killed."""
    folder, rows, _ = unkilled

    def stuck(request: ChatRequest) -> object:
        return hang(60) if SEEDS[0] in request.tag("question") else extractive(request)

    with ScriptedLLM(stuck) as llm:
        desk = Desk(folder, llm)
        process = desk.start(*desk.build("run-stuck", *MODEL))
        ledger = folder / "run-stuck" / "ledger.sqlite"
        waiting = 0
        while waiting < 9:
            time.sleep(0.2)
            if ledger.exists():
                with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as db:
                    has = db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'answers'").fetchone()[0]
                    waiting = db.execute("SELECT count(*) FROM answers").fetchone()[0] if has else 0
        process.kill()
        process.communicate()
    desk.environment["OPENAI_BASE_URL"] = provider.base_url
    # More good answers wait than rows are wanted: the one that they wait for has to be made all the same.
    done = desk.run(*desk.build("run-stuck", *MODEL, "--target", "8"))
    assert done.returncode == 0, done.stderr
    found = payloads(folder / "run-stuck")
    assert len(found) == 8
    assert found.items() <= rows.items()


@pytest.mark.parametrize("point", ["export.half", "export.written", "export.renamed"])
def test_a_kill_during_export_leaves_no_half_file(
    point: str, unkilled: tuple[Path, dict[str, str], int], tmp_path: Path
) -> None:
    folder, rows, _ = unkilled
    desk = Desk(folder)
    out = tmp_path / "data.jsonl"
    killed = desk.run("export", "run", "--out", str(out), SEARCHINSTRUCT_FAILPOINT=point)
    assert killed.returncode == -signal.SIGKILL
    assert point == "export.renamed" or not out.exists()
    done = desk.run("export", "run", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert len(out.read_text().splitlines()) == len(rows)
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".tmp")] == []


def test_a_second_process_on_the_run_is_refused_by_name(tmp_path: Path) -> None:
    def late(request: ChatRequest) -> object:
        return slow(0.3, extractive(request))

    with ScriptedLLM(late) as llm:
        desk = Desk(tmp_path, llm)
        first = desk.start(*desk.build("run", *MODEL))
        while not (tmp_path / "run" / "run.json").exists():
            time.sleep(0.05)
        second = desk.run(*desk.build("run", *MODEL))
        assert second.returncode == 2
        assert f"process {first.pid}" in second.stderr
        told = json_of(desk.run("status", "run", "--json"))
        assert str(first.pid) in told["worked_on"]
        first.kill()
        first.communicate()
    with ScriptedLLM(extractive) as llm:
        desk.environment["OPENAI_BASE_URL"] = llm.base_url
        assert desk.run(*desk.build("run", *MODEL)).returncode == 0


def test_another_configuration_is_refused_with_the_difference(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert desk.run(*desk.build("run")).returncode == 0
    refused = desk.run(*desk.build("run", "--min-support", "0.9"))
    assert refused.returncode == 2
    assert "min_support: 0.7 → 0.9" in refused.stderr
    assert "--new-run" in refused.stderr
    desk.seeds.write_text(desk.seeds.read_text() + "\nWhat is the ferry built from?\n")
    changed = desk.run(*desk.build("run"))
    assert changed.returncode == 2
    assert "seeds: " in changed.stderr
    anew = desk.run(*desk.build("run", "--new-run"))
    assert anew.returncode == 0, anew.stderr
    assert (tmp_path / "run.1" / "ledger.sqlite").exists()


def test_a_raised_target_goes_on_and_keeps_the_first_rows(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert desk.run(*desk.build("run")).returncode == 0
    before = payloads(tmp_path / "run")
    more = desk.run(*desk.build("run", "--target", "15"))
    assert more.returncode == 0, more.stderr
    after = payloads(tmp_path / "run")
    assert len(after) == 15
    assert before.items() <= after.items()


def test_the_number_of_workers_does_not_change_the_rows(
    unkilled: tuple[Path, dict[str, str], int], provider: ScriptedLLM
) -> None:
    folder, rows, _ = unkilled
    desk = Desk(folder, provider)
    assert desk.run(*desk.build("run-one", *MODEL, "--concurrency", "1")).returncode == 0
    assert payloads(folder / "run-one") == rows


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_drains_and_the_same_command_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    with ScriptedLLM(lambda request: slow(0.1, extractive(request))) as llm:
        desk = Desk(tmp_path, llm)
        process = desk.start(*desk.build("run", *MODEL))
        while not any(request.schema == "AnswerDraft" for request in llm.calls()):
            time.sleep(0.05)
        process.send_signal(number)
        _, error = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "finished and kept" in error
        assert "resume with the same command" in error
        kept = len(payloads(tmp_path / "run"))
        made = len(llm.calls())
        told = json_of(desk.run("status", "run", "--json"))
        assert told["worked_on"] is None
        done = desk.run(*desk.build("run", *MODEL))
    assert done.returncode == 0, done.stderr
    assert len(payloads(tmp_path / "run")) == 12 >= kept
    assert made


def test_a_second_signal_stops_at_once_and_loses_nothing(tmp_path: Path) -> None:
    with ScriptedLLM(lambda request: slow(1.0, extractive(request))) as llm:
        desk = Desk(tmp_path, llm)
        process = desk.start(*desk.build("run", *MODEL))
        while not any(request.schema == "PageQuotes" for request in llm.calls()):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert time.monotonic() - began < 20
        assert process.returncode == 130
    assert desk.run("doctor", "run").returncode == 0


def test_a_refused_key_stops_the_run_once_and_keeps_it(tmp_path: Path) -> None:
    with ScriptedLLM(lambda request: status(401, "Incorrect API key provided: sk-test-canary-0123456789")) as llm:
        desk = Desk(tmp_path, llm)
        failed = desk.run(*desk.build("run", *MODEL))
        assert failed.returncode == 1
        assert "resume with the same command" in failed.stderr
        assert "canary" not in failed.stderr
        assert len(llm.calls()) <= 2 * WORKERS
    for path in (tmp_path / "run").iterdir():
        assert path.is_dir() or b"canary" not in path.read_bytes()


def test_too_few_rows_exit_with_3_and_say_why(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    short = desk.run(*desk.build("run", "--no-expand"))
    assert short.returncode == 3
    assert "all seeds are answered" in short.stdout
    assert "of 12 rows" in short.stdout


def test_money_is_a_hard_stop(tmp_path: Path, provider: ScriptedLLM) -> None:
    desk = Desk(tmp_path, provider)
    prices = tmp_path / "prices.json"
    prices.write_text('{"openai:scripted": {"input": 100.0, "output": 100.0}}')
    # A call has 15 tokens: 0.0015 dollars.
    done = desk.run(*desk.build("run", *MODEL, "--max-cost", "0.09", "--json"), SEARCHINSTRUCT_PRICES=str(prices))
    assert done.returncode == 3, done.stderr
    outcome = json.loads(done.stdout)
    assert (outcome["ended"], outcome["accepted"] < 12) == ("max_cost", True)
    assert outcome["spent"]["cost_usd"] <= 0.09
    assert len(provider.calls()) * 0.0015 <= 0.0901
    more = desk.run(*desk.build("run", *MODEL, "--max-cost", "9"), SEARCHINSTRUCT_PRICES=str(prices))
    assert more.returncode == 0, more.stderr


def test_money_whose_cost_nobody_told_counts_against_the_cap_of_a_resumed_run(tmp_path: Path) -> None:
    asked = 0

    def lossy(request: ChatRequest) -> object:
        nonlocal asked
        asked += 1
        return status(400, "no") if asked % 7 == 0 else extractive(request)

    with ScriptedLLM(lossy) as llm:
        desk = Desk(tmp_path, llm)
        (tmp_path / "prices.json").write_text('{"openai:scripted": {"input": 100.0, "output": 100.0}}')
        for _ in range(3):
            arguments = desk.build("run", *MODEL, "--max-cost", "0.06", "--json")
            done = desk.run(*arguments, SEARCHINSTRUCT_PRICES="prices.json")
            assert done.returncode == 3, done.stderr
        assert len(llm.calls()) * 0.0015 <= 0.06


def test_an_outage_costs_no_instruction(tmp_path: Path) -> None:
    down = True

    def provider(request: ChatRequest) -> object:
        return status(400, "down") if down else {"response": f"An answer to: {request.tag('question')}"}

    with ScriptedLLM(provider) as llm:
        desk = Desk(tmp_path, llm)
        seeds = ("build", "--seeds", str(desk.seeds), "--run", "run", "--no-expand", "--target", str(len(SEEDS)))
        arguments = [*seeds, *MODEL, "--samples", "1", "--concurrency", "1"]
        stopped = desk.run(*arguments)
        assert stopped.returncode == 1, stopped.stderr
        assert "in a row failed" in stopped.stderr
        told = json_of(desk.run("status", "run", "--json"))
        assert (told["ended"], told["funnel"]["rejected"]) == ("failed", 0)
        down = False
        done = desk.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("typo", [["--corpus", "vally"], ["--decontaminate", "none.txt"], ["--language", "xq"]])
def test_a_typo_does_not_take_the_folder(tmp_path: Path, typo: list[str]) -> None:
    desk = Desk(tmp_path)
    wrong = desk.run(*desk.build("run", *typo))
    assert wrong.returncode == 2, wrong.stderr
    right = desk.run(*desk.build("run", "--target", "2"))
    assert right.returncode == 0, right.stderr
    less = desk.run(*desk.build("run", "--target", "1"))
    assert less.returncode == 2
    assert "2 rows already" in less.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--task", TASK, "--grow"], "grow is a setting of seeds"),
        (["--task", TASK, "--no-expand"], "expand is a setting of seeds"),
        (["--seeds", "seeds.txt", "--pairs", "0.5"], "pairs is a setting of a task"),
        (["--seeds", "seeds.txt", "--no-expand", "--no-answer-seeds"], "nothing to answer"),
        (["--task", "task.yaml"], "cannot answer in the form yes_no"),
        (["--task", "none.yaml", "--suggest-seeds", "x.csv"], "none.yaml"),
        (["--task", TASK, "--suggest-seeds", "x.csv", "--json"], "builds nothing"),
    ],
)
def test_a_setting_that_would_do_nothing_is_refused(tmp_path: Path, arguments: list[str], said: str) -> None:
    desk = Desk(tmp_path)
    (tmp_path / "task.yaml").write_text("description: Is it so?\nanswer_form: yes_no\n")
    run = [] if "--suggest-seeds" in arguments else ["--run", "run"]
    done = desk.run("build", *arguments, "--corpus", desk.corpus, *run)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_dry_run_extrapolates_and_leaves_nothing_behind(tmp_path: Path, provider: ScriptedLLM) -> None:
    desk = Desk(tmp_path, provider)
    arguments = [each for each in desk.build("run", *MODEL, "--dry-run", "--json") if each not in ("--run", "run")]
    told = json_of(desk.run(*arguments))
    assert told["trial_answers"] >= 10
    assert told["answers"] == -(-12 * told["trial_answers"] // told["trial_rows"]) or told["yield"] > 0
    assert told["cost_usd"] is None
    assert not (tmp_path / "run").exists()


def test_seeds_are_suggested_to_a_person(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    suggested = desk.run("build", "--task", TASK, "--corpus", desk.corpus, "--suggest-seeds", "picked.csv")
    assert suggested.returncode == 0, suggested.stderr
    lines = (tmp_path / "picked.csv").read_text().splitlines()
    assert lines[0] == "question,type,subtopic"
    assert len(lines) > 10
    again = desk.run("build", "--task", TASK, "--corpus", desk.corpus, "--suggest-seeds", "picked.csv")
    assert again.returncode == 2
    built = desk.run("build", "--seeds", "picked.csv", "--corpus", desk.corpus, "--run", "run", "--target", "8")
    assert built.returncode == 0, built.stderr


def test_failed_questions_steer_the_run_and_never_become_rows(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    failed = "What happens when the heather blooms?"
    (tmp_path / "failed.jsonl").write_text(json.dumps({"question": failed}))
    done = desk.run(*desk.build("run", "--focus", "failed.jsonl"))
    assert done.returncode == 0, done.stderr
    desk.run("export", "run", "--format", "rows", "--out", "rows.jsonl")
    assert failed not in (tmp_path / "rows.jsonl").read_text()


def test_held_out_questions_are_kept_out_and_counted(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    (tmp_path / "held-out.txt").write_text("WHEN is the rope-bridge closed, for carts???\n")
    done = desk.run(*desk.build("run", "--decontaminate", "held-out.txt", "--json"))
    outcome = json_of(done)
    assert outcome["funnel"]["reasons"]["contaminated"] >= 1
    desk.run("export", "run", "--format", "rows", "--out", "rows.jsonl")
    assert SEEDS[0] not in (tmp_path / "rows.jsonl").read_text()


def test_a_bad_source_is_recalled(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert desk.run(*desk.build("run")).returncode == 0
    assert desk.run("export", "run", "--format", "rows").returncode == 0
    bad = str(Path(desk.corpus) / "bees.md")
    before = (tmp_path / "run" / "exports" / "rows.jsonl").read_text()
    assert bad in before
    purged = desk.run("purge", "run", "--source", bad, "--yes")
    assert purged.returncode == 0, purged.stderr
    assert bad not in (tmp_path / "run" / "exports" / "rows.jsonl").read_text()
    assert desk.run("doctor", "run").returncode == 0
    refilled = desk.run(*desk.build("run"))
    assert refilled.returncode == 0, refilled.stderr
    desk.run("export", "run", "--format", "rows")
    after = (tmp_path / "run" / "exports" / "rows.jsonl").read_text()
    assert bad not in after
    assert len(after.splitlines()) == 12


def test_rows_from_the_web_name_their_pages(tmp_path: Path) -> None:
    pages = {
        "https://bridge.example/rope": ("The rope bridge", PAGES["bridge.md"]),
        "https://ferry.example/deep": ("The ferry", PAGES["ferry.md"]),
    }
    with SearchServices(pages) as services:
        desk = Desk(tmp_path)
        desk.environment |= {"TAVILY_API_KEY": "tvly-canary-0123456789", "TAVILY_BASE_URL": services.url}
        web = ("--web", "--extract", "always", "--no-expand", "--samples", "1", "--max-share", "1")
        done = desk.run("build", "--seeds", str(desk.seeds), "--run", "run", "--target", "2", *web)
    assert done.returncode == 0, done.stdout + done.stderr
    desk.run("export", "run", "--format", "rows", "--out", "rows.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert {source["uri"] for row in rows for source in row["sources"]} <= set(pages)
    for path in (tmp_path / "run").rglob("*"):
        assert path.is_dir() or b"canary" not in path.read_bytes()


def test_seeds_may_come_from_a_pipe(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    arguments = ["build", "--seeds", "-", "--corpus", desk.corpus, "--run", "run", "--target", "3", "--samples", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "searchinstruct_graph", *arguments],
        cwd=tmp_path, env=desk.environment, input="\n".join(SEEDS), capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_damaged_ledger_is_told_and_its_rows_are_saved(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert desk.run(*desk.build("run")).returncode == 0
    ledger = tmp_path / "run" / "ledger.sqlite"
    db = sqlite3.connect(ledger)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'rejections_reason'").fetchone()
    (size,) = db.execute("PRAGMA page_size").fetchone()
    db.close()
    with ledger.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    sick = desk.run("doctor", "run")
    assert sick.returncode == 1
    assert "damaged" in sick.stdout
    saved = desk.run("doctor", "run", "--salvage", "saved.jsonl")
    assert saved.returncode == 0, saved.stderr
    assert len((tmp_path / "saved.jsonl").read_text().splitlines()) == 12


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["build", "--run", "run"], "either seed questions"),
        (["build", "--seeds", "seeds.txt"], "--run DIR"),
        (["build", "--seeds", "none.txt", "--run", "run"], "none.txt"),
        (["build", "--seeds", "seeds.txt", "--run", "run"], "offline model is extractive"),
        (["build", "--task", "  ", "--run", "run"], "the task is empty"),
        (["build", "--task", "x.yaml", "--run", "run"], "x.yaml"),
        (["build", "--seeds", "seeds.txt", "--run", "run", "--corpus", "valley", "--target", "0"], "target must be"),
        (["build", "--seeds", "seeds.txt", "--run", "seeds.txt", "--corpus", "valley"], "seeds.txt"),
        (["build", "--seeds", "seeds.txt", "--run", "valley", "--corpus", "valley"], "no run"),
        (["build", "--seed", "seeds.txt"], "--seed"),
        (["status", "nowhere"], "not a run"),
        (["export", "nowhere"], "not a run"),
        (["purge", "nowhere", "--source", "x"], "not a run"),
    ],
)
def test_wrong_usage_is_one_line_and_changes_nothing(tmp_path: Path, arguments: list[str], said: str) -> None:
    desk = Desk(tmp_path)
    done = desk.run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run" / "ledger.sqlite").exists()


def test_instructions_that_a_symbol_tells_apart_are_two(tmp_path: Path) -> None:
    """The pool admits "What is C?" and "What is C++?"; so must the ledger."""
    desk = Desk(tmp_path)
    seeds = "What is C?\nWhat is C++?\nWhat is C#?\n"
    arguments = ["build", "--seeds", "-", "--corpus", desk.corpus, "--run", "run", "--target", "1", "--samples", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "searchinstruct_graph", *arguments],
        cwd=tmp_path, env=desk.environment, input=seeds, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode in (0, 3), done.stderr
    db = sqlite3.connect(tmp_path / "run" / "ledger.sqlite")
    ids = {text: id_ for id_, text in db.execute("SELECT id, text FROM instructions")}
    db.close()
    assert len({ids[text] for text in seeds.splitlines()}) == 3
