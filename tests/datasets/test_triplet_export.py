"""What is made of a run of triplets: exports that load elsewhere, a report, a card; and which requests make no sense."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.export import Selection, check
from searchinstruct_graph.datasets.exporting import Wanted, card_place, export_run, rebuild, report_run, write_card
from searchinstruct_graph.datasets.formats import TRIPLET, Shape
from searchinstruct_graph.datasets.ledger import Ledger
from searchinstruct_graph.datasets.rows import Rejection, no_spending
from searchinstruct_graph.datasets.run import open_run, write_atomically
from searchinstruct_graph.datasets.triplet_export import export_beir, export_triplets
from searchinstruct_graph.datasets.triplet_measures import measure_triplets
from searchinstruct_graph.datasets.triplets import PUBLISHED, Triplet, TripletRow, query_family, triplet_id
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.search_sets import read_search_sets
from searchinstruct_graph.retriever.rows import read_triplets
from tests.support.zygote import ForkedShell, Zygote

TOWERS = "Ardmoor Brisk Calder Dunmere Elstow Farrow Glenby Holt Iverley Jesmond Kirkton Lamb".split()
PERSIAN = "ناقوس برج بندر چگونه نواخته می‌شود؟"


def triplet(number: int, **changes: Any) -> TripletRow:
    """A triplet about the bell of one tower; `changes` replace its fields."""
    tower, next_tower = TOWERS[number % len(TOWERS)], TOWERS[(number + 1) % len(TOWERS)]
    texts = Triplet(
        query_positive=f"how is the bell of {tower} tower rung",
        instruction_positive="Only passages that name a year after 1950 count.",
        document=f"Since {1960 + number} an electric hammer has rung the bell of {tower} tower on the hour.",
        query_negative=f"how is the bell of {tower} chapel rung",
        instruction_negative="Only passages that name a year before 1900 count.",
        hard_negative_document_1=f"Until {1860 + number} two men rang the bell of {tower} tower, and those of {next_tower}.",
        hard_negative_document_2=f"The bell of {tower} chapel has been rung by a motor since {1970 + number}.",
    )
    texts.update({name: changes.pop(name) for name in PUBLISHED if name in changes})  # type: ignore[typeddict-item]
    row = TripletRow(
        **texts,
        id=triplet_id(texts),
        family=query_family(texts["query_positive"]),
        kind="time",
        origins={"hard_negative_document_1": "found", "hard_negative_document_2": "written"},
        uris={"document": f"towers/{tower}.md", "hard_negative_document_1": "towers/old.md"},
        scores={"a": 1.0, "b": 0.9, "c": 0.8, "d": 0.7, "e": None},
        reasons={"a": "Since 1960 an electric hammer"},
        models={"instructor": "offline", "validator": "offline"},
        versions={"searchinstruct-graph": "0.1.0", "instruct_retrieval": "1"},
    )
    row.update(changes)  # type: ignore[typeddict-item]
    return row


def refusal(number: int, reason: str = "poison_still_met", **changes: Any) -> Rejection:
    """A try that was not kept."""
    made: Rejection = {
        "id": f"{number:064d}",
        "instruction": f"how is the bell of tower {number} rung",
        "stage": "validation",
        "reason": reason,
        "detail": "(b) no: the passage names a year before 1900",
        "quarantined": False,
        "answer": "",
        "statements": [],
        "sources": [],
        "scores": {"a": 1.0, "b": 0.2},
        "origin": {
            "method": "inf-ir", "operation": "contrast", "parents": [], "family": "", "kind": "time", "subtopic": "",
            "keywords": [], "bloom": "", "passages": [], "wave": 0,
        },
        "usage": no_spending(),
        "triplet": {
            "texts": {"query_positive": "how is it rung", "instruction_positive": "Only passages on hammers count."},
            "kind": "mention", "origins": {}, "uris": {}, "reasons": {},
        },
    }  # fmt: skip
    made.update(changes)  # type: ignore[typeddict-item]
    return made


def made_run(folder: Path, rows: list[TripletRow], refused: list[Rejection] | None = None) -> Path:
    """A run with these triplets, as the ledger commits them."""
    folder.mkdir()
    configuration: dict[str, Any] = {
        "method": "triplets",
        "pairs": "0" * 64,
        "pair_count": len(rows) + len(refused or []),
        "task": {},
        "held_out": {},
        "models": {"instructor": "offline", "validator": "offline"},
        "prompts": {"instruct_retrieval": "1"},
        "settings": {"corpus": [], "seed": 0},
    }
    options = {"target": None, "max_pairs": None, "concurrency": 8, "max_cost": None, "index": None}
    open_run(folder, configuration, options, "0.1.0")

    async def work() -> None:
        ledger = Ledger(folder)
        for number, row in enumerate(rows):
            keys = [query_family(row["query_positive"]), row["family"]]
            await ledger.commit_triplet(number, row, None, keys, {"searches": 1, "pages": 0})
        for number, rejection in enumerate(refused or [], len(rows)):
            await ledger.commit_triplet(number, None, rejection, [], {})
        ledger.close()

    asyncio.run(work())
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of ten towers, two of whose triplets share a query, and two refusals."""
    rows = [triplet(number) for number in range(10)]
    rows.append(triplet(0, instruction_positive="Only passages that speak of electricity count."))
    return made_run(tmp_path / "run", rows, [refusal(1), refusal(2, "no_instruction")])


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def qrels(path: Path) -> list[tuple[str, str, str]]:
    head, *body = path.read_text(encoding="utf-8").splitlines()
    assert head == "query-id\tcorpus-id\tscore"
    return [tuple(line.split("\t")) for line in body]  # type: ignore[misc]


# Published names.


def test_triplets_are_exported_under_their_published_names(run: Path) -> None:
    manifest = export_run(run, Wanted(format="triplets"))["train"]
    found = lines(run / "exports" / "triplets.jsonl")
    assert (manifest["format"], manifest["rows"], len(found)) == ("triplets", 11, 11)
    assert set(found[0]) == {*PUBLISHED, "id", "family", "kind", "origins", "uris", "scores", "models"}
    assert found[0]["scores"] == {"a": 1.0, "b": 0.9, "c": 0.8, "d": 0.7, "e": None}
    assert found[0]["uris"]["hard_negative_document_2"] == ""
    assert read_triplets(found)[0].document_positive == found[0]["document"]
    assert check(str(run / "exports" / "triplets.jsonl")) == []


@pytest.mark.parametrize("wanted", [Wanted(format="parquet"), Wanted(format="triplets")])
def test_triplets_are_parquet_too(run: Path, tmp_path: Path, wanted: Wanted) -> None:
    import pyarrow.parquet as pq

    out = tmp_path / "t.parquet"
    export_run(run, wanted, out)
    table = pq.read_table(out)
    assert set(table.column_names) == set(TRIPLET)
    assert table.to_pylist()[0]["scores"] == {"a": 1.0, "b": 0.9, "c": 0.8, "d": 0.7, "e": None}


def test_a_split_tears_no_family_and_shows_no_query_of_the_other_side(tmp_path: Path) -> None:
    rows = [triplet(number) for number in range(12)]
    # Of each a second one, whose poison is the query of another family.
    rows += [
        {
            **triplet(number, query_negative=triplet((number + 5) % 12)["query_positive"]),
            "family": rows[number]["family"],
        }
        for number in range(12)
    ]
    shares = {"train": 0.5, "test": 0.5}
    manifests = export_triplets(rows, str(tmp_path / "t.jsonl"), shares=shares, seed=3)
    held = {side: lines(tmp_path / f"t.{side}.jsonl") for side in shares}
    families = {side: {row["family"] for row in held[side]} for side in shares}
    assert not families["train"] & families["test"]
    measured = {row["query_positive"] for row in held["test"]}
    assert measured
    assert not measured & {row[name] for row in held["train"] for name in ("query_positive", "query_negative")}
    crossing = manifests["train"]["skipped"]["poisoned query asked on another side"]
    assert crossing > 0
    assert len(held["train"]) + len(held["test"]) + crossing == len(rows)
    export_beir(rows, str(tmp_path / "beir"), shares=shares, seed=3)
    manifest = json.loads(Path(f"{tmp_path / 'beir'}.manifest.json").read_text())
    assert manifest["skipped"] == {"poisoned query asked on another side": crossing}
    with pytest.raises(UsageError, match="fewer such families than sides; name one side"):
        export_triplets([triplet(1), triplet(1)], str(tmp_path / "one.jsonl"), shares=shares)


# BEIR's folder.


def test_a_beir_folder_has_three_queries_a_triplet_each_judged_with_its_passages(run: Path) -> None:
    manifest = export_run(run, Wanted(format="beir"))["train"]
    place = run / "exports" / "beir"
    assert (manifest["file"], manifest["format"], manifest["rows"]) == ("beir", "beir", 11)
    corpus = {each["_id"]: each["text"] for each in lines(place / "corpus.jsonl")}
    queries = {each["_id"]: each for each in lines(place / "queries.jsonl")}
    assert all(set(each) == {"_id", "title", "text"} for each in lines(place / "corpus.jsonl"))
    # The tower that two triplets ask about has one passage, one second poison of each, and one first poison.
    assert (len(corpus), len(queries)) == (30, 32)
    assert len(set(corpus.values())) == len(corpus)
    judged = [
        (queries[q], corpus[d], score)
        for side in ("train", "test")
        for q, d, score in qrels(place / f"qrels/{side}.tsv")
    ]
    first = triplet(3)
    told = {
        (query["text"], query["instruction"]): [
            text for other, text, score in judged if other == query and score == "1"
        ]
        for query, _, _ in judged
    }
    assert told[first["query_positive"], first["instruction_positive"]] == [first["document"]]
    assert told[first["query_positive"], first["instruction_negative"]] == [first["hard_negative_document_1"]]
    assert told[first["query_negative"], first["instruction_positive"]] == [first["hard_negative_document_2"]]
    wrong = [text for query, text, score in judged if query["text"] == first["query_negative"] and score == "0"]
    assert set(wrong) == {first["document"], first["hard_negative_document_1"]}
    right = next(
        each for each in queries.values() if each["text"] == first["query_positive"] and each["changed_instruction"]
    )
    assert right["changed_instruction"] == first["instruction_negative"]
    assert right["metadata"] == {"triplet": first["id"], "side": "positive"}
    assert check(str(place)) == []


def test_the_sides_of_a_beir_folder_share_no_query(run: Path) -> None:
    export_run(run, Wanted(format="beir", shares={"train": 0.6, "dev": 0.2, "test": 0.2}, seed=1))
    texts = {each["_id"]: each["text"] for each in lines(run / "exports/beir/queries.jsonl")}
    asked = {
        side: {texts[query] for query, _, _ in qrels(run / f"exports/beir/qrels/{side}.tsv")}
        for side in ("train", "dev", "test")
    }
    assert all(asked.values())
    assert len(set.union(*asked.values())) == sum(map(len, asked.values()))


def test_a_passage_that_fits_in_one_triplet_is_nowhere_judged_as_failing(tmp_path: Path) -> None:
    one = triplet(1)
    # The same query and instruction with another passage; the first one's is its hard negative.
    other = triplet(1, document="A motor of 1999 rings the bell of Brisk.", hard_negative_document_1=one["document"])
    for order in ([one, other], [other, one]):
        export_beir(order, str(tmp_path / "set"), shares={"test": 1.0})
        texts = {each["_id"]: each["text"] for each in lines(tmp_path / "set/corpus.jsonl")}
        right = next(
            each["_id"] for each in lines(tmp_path / "set/queries.jsonl") if each["metadata"]["side"] == "positive"
        )
        judged = {texts[d]: score for q, d, score in qrels(tmp_path / "set/qrels/test.tsv") if q == right}
        assert judged[one["document"]] == judged[other["document"]] == "1"


def test_a_beir_folder_is_read_by_datasets_and_by_our_own_evaluation(run: Path, tmp_path: Path) -> None:
    import datasets

    datasets.disable_progress_bars()
    wanted = Wanted(format="beir")
    made = export_run(run, wanted)
    place = card_place(run, wanted)
    assert write_card(run, wanted, made, place) == run / "exports" / "beir" / "README.md"
    cache = str(tmp_path / "cache")
    judgements = datasets.load_dataset(str(place), "default", cache_dir=cache)
    assert set(judgements) == {"train", "test"}
    assert judgements["test"].column_names == ["query-id", "corpus-id", "score"]
    assert set(judgements["train"]["score"]) == {0, 1}
    assert len(datasets.load_dataset(str(place), "corpus", cache_dir=cache)["corpus"]) == 30
    queries = datasets.load_dataset(str(place), "queries", cache_dir=cache)["queries"]
    assert {"_id", "text", "instruction"} <= set(queries.column_names)
    # The card changes no digest, and an evaluation reads past it.
    assert check(str(place)) == []
    (found,) = read_search_sets([str(place)], str(tmp_path / "index"))
    assert {query.instruction for query in found.queries} >= {"Only passages that name a year after 1950 count."}


def test_a_beir_folder_is_whole_or_said_not_to_be_and_is_made_anew(run: Path) -> None:
    wanted = Wanted(format="beir", shares={"train": 0.7, "test": 0.3})
    export_run(run, wanted)
    place = run / "exports" / "beir"
    before = {path.name: path.read_bytes() for path in place.rglob("*.*")}
    (place / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n", encoding="utf-8")
    assert "torn" in check(str(place))[0]
    (place / "notes.txt").write_text("mine", encoding="utf-8")
    assert rebuild(run) == 1
    after = {path.name: path.read_bytes() for path in place.rglob("*.*")}
    assert after == {**before, "notes.txt": b"mine"}
    # Judgements of sides that are no more go, other people's files stay.
    export_run(run, Wanted(format="beir", shares={"test": 1.0}))
    assert sorted(path.name for path in place.rglob("*.*")) == [
        "corpus.jsonl",
        "notes.txt",
        "queries.jsonl",
        "test.jsonl",
        "test.tsv",
    ]
    assert check(str(place)) == []
    with pytest.raises(UsageError, match="without a suffix"):
        export_run(run, wanted, run / "beir.jsonl")
    (run / "taken").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="is a file, and the format beir is a folder"):
        export_run(run, wanted, run / "taken")


def test_a_rebuild_of_what_has_no_triplets_left_takes_the_exports_away(run: Path) -> None:
    import sqlite3

    export_run(run, Wanted(format="beir"))
    export_run(run, Wanted(format="triplets", shares={"train": 0.5, "test": 0.5}))
    with sqlite3.connect(run / ledgers.NAME) as db:
        db.execute("DELETE FROM triplets")
    assert rebuild(run) == 0
    assert [path.name for path in (run / "exports").rglob("*.*")] == []


# Requests that make no sense.


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (
            Wanted(format="messages"),
            "holds triplets, which have no format messages; export them with --format triplets",
        ),
        (Wanted(format="probes"), "no format probes"),
        (Wanted(format="triplets", keep=Selection(only={"kind": {"time"}})), "exported whole"),
        (Wanted(format="beir", shape=Shape(citations=True)), "exported whole"),
        (Wanted(format="nonsense"), "no format nonsense"),
    ],
)
def test_a_run_of_triplets_has_no_other_formats(run: Path, wanted: Wanted, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        export_run(run, wanted)


def test_another_run_has_no_triplets_and_an_empty_one_says_so(tmp_path: Path) -> None:
    empty = made_run(tmp_path / "empty", [])
    with pytest.raises(UsageError, match="has no triplets yet"):
        export_run(empty, Wanted(format="triplets"))
    told = json.loads((empty / "run.json").read_text(encoding="utf-8"))
    write_atomically(
        empty / "run.json", json.dumps({**told, "configuration": {**told["configuration"], "method": "equal"}})
    )
    for name in ("triplets", "beir"):
        with pytest.raises(UsageError, match="holds no triplets, so it has no format"):
            export_run(empty, Wanted(format=name))


def test_the_command_line_names_what_it_wrote_and_keeps_other_peoples_cards(
    run: Path, tmp_path: Path, zygote: Zygote
) -> None:
    desk = ForkedShell(tmp_path, zygote)
    done = desk.do(
        "export", str(run), "--format", "beir", "--out", str(tmp_path / "set"), "--split", "test=1", "--card"
    )
    assert done.stdout.splitlines() == [f"{tmp_path / 'set'}: 11 triplets", str(tmp_path / "set" / "README.md")]
    assert "qrels/test.jsonl" in (tmp_path / "set" / "README.md").read_text(encoding="utf-8")
    (tmp_path / "set" / "README.md").write_text("# Mine\n", encoding="utf-8")
    refused = desk.do("export", str(run), "--format", "beir", "--out", str(tmp_path / "set"), "--card")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "README.md exists and is not a card of ours" in refused.stderr
    wrong = desk.do("export", str(run), "--format", "alpaca")
    assert (wrong.returncode, len(wrong.stderr.splitlines())) == (2, 1)
    assert "--format triplets, --format beir or --format parquet" in wrong.stderr


# Report and card.


def test_a_report_tells_what_was_kept_why_the_rest_was_not_and_shows_triplets(run: Path) -> None:
    page = report_run(run).read_text(encoding="utf-8")
    for said in (
        "11 of 13 tries (85%)",
        "no instruction",
        "poison still met",
        "found",
        "written",
        "accuracy",
        "mean 0.70",
        "on hammers count",
    ):
        assert said in page, said
    # What the poison changed is marked, on both sides.
    assert "<mark>after 1950</mark>" in page
    assert "<mark>before 1900</mark>" in page
    assert page.count('class="card"') >= 10
    assert "no score" in page
    with pytest.raises(UsageError, match="leave out --against"):
        report_run(run, against=run)


def test_no_stranger_writes_markup_on_a_report_or_card(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script> | `x` [y](http://evil.example)"
    row = triplet(
        1,
        document=evil,
        kind=evil,
        query_positive=PERSIAN,
        models={"instructor": evil},
        uris={"document": "javascript:x"},
    )
    run = made_run(tmp_path / "run", [row], [refusal(1, detail=evil)])
    page = report_run(run).read_text(encoding="utf-8")
    assert "<script" not in page
    assert 'javascript:x"' not in page
    assert PERSIAN in page
    assert "too few families" in page
    wanted = Wanted(format="triplets")
    card = write_card(run, wanted, export_run(run, wanted), run / "exports").read_text(encoding="utf-8")
    assert "<script" not in card
    assert "[y](" not in card


def test_a_run_that_kept_nothing_has_a_report(tmp_path: Path) -> None:
    page = report_run(made_run(tmp_path / "run", [], [refusal(1)])).read_text(encoding="utf-8")
    assert "0 of 1 tries" in page
    assert "No triplet was kept." in page


def test_a_card_says_how_the_set_was_made_and_loads_it(run: Path, tmp_path: Path) -> None:
    import datasets

    datasets.disable_progress_bars()
    wanted = Wanted(format="triplets", shares={"train": 0.8, "test": 0.2})
    card = write_card(run, wanted, export_run(run, wanted), run / "exports").read_text(encoding="utf-8")
    for said in (
        "11 of 13 tries were kept (84.6%)",
        "offline extractive model",
        "searchinstruct triplets PAIRS",
        "2505.21439",
        "time",
    ):
        assert said in card, said
    loaded = datasets.load_dataset(str(run / "exports"), cache_dir=str(tmp_path / "cache"))
    assert sum(len(side) for side in loaded.values()) == 11
    assert loaded["train"].features["scores"]["e"].dtype == "float64"


def test_a_card_counts_what_a_split_leaves_out_and_names_models_and_thresholds(tmp_path: Path) -> None:
    rows = [triplet(number, query_positive=f"how is bell {number} rung") for number in range(4)]
    # In a circle: whichever is tested, another one asks it, poisoned.
    for at, row in enumerate(rows):
        row["query_negative"] = f"how is bell {(at + 1) % 4} rung"
    run = made_run(tmp_path / "run", rows)
    told = json.loads((run / "run.json").read_text(encoding="utf-8"))
    told["configuration"] |= {
        "models": {"instructor": "openai:small", "poisoner": "openai:small", "validator": "openai:large"},
        "settings": {**told["configuration"]["settings"], "least_score": 0.7, "most_edit": 0.7, "seed": 3},
    }
    write_atomically(run / "run.json", json.dumps(told))
    wanted = Wanted(format="triplets", shares={"train": 0.75, "test": 0.25})
    made = export_run(run, wanted)
    left = made["train"]["skipped"]["poisoned query asked on another side"]
    card = write_card(run, wanted, made, run / "exports").read_text(encoding="utf-8")
    assert f"| poisoned query asked on another side | {left} |" in card
    command = "--model openai:small --validator-model openai:large --least-score 0.7 --seed 3 --run DIR"
    assert command in card


def test_measures_leave_a_missing_score_missing_and_draw_from_many() -> None:
    rows = [triplet(number, query_positive=f"how is bell {number} rung") for number in range(20)]
    measured, shown = measure_triplets(rows)
    assert measured["scores"]["e"] == {"mean": None, "missing": 20, "bars": [0] * 10}
    assert measured["scores"]["d"]["bars"][7] == 20
    assert measured["origins"]["hard_negative_document_1"] == {"found": 20, "written": 0}
    assert measured["leak"] is not None
    assert measured["leak"].accuracy > 0.9, "the same two instructions over and over give their side away"
    assert len(shown) == 10
    assert measure_triplets(reversed(rows))[1] == shown
    assert measure_triplets([])[0]["leak"] is None


def test_a_million_characters_and_every_script_pass(tmp_path: Path) -> None:
    rows = [
        triplet(1, query_positive=PERSIAN, document="长" * 100_000, hard_negative_document_1="\ud800 half", uris={})
    ]
    export_beir(rows, str(tmp_path / "set"), shares={"test": 1.0})
    texts = [each["text"] for each in lines(tmp_path / "set/corpus.jsonl")]
    assert "长" * 100_000 in texts
    assert len(qrels(tmp_path / "set/qrels/test.tsv")) == 9
