"""The ledger: what is committed stays, what lacks its provenance is refused, a full disk costs nothing."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.acceptance import Acceptance, Blocked, Rules, source_unit
from searchinstruct_graph.datasets.database import reading
from searchinstruct_graph.datasets.ledger import Decision, Instruction, Ledger, Outcome, PullRecord
from searchinstruct_graph.datasets.rows import Origin, Row, no_spending
from searchinstruct_graph.datasets.run import difference, held, holder, open_run, read_run, set_aside
from searchinstruct_graph.errors import UsageError

FACT = "The bridge is closed when the river rises."


def origin(bloom: str = "") -> Origin:
    return Origin(
        method="searchinstruct",
        operation="seed",
        parents=[],
        family="f",
        kind="when",
        subtopic="",
        keywords=[],
        bloom=bloom,
        passages=[],
        wave=0,
    )


def outcome(fact: str = FACT, uri: str = "/a.md") -> Outcome:
    return Outcome(
        answer=fact,
        language="en",
        grounding="quotes",
        statements=[{"text": fact, "citations": [1], "quotes": [[1, 0]], "support": 1.0}],
        sources=[
            {
                "id": 1,
                "uri": uri,
                "title": "A",
                "retrieved_at": "2026-01-01T00:00:00+00:00",
                "sha256": "a" * 64,
                "license": None,
                "quotes": [{"text": fact, "start": 3, "end": 3 + len(fact)}],
            }
        ],
        critic={
            "verdict": "accept",
            "confidence": 1.0,
            "support": 1.0,
            "agreement": None,
            "samples": 0,
            "rounds": 1,
            "problems": [],
        },
        vote=None,
        rejected=[],
        usage=no_spending(),
        fault=None,
    )


def instruction(ordinal: int, bloom: str = "") -> Instruction:
    text = f"When is bridge {ordinal} closed?"
    return Instruction(ordinal=ordinal, id=f"i{ordinal}", text=text, wave=0, status="admitted", origin=origin(bloom))


def acceptance(target: int = 10, **more: Any) -> Acceptance:
    rules = Rules(target, "f", "", bool(more.get("levels")), 0.5, None, {})
    blocked = Blocked(more.get("blocked", ()))
    return Acceptance(rules, {"writer": "m"}, {"searchinstruct-graph": "0"}, blocked=blocked)


def row(**changed: object) -> Row:
    made = acceptance().decide(instruction(0), outcome())["row"]
    assert made is not None
    return Row(**{**made, **changed})  # type: ignore[typeddict-item]


async def filled(folder: Path, count: int = 3) -> Ledger:
    ledger = Ledger(folder)
    instructions = [instruction(n) for n in range(count)]
    await ledger.commit_wave(
        0,
        [(i["ordinal"], i["id"], i["text"], i["status"], i["origin"]) for i in instructions],
        [],
        b"",
        proposed=count,
        last=count - 1,
    )
    return ledger


async def test_what_is_committed_is_read_back_as_it_was(tmp_path: Path) -> None:
    ledger = await filled(tmp_path)
    decider, made = acceptance(), []
    for n in range(3):
        await ledger.commit_answer(n, outcome(f"Fact {n} about the bridge of planks."))
        decision = decider.decide(instruction(n), outcome(f"Fact {n} about the bridge of planks."))
        await ledger.decide([decision])
        made.append(decision["row"])
    ledger.close()
    with reading(tmp_path / ledgers.NAME) as db:
        assert list(ledgers.read_rows(db)) == made
        assert list(ledgers.read_rows(db, after=0)) == made[1:]
        assert ledgers.read_funnel(db)["accepted"] == 3


async def test_a_row_is_committed_once(tmp_path: Path) -> None:
    ledger = await filled(tmp_path)
    decision = acceptance().decide(instruction(0), outcome())
    await ledger.decide([decision])
    with pytest.raises(sqlite3.IntegrityError):
        await ledger.decide([decision])
    # Its neighbour in the same commit is not harmed.
    other = acceptance().decide(instruction(1), outcome("Another fact about the bridge."))
    done = await asyncio.gather(ledger.decide([decision]), ledger.decide([other]), return_exceptions=True)
    assert isinstance(done[0], sqlite3.IntegrityError)
    assert done[1] is None
    ledger.close()
    with reading(tmp_path / ledgers.NAME) as db:
        assert len(list(ledgers.read_rows(db))) == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"statements": []},
        {"sources": []},
        {"models": {}},
        {"versions": {}},
        {"answer": " "},
        {"statements": [{"text": FACT, "citations": [1], "quotes": [], "support": 1.0}]},
        {"statements": [{"text": FACT, "citations": [1], "quotes": [[1, 7]], "support": 1.0}]},
        {"statements": [{"text": FACT, "citations": [2], "quotes": [[2, 0]], "support": 1.0}]},
    ],
)
async def test_a_row_without_its_provenance_is_refused(tmp_path: Path, changed: dict[str, object]) -> None:
    ledger = await filled(tmp_path)
    with pytest.raises(ValueError, match="row"):
        await ledger.decide([Decision(ordinal=0, row=row(**changed), rejection=None)])
    ledger.close()
    with reading(tmp_path / ledgers.NAME) as db:
        assert list(ledgers.read_rows(db)) == []


async def test_replies_are_kept_until_what_they_were_for_is_committed(tmp_path: Path) -> None:
    usage = {"roles": {"writer": {"model_calls": 1, "input_tokens": 3, "output_tokens": 2, "cost_usd": None}}}
    ledger = await filled(tmp_path)
    await ledger.save_call("answer:0:k", "answer:0", {"text": "a"}, usage)
    await ledger.save_call("answer:1:k", "answer:1", {"text": "b"}, usage)
    ledger.close()
    again = Ledger(tmp_path)
    assert again.saved_call("answer:0:k") == ({"text": "a"}, usage)
    await again.commit_answer(0, outcome())
    again.close()
    third = Ledger(tmp_path)
    assert third.saved_call("answer:0:k") is None
    assert third.saved_call("answer:1:k") is not None
    third.close()
    with reading(tmp_path / ledgers.NAME) as db:
        spent = ledgers.total(ledgers.read_spending(db).values())
    assert (spent["model_calls"], spent["input_tokens"], spent["cost_usd"]) == (2, 6, None)


FULL = """
import asyncio, resource, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.datasets.test_ledger import filled, outcome
from searchinstruct_graph.errors import SearchInstructError

async def main():
    folder = Path({folder!r})
    ledger = await filled(folder, 2000)
    await ledger.commit_answer(0, outcome())
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, resource.RLIM_INFINITY))
    done = 1
    try:
        for n in range(1, 2000):
            await ledger.commit_answer(n, outcome("x" * 4000))
            done += 1
    except SearchInstructError as error:
        print(done, error)
    # Space is there again: the same process goes on.
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    await ledger.commit_answer(done, outcome())
    ledger.close()

asyncio.run(main())
"""


def test_a_full_disk_is_told_and_nothing_that_was_committed_is_lost(tmp_path: Path) -> None:
    root = str(Path(__file__).parent.parent.parent)
    program = FULL.format(root=root, folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    count = int(done.stdout.split()[0])
    assert 1 < count < 2000
    assert "cannot be written" in done.stdout
    assert "same command again" in done.stdout
    db = sqlite3.connect(tmp_path / ledgers.NAME)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert db.execute("SELECT count(*) FROM answers").fetchone() == (count + 1,)


def test_shares_levels_and_targets_are_kept_by_order_alone() -> None:
    decider = acceptance(target=12, levels=True)
    kept = [
        decider.decide(instruction(n, "apply"), outcome(f"Fact {n} about the bridge of planks."))["row"]
        for n in range(9)
    ]
    assert sum(made is not None for made in kept) == decider.level_cap() == 3
    crowded = acceptance(target=12)
    given = [crowded.decide(instruction(n), outcome(f"Fact {n} of the rope bridge.", "/one.md")) for n in range(9)]
    assert sum(each["row"] is not None for each in given) == crowded.source_cap("/one.md") == 6
    assert all(each["rejection"] is None for each in given)


def test_the_same_answer_and_a_purged_source_are_refused() -> None:
    decider = acceptance(blocked=["/bad.md"])
    assert decider.decide(instruction(0), outcome())["row"] is not None
    again = decider.decide(instruction(1), outcome())["rejection"]
    assert again is not None
    assert again["reason"] == "same_answer"
    bad = decider.decide(instruction(2), outcome("Something else about the bridge.", "/bad.md"))["rejection"]
    assert bad is not None
    assert bad["reason"] == "purged_source"


@pytest.mark.parametrize(
    ("source", "uri", "held"),
    [
        ("/docs/bad", "/docs/bad/x.md", True),
        ("/docs/bad/", "/docs/bad/x.md", True),
        ("/docs/bad.md", "/docs/bad.md#7", True),
        ("/docs/bad", "/docs/badger.md", False),
        ("evil.example", "https://www.evil.example/page", True),
        ("evil.example", "https://notevil.example/page", False),
        ("https://a.example/x", "https://a.example/x/y", True),
        ("docs/a.md", f"{Path.cwd()}/docs/a.md", True),
        (f"{Path.cwd()}/docs", "docs/a.md", True),
        ("pydoc:with", "pydoc:with", True),
        ("pydoc:with", "pydoc:without", False),
    ],
)
def test_a_blocked_source_holds_what_lies_below_it(source: str, uri: str, held: bool) -> None:
    assert Blocked([source]).holds(uri) is held


def test_a_page_is_blocked_by_the_hash_of_its_text() -> None:
    assert Blocked(["a" * 64]).holds("/x.md", "a" * 64)
    assert not Blocked(["a" * 64]).holds("/x.md", "b" * 64)


@pytest.mark.parametrize("place", ["answer", "quote", "draft", "fault"])
def test_a_key_is_kept_nowhere(place: str) -> None:
    key = "sk-" + "Ab3dEf6h" * 4
    made = outcome()
    if place == "answer":
        made["answer"] = f"Use {key}."
    elif place == "quote":
        made["sources"][0]["quotes"][0]["text"] = f"Use {key}."
    elif place == "fault":
        made["fault"] = {"reason": "unsupported", "detail": f"{key} is not quoted", "quarantined": False}
    else:
        made["rejected"] = [{"answer": f"Use {key}.", "reason": "unsupported"}]
    decision = acceptance().decide(instruction(0), made)
    assert key not in str(decision)
    assert (decision["row"] is not None) == (place == "draft")


@pytest.mark.parametrize(
    ("uri", "unit"),
    [
        ("https://www.a.example/x?y", "a.example"),
        ("/docs/a.jsonl#17", "/docs/a.jsonl"),
        ("pydoc:with", "pydoc:with"),
    ],
)
def test_shares_are_counted_by_file_or_host(uri: str, unit: str) -> None:
    assert source_unit(uri) == unit


# The run's folder.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4), st.dictionaries(st.text(max_size=4), JSON, max_size=4))
def test_a_difference_is_told_exactly_when_there_is_one(one: dict[str, object], other: dict[str, object]) -> None:
    def without_none(value: object) -> object:
        if isinstance(value, dict):
            return {k: without_none(v) for k, v in value.items() if v is not None and without_none(v) != {}}
        return value

    if without_none(one) != without_none(other):
        assert difference(one, other) or one != other
    assert difference(one, one) == []


def test_a_run_is_begun_resumed_refused_and_set_aside(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with held(folder):
        begun = open_run(folder, {"a": 1, "b": [1]}, {"target": 5}, "0.1")
        assert open_run(folder, {"a": 1, "b": (1,)}, {"target": 9}, "0.1")["options"] == {"target": 9}
        assert read_run(folder)["fingerprint"] == begun["fingerprint"]
        with pytest.raises(UsageError, match="a: 1 → 2"):
            open_run(folder, {"a": 2, "b": [1]}, {"target": 9}, "0.1")
        assert holder(folder) is not None
        with pytest.raises(UsageError, match="is being worked on by process"), held(folder):
            pass
        aside = set_aside(folder)
        assert aside is not None
        assert read_run(aside)["configuration"]["a"] == 1
        assert open_run(folder, {"a": 2}, {}, "0.1")["configuration"] == {"a": 2}
    assert holder(folder) is None


def test_a_folder_with_other_files_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with held(tmp_path), pytest.raises(UsageError, match=r"thesis\.tex"):
        open_run(tmp_path, {}, {}, "0.1")
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        read_run(tmp_path)


# Pulls of an extraction.


def pull(number: int, **changed: Any) -> PullRecord:
    record = PullRecord(
        number=number,
        cluster=None,
        documents=[number],
        owners=[number],
        cells=[],
        vectors=b"\0\0" * 4,
        texts=[],
        failures=[],
        distance=None,
        reward=None,
        note="",
    )
    return PullRecord(**{**record, **changed})  # type: ignore[typeddict-item]


async def test_a_pull_is_committed_whole_or_not_at_all(tmp_path: Path) -> None:
    usage = {"roles": {"extractor": {"model_calls": 1, "input_tokens": 3, "output_tokens": 2, "cost_usd": 0.5}}}
    ledger, decider = await filled(tmp_path, 1), acceptance()
    await ledger.save_call("pull:0:k", "pull:0", {"pairs": []}, usage)
    good = decider.decide(instruction(1), outcome("Fact 1 about the bridge of planks."))
    bad = Decision(ordinal=2, row=row(sources=[]), rejection=None)
    answered = [(instruction(n), outcome(f"Fact {n} about the bridge of planks.")) for n in (1, 2)]

    def counted() -> tuple[int, ...]:
        tables = ("waves", "instructions", "answers", "rows", "rejections", "pulls", "pool", "calls")
        with reading(tmp_path / ledgers.NAME) as db:
            return tuple(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables)

    before = counted()
    with pytest.raises(ValueError, match="row"):
        await ledger.commit_pull(pull(0), answered, [], [good, bad], b"s", proposed=2, last=2)
    assert counted() == before
    # A fault that only the database sees, after rows were written, takes them back as well.
    with pytest.raises(sqlite3.IntegrityError):
        await ledger.commit_pull(pull(0), [*answered, answered[0]], [], [good], b"s", proposed=2, last=2)
    assert counted() == before
    await ledger.commit_pull(pull(0), answered[:1], [], [good], b"s", proposed=1, last=1)
    with pytest.raises(sqlite3.IntegrityError):
        await ledger.commit_pull(pull(0), [], [], [], b"s", proposed=0, last=1)
    ledger.close()
    with reading(tmp_path / ledgers.NAME) as db:
        assert list(ledgers.read_pulls(db)) == [pull(0)]
        assert [each["instruction"] for each in ledgers.read_rows(db)] == [instruction(1)["text"]]
        assert [each["last"] for each in ledgers.read_waves(db)] == [0, 1]
    # Its replies are no longer needed, and what they cost is not forgotten.
    again = Ledger(tmp_path)
    assert again.saved_call("pull:0:k") is None
    again.close()
    with reading(tmp_path / ledgers.NAME) as db:
        assert ledgers.total(ledgers.read_spending(db).values())["cost_usd"] == 0.5
