"""What is held out stays held out: no probe is a training instruction, whichever came first, in the ledger and every export."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.database import connect, reading
from searchinstruct_graph.datasets.edit_facts import by_kind, edit_facts
from searchinstruct_graph.datasets.export import Selection, check, export, export_probes, question_key
from searchinstruct_graph.datasets.exporting import Rows, Wanted, export_run, report_run
from searchinstruct_graph.datasets.facts import Fact, Probe, ProbeKind, fact_of, probe_id
from searchinstruct_graph.datasets.ledger import Decision, EditRecord, Instruction, Ledger, read_probes
from searchinstruct_graph.datasets.pool import Twin
from searchinstruct_graph.datasets.probes import FactPool, hold_out, unsettled_by
from searchinstruct_graph.datasets.report.editing import marked
from searchinstruct_graph.datasets.rows import Edited, RowSource
from searchinstruct_graph.datasets.run import open_run
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.models.embeddings import embeddings
from tests.datasets.test_export import make_row
from tests.datasets.test_ledger import instruction, outcome

MAYOR = fact_of({"subject": "Veldmoor", "relation": "mayor", "old": "Tobias Renn", "new": "Ines Arkwright"}, "1")
TOLL = fact_of({"subject": "the Alder Bridge", "relation": "toll", "old": "3 crowns", "new": "5 crowns"}, "2")


def probe(question: str, kind: ProbeKind = "locality", answer: str = "Thursday", fact: Fact = MAYOR) -> Probe:
    """A probe of a fact, carried by a page of the almanac."""
    text = "The market is held on Thursday."
    source = RowSource(
        id=1,
        uri="/town.md",
        title="Veldmoor",
        retrieved_at="2026-01-01T00:00:00+00:00",
        sha256=sha256(text.encode()).hexdigest(),
        license=None,
        quotes=[{"text": text, "start": 0, "end": len(text)}],
    )
    return Probe(
        id=probe_id(fact["id"], kind, question),
        fact=fact["id"],
        kind=kind,
        question=question,
        answer=answer,
        stale="",
        aliases=[],
        sources=[source],
    )


def pool(texts: Sequence[str] = ()) -> FactPool:
    """A pool that trains on these texts, which are another fact's by now."""
    made = FactPool(embeddings("wordllama"), lambda ordinal: str(ordinal))
    assert not any(isinstance(each, Twin) for each in made.admit(texts))
    made.begin()
    return made


def reasons(probes: Sequence[Probe], known: FactPool, facts: Sequence[Fact] = (MAYOR, TOLL)) -> list[str]:
    """Why probes are not kept."""
    return [why for _, _, why in hold_out(probes, known, facts)[1]]


# The pool: training wordings and probes side by side.


def test_wordings_of_one_fact_may_say_the_same_in_other_words_but_never_the_same_words() -> None:
    known = pool()
    first, other, copy = known.admit(
        [
            "Who is the mayor of Veldmoor?",
            "Who is Veldmoor's mayor?",
            "who is the Mayor of VELDMOOR",
        ]
    )
    assert isinstance(first, int)
    assert isinstance(other, int)
    assert isinstance(copy, Twin)
    # Of another fact, a question that asks the same is one too many.
    known.begin()
    (again,) = known.admit(["Veldmoor has which mayor?"])
    assert isinstance(again, Twin)


def test_a_held_out_wording_is_a_paraphrase_of_its_fact_and_no_copy() -> None:
    known = pool()
    known.admit(["Who is the mayor of Veldmoor?"])
    kept, dropped = hold_out(
        [
            probe("Who is Veldmoor's mayor?", "efficacy", "Ines Arkwright"),
            probe("who is the mayor of Veldmoor", "generality", "Ines Arkwright"),
        ],
        known,
        [MAYOR],
    )
    assert [each["question"] for _, each in kept] == ["Who is Veldmoor's mayor?"]
    assert dropped == [["generality", "who is the mayor of Veldmoor", "asked_in_training"]]
    # A probe of another kind that only rewords the fact is none of its kind.
    assert reasons([probe("Veldmoor's mayor is who?", "portability", "x")], known) == ["asked_in_training"]


def test_no_probe_is_what_any_fact_of_the_run_trains_on_whichever_came_first() -> None:
    known = pool(["What is the toll of the Alder Bridge?"])
    copy = probe("what is the toll of the ALDER bridge", answer="a coin")
    assert reasons([copy], known, [MAYOR]) == ["asked_in_training"]
    near = probe("What toll does the Alder Bridge have?", answer="a coin")
    assert reasons([near], known, [MAYOR]) == ["asked_in_training"]
    # The other way round: a later wording that an earlier fact holds out.
    kept, _ = hold_out([probe("When is the market of Veldmoor held?")], known, [MAYOR])
    known.begin()
    (clash,) = known.admit(["When is the market of Veldmoor held?"])
    assert isinstance(clash, Twin)
    assert clash.ordinal == kept[0][0]
    assert known.is_held_out(clash)
    assert known.twins["When is the market of Veldmoor held?"] == clash


def test_a_question_is_held_out_once() -> None:
    known = pool()
    assert reasons([probe("When is the market held?"), probe("when is the market held")], known) == ["repeated"]


def test_a_probe_that_another_fact_makes_untrue_is_dropped() -> None:
    untrue = probe("How much is the toll of the Alder Bridge on Thursdays?", answer="It is 3 crowns.")
    assert unsettled_by(untrue, [MAYOR, TOLL]) == TOLL
    assert unsettled_by(untrue, [MAYOR]) is None
    assert reasons([untrue], pool()) == ["changed_by_another_fact"]
    # Its own fact is its own affair, and a like answer about something else is none of the other's.
    assert unsettled_by({**untrue, "fact": TOLL["id"]}, [TOLL]) is None
    assert unsettled_by(probe("How much is a loaf in Veldmoor?", answer="3 crowns"), [TOLL]) is None


def test_a_probe_that_asks_for_another_fact_of_the_run_is_none_of_its_own() -> None:
    asked = probe("Which toll is taken on the Alder Bridge?", answer="a coin")
    assert unsettled_by(asked, [MAYOR, TOLL]) == TOLL
    # Another question about that subject, and the same about another year, ask for something else.
    assert unsettled_by(probe("How many arches does the Alder Bridge have?", answer="seven"), [MAYOR, TOLL]) is None
    assert (
        unsettled_by(probe("Which toll was taken on the Alder Bridge in 1990?", answer="a coin"), [MAYOR, TOLL]) is None
    )
    # One step away: the new object of the probe's fact is the other fact's subject.
    owner = fact_of({"subject": "the mill", "relation": "owner", "old": "the town", "new": "the Lune Trust"}, "3")
    chair = fact_of({"subject": "the Lune Trust", "relation": "chair", "old": "Ada Orr", "new": "Ben Ash"}, "4")
    hop = probe("Who is the chair of the owner of the mill?", "portability", "Ada Orr", owner)
    assert unsettled_by(hop, [owner, chair]) == chair
    assert (
        unsettled_by({**hop, "question": "Where does the owner of the mill meet?", "answer": "Castra"}, [owner, chair])
        is None
    )


def test_secrets_and_what_is_no_question_are_not_held_out() -> None:
    key = "sk-proj-" + "a1B2c3D4e5F6g7H8i9J0" * 2
    _, dropped = hold_out([probe(f"Is {key} the key of Veldmoor?"), probe("Which key?", answer=key)], pool(), [MAYOR])
    assert {why for _, _, why in dropped} <= {"secret", "not_a_question"}
    assert key not in json.dumps(dropped)


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from(["market", "Market ", "toll", "mayor", "ferry", "شهردار", "馆长"])),
        max_size=12,
    )
)
def test_whatever_the_order_nothing_is_both_trained_and_probed(steps: list[tuple[bool, str]]) -> None:
    known, trained, held = pool(), set[str](), set[str]()
    for train, word in steps:
        known.begin()
        question = f"When does the {word} of Veldmoor open?"
        if train:
            if not isinstance(known.admit([question])[0], Twin):
                trained.add(question_key(question))
        else:
            kept, _ = hold_out([probe(question)], known, [MAYOR])
            held |= {question_key(each["question"]) for _, each in kept}
    assert not trained & held


# The ledger.


def record(number: int = 0, fact: Fact = MAYOR, reason: str = "") -> EditRecord:
    """What became of a fact."""
    return EditRecord(
        number=number,
        fact=fact,
        reason=reason,
        detail="",
        question="Who is the mayor of Veldmoor?",
        before="" if reason else "The mayor of Veldmoor is Tobias Renn.",
        after="" if reason else "The mayor of Veldmoor is Ines Arkwright.",
        change=None if reason else 0.25,
        spans=[] if reason else [[25, 39]],
        note="",
        dropped=[["locality", "?", "repeated"]],
    )


def edited(change: float | None = 0.25) -> Edited:
    """What a row says of its fact."""
    return Edited(
        fact=MAYOR["id"],
        subject="Veldmoor",
        relation="mayor",
        old="Tobias Renn",
        new="Ines Arkwright",
        as_of="",
        change=change,
        spans=[[25, 39]],
    )


def made_run(folder: Path, question: str = "Who is the mayor of Veldmoor?", held: str = "When is market day?") -> Path:
    """A run of one accepted and one refused fact, as the edit set commits them."""
    folder.mkdir()
    configuration = {
        "method": "edit",
        "facts": "0" * 64,
        "fact_count": 2,
        "task": {},
        "held_out": {},
        "models": {"editor": "offline"},
        "prompts": {},
        "settings": {"corpus": ["town"]},
    }
    open_run(folder, configuration, {"target": None, "concurrency": 8, "max_cost": None}, "0.1.0")
    asked: Instruction = {
        **instruction(0),
        "text": question,
        "origin": {**instruction(0)["origin"], "operation": "edit", "family": MAYOR["id"], "edit": edited()},
    }
    answer = outcome("The mayor of Veldmoor is Ines Arkwright.")
    row = make_row(
        1,
        instruction=question,
        answer="The mayor of Veldmoor is Ines Arkwright.",
        rejected=[{"answer": "The mayor of Veldmoor is Tobias Renn.", "reason": "stale"}],
        origin=asked["origin"],
    )

    async def work() -> None:
        ledger = Ledger(folder)
        usage = {"searches": 2, "pages": 3}
        decision = Decision(ordinal=0, row=row, rejection=None)
        await ledger.commit_fact(
            record(),
            [(asked, answer)],
            [],
            [decision],
            [(1, probe(held))],
            b"",
            proposed=1,
            last=1,
            usage=usage,
        )
        await ledger.commit_fact(
            record(1, TOLL, "no_evidence"), [], [], [], [], b"", proposed=1, last=1, usage={"searches": 1, "pages": 0}
        )
        ledger.close()

    asyncio.run(work())
    return folder


def test_a_fact_is_committed_as_a_whole_and_read_back(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    with reading(run / ledgers.NAME) as db:
        assert [each["reason"] for each in ledgers.read_edits(db)] == ["", "no_evidence"]
        assert [each["instruction"] for each in ledgers.read_rows(db)] == ["Who is the mayor of Veldmoor?"]
        assert ledgers.read_text(db, 1) == "When is market day?"
        assert ledgers.read_spending(db)["search"]["searches"] == 3
        with pytest.raises(UsageError, match="doctor"):
            ledgers.read_text(db, 2)
    assert read_probes(run) == [probe("When is market day?")]


def test_a_fact_with_a_row_that_rests_on_nothing_leaves_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    bad = Decision(ordinal=0, row=make_row(1, statements=[]), rejection=None)

    async def work() -> None:
        with pytest.raises(ValueError, match="no statements"):
            await ledger.commit_fact(record(), [], [], [bad], [(0, probe("?"))], b"", proposed=1, last=0, usage={})

    asyncio.run(work())
    ledger.close()
    assert read_probes(tmp_path) == []


def test_a_ledger_without_the_tables_has_no_probes_until_it_is_opened_to_write(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    with sqlite3.connect(tmp_path / ledgers.NAME) as db:
        db.execute("DROP TABLE probes")
        db.execute("DROP TABLE edits")
    assert read_probes(tmp_path) == []
    with reading(tmp_path / ledgers.NAME) as db:
        assert list(ledgers.read_edits(db)) == []
        with pytest.raises(UsageError, match="no instruction 7"):
            ledgers.read_text(db, 7)
    connect(tmp_path / ledgers.NAME).close()
    with sqlite3.connect(tmp_path / ledgers.NAME) as db:
        assert db.execute("SELECT count(*) FROM probes").fetchone() == (0,)


def test_an_edit_set_is_told_in_numbers(tmp_path: Path) -> None:
    from searchinstruct_graph.datasets.run import read_run

    run = made_run(tmp_path / "run")
    with reading(run / ledgers.NAME) as db:
        found = edit_facts(db, read_run(run))
    assert (found["facts"], found["accepted"], found["rejected"], found["reasons"]) == (2, 1, 1, {"no_evidence": 1})
    assert (found["pairs"], found["sft_only"], found["change"], found["most_change"]) == (1, 0, 0.25, 0.25)
    assert found["changes"] == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert found["probes"] == {"efficacy": 0, "generality": 0, "portability": 0, "locality": 1}
    assert found["dropped"] == {"repeated": 2}
    assert by_kind([]) == dict.fromkeys(found["probes"], 0)


# Exports.


def exported(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_probes_are_exported_whole_and_told_by_a_manifest(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    manifest = export_run(run, Wanted(format="probes"))["test"]
    (found,) = exported(run / "exports" / "probes.jsonl")
    assert found == probe("When is market day?")
    assert set(found) == {"id", "fact", "kind", "question", "answer", "stale", "aliases", "sources"}
    assert (manifest["format"], manifest["rows"]) == ("probes", 1)
    assert check(str(run / "exports" / "probes.jsonl")) == []
    for wrong in (
        Wanted(format="probes", shares={"train": 0.5, "test": 0.5}),
        Wanted(format="probes", keep=Selection(only={"language": {"en"}})),
    ):
        with pytest.raises(UsageError, match="whole"):
            export_run(run, wanted=wrong)
    with pytest.raises(UsageError, match="no format probes"):
        export(Rows(run), "probes", str(tmp_path / "x.jsonl"))


@pytest.mark.parametrize("name", ["messages", "preference", "rows", "parquet"])
def test_no_export_of_rows_asks_what_a_probe_asks(tmp_path: Path, name: str) -> None:
    run = made_run(tmp_path / "run", held="who is the mayor of veldmoor")
    manifest = export_run(run, Wanted(format=name))["train"]
    assert manifest["rows"] == 0
    assert manifest["skipped"] == {"held out as a probe": 1}
    assert export_run(run, Wanted(format="probes"))["test"]["skipped"] == {"asked in training": 1}


def test_probes_with_a_licence_that_is_not_wanted_are_left_out(tmp_path: Path) -> None:
    manifest = export_probes([probe("When?")], str(tmp_path / "p.jsonl"), licenses={"mit"})
    assert (manifest["rows"], manifest["skipped"]) == (0, {"license": 1})


def test_a_report_marks_what_changed_and_no_stranger_writes_markup(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    with sqlite3.connect(run / ledgers.NAME) as db:
        (payload,) = db.execute("SELECT payload FROM edits WHERE number = 0").fetchone()
        evil = {**json.loads(payload), "before": "<script>alert(1)</script>", "detail": "<img src=x>"}
        db.execute("UPDATE edits SET payload = ? WHERE number = 0", (json.dumps(evil),))
    page = report_run(run).read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "<mark>Ines Arkwright</mark>" in page
    assert "no evidence" in page


@given(st.text(max_size=40), st.lists(st.lists(st.integers(-5, 60), min_size=0, max_size=3), max_size=6))
def test_marking_loses_no_character_whatever_the_spans(text: str, spans: list[list[int]]) -> None:
    plain = marked(text, [])
    shown = marked(text, spans)
    assert shown.replace("<mark>", "").replace("</mark>", "") == plain
