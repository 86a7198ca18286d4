"""Search sets with changed instructions: the small format, BEIR's folder, triplets; and p-MRR over the product's search."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from searchinstruct_graph.datasets.export import json_line
from searchinstruct_graph.datasets.ledger import Ledger
from searchinstruct_graph.datasets.run import open_run
from searchinstruct_graph.datasets.triplet_export import export_beir
from searchinstruct_graph.datasets.triplets import TripletRow
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.changed import SearchQuery
from searchinstruct_graph.evals.comparison import compare
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.result import EvalResult, figure
from searchinstruct_graph.evals.running import evaluate, items
from searchinstruct_graph.evals.search_sets import read_search_sets
from searchinstruct_graph.models.joining import RECORD
from searchinstruct_graph.models.rescoring import FEATURES, HEAD, Rescorer

DOCUMENTS = {
    "grain": "The mill of Osel ground barley and rye for the villages in 1790.",
    "saw": "The mill of Osel sawed oak and pine planks for the shipyard in 1902.",
    "bell": "The bell of Osel was cast in bronze by a founder called Ida Torn.",
    "برج": "برج اوسل در سال ۱۹۰۲ از سنگ آهک ساخته شد.",
}
ASKED = "What was the mill of Osel used for?"
GRAIN, SAW = "only barley and rye ground for the villages", "only oak and pine planks sawed for the shipyard"


def write(path: Path, *rows: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join(map(json_line, rows)))


def corpus(folder: Path, key: str = "id") -> None:
    write(folder / "corpus.jsonl", *({key: name, "text": text} for name, text in DOCUMENTS.items()))


def query(folder: Path) -> SearchQuery:
    (found,) = read_search_sets([str(folder)])
    return found.queries[0]


def scored(tmp_path: Path, data: Path, **settings: Any) -> EvalResult:
    context = EvalContext(data=[str(data)], model="offline", **settings)
    return asyncio.run(evaluate("retrieval", context, tmp_path / "evaluation"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    corpus(tmp_path / "osel")
    return tmp_path / "osel"


ONE = {"id": "q1", "text": ASKED, "instruction": GRAIN, "changed_instruction": SAW}


class TestFormat:
    def test_what_falls_is_named_by_the_query(self, folder: Path) -> None:
        write(folder / "queries.jsonl", {**ONE, "fallen": ["grain"]})
        (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tgrain\t1\n")
        assert query(folder) == SearchQuery("q1", ASKED, {"grain": 1.0}, GRAIN, SAW, ["grain"])

    @pytest.mark.parametrize("asked", ["query", "question"])
    def test_records_grade_under_both_instructions(self, folder: Path, asked: str) -> None:
        told = {"id": "q1", asked: ASKED, "instruction": GRAIN, "instruction_changed": SAW}
        write(folder / "queries.jsonl", told)
        rows = [("grain", 2, 0), ("bell", 1, 1), ("saw", 0, 1)]
        graded = [{"query_id": "q1", "doc_id": name, "grade": one, "changed_grade": two} for name, one, two in rows]
        write(folder / "judged.jsonl", *graded)
        found = query(folder)
        assert (found.text, found.changed, found.fallen) == (ASKED, SAW, ["grain"])
        assert found.grades == {"grain": 2.0, "bell": 1.0, "saw": 0.0}

    @pytest.mark.parametrize(
        ("name", "head"), [("changed.tsv", "query-id\tcorpus-id\tscore\n"), ("b.tsv", "qid\tdocid\tchanged_score\n")]
    )
    def test_two_tables_of_judgements(self, folder: Path, name: str, head: str) -> None:
        write(folder / "queries.jsonl", ONE)
        (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tgrain\t1\nq1\tbell\t1\n")
        (folder / name).write_text(f"{head}q1\tgrain\t0\nq1\tbell\t1\nq1\tsaw\t1\n")
        assert query(folder).fallen == ["grain"]

    def test_two_queries_of_one_text_change_each_other(self, folder: Path) -> None:
        twins = [{"_id": "301-og", "instruction": GRAIN}, {"_id": "301-changed", "instruction": SAW}]
        write(folder / "queries.jsonl", *({**twin, "text": ASKED} for twin in twins))
        (folder / "qrels.tsv").write_text(
            "301-og\tgrain\t1\n301-og\tsaw\t1\n301-changed\tgrain\t0\n301-changed\tsaw\t1\n"
        )
        (found,) = read_search_sets([str(folder)])
        assert [(each.changed, each.fallen) for each in found.queries] == [(SAW, ["grain"]), (GRAIN, [])]

    def test_of_three_it_is_not_known_which_changes_which(self, folder: Path) -> None:
        for at, told in enumerate((GRAIN, SAW, "anything")):
            with (folder / "queries.jsonl").open("ab") as file:
                file.write(json_line({"id": str(at), "text": ASKED, "instruction": told}))
        (folder / "qrels.tsv").write_text("0\tgrain\t1\n1\tsaw\t1\n2\tbell\t1\n")
        (found,) = read_search_sets([str(folder)])
        assert [each.changed for each in found.queries] == ["", "", ""]

    def test_what_does_not_fit_together_is_refused(self, folder: Path) -> None:
        (folder / "qrels.tsv").write_text("q1\tgrain\t1\n")
        write(folder / "queries.jsonl", ONE)
        with pytest.raises(UsageError, match="osel: query q1 has a changed instruction, and nothing says which"):
            query(folder)
        write(folder / "queries.jsonl", {"id": "q1", "text": ASKED, "fallen": ["grain"]})
        with pytest.raises(UsageError, match="query q1 has documents that fall, and no changed_instruction"):
            query(folder)
        write(folder / "queries.jsonl", {"id": "q1", "text": ASKED})
        (folder / "changed.tsv").write_text("q1\tgrain\t0\n")
        with pytest.raises(UsageError, match="q1 is judged under a changed instruction, and its record has no"):
            query(folder)


def triplet(at: int, family: str) -> TripletRow:
    return TripletRow(
        id=f"t{at}",
        family=family,
        kind="aspect",
        origins={},
        uris={},
        scores={},
        reasons={},
        models={},
        versions={},
        query_positive=f"{ASKED} {at}",
        instruction_positive=GRAIN,
        document=f"{DOCUMENTS['grain']} {at}",
        query_negative=f"Who cast the bell of Osel? {at}",
        instruction_negative=SAW,
        hard_negative_document_1=f"{DOCUMENTS['saw']} {at}",
        hard_negative_document_2=f"{DOCUMENTS['bell']} {at}",
    )


class TestTriplets:
    def test_a_file_of_the_published_fields(self, tmp_path: Path) -> None:
        file = tmp_path / "held.jsonl"
        write(file, triplet(1, "a"), triplet(2, "b"))
        result = scored(tmp_path, file)
        assert result["cases"] == 2
        obeyed = figure(result, "p_mrr")["value"]
        assert obeyed is not None
        assert obeyed > 0.3
        for item in items(tmp_path / "evaluation"):
            (right,) = item["given"]["fallen"]
            assert item["given"]["grades"][right] == 1
            assert len(item["given"]["grades"]) == 3

    def test_a_bad_triplet_is_named(self, tmp_path: Path) -> None:
        file = tmp_path / "held.jsonl"
        write(file, triplet(1, "a"), {**triplet(2, "b"), "document": ""})
        with pytest.raises(UsageError, match=r"held\.jsonl:2: document_positive is missing or blank"):
            read_search_sets([str(file)])

    def test_of_an_exported_folder_the_test_side_alone(self, tmp_path: Path) -> None:
        rows = [triplet(at, f"f{at}") for at in range(6)]
        export_beir(rows, str(tmp_path / "beir"), shares={"train": 0.5, "test": 0.5})
        (found,) = read_search_sets([str(tmp_path / "beir")])
        judged = {
            line.split("\t")[0] for line in (tmp_path / "beir" / "qrels" / "test.tsv").read_text().splitlines()[1:]
        }
        assert {each.id for each in found.queries} == judged
        assert len(judged) == 9
        assert [len(each.fallen) for each in found.queries].count(1) == 3
        assert all(each.changed == (SAW if each.fallen else "") for each in found.queries)

    def test_a_run_is_read_as_it_is(self, tmp_path: Path) -> None:
        place = tmp_path / "triplets"
        place.mkdir()
        open_run(place, {"kind": "triplets"}, {}, "0")
        with closing(Ledger(place)) as ledger:
            with pytest.raises(UsageError, match="a run without triplets"):
                read_search_sets([str(place)])
            row = TripletRow(
                **{**triplet(1, "a"), "models": {"instructor": "offline"}, "versions": {"instructor": "1"}}
            )
            asyncio.run(ledger.commit_triplet(0, row, None, ["a"], {}))
            (found,) = read_search_sets([str(place)])
        assert (found.name, [each.changed for each in found.queries]) == ("triplets", [SAW])
        assert len(Path(found.corpus[0]).read_text(encoding="utf-8").splitlines()) == 3

    def test_a_run_that_has_none(self, tmp_path: Path) -> None:
        scored(tmp_path, self._file(tmp_path))
        with pytest.raises(UsageError, match="is an evaluation"):
            read_search_sets([str(tmp_path / "evaluation")])

    def _file(self, tmp_path: Path) -> Path:
        write(tmp_path / "held.jsonl", triplet(1, "a"))
        return tmp_path / "held.jsonl"


@pytest.mark.parametrize("name", ["bell", "gone"])
def test_what_was_never_relevant_cannot_fall(folder: Path, name: str) -> None:
    write(folder / "queries.jsonl", {**ONE, "fallen": ["grain", name]})
    (folder / "qrels.tsv").write_text("q1\tgrain\t1\nq1\tbell\t0\n")
    with pytest.raises(UsageError, match=f"query q1 says that document {name} falls, which is not judged relevant"):
        read_search_sets([str(folder)])


def test_p_mrr_stands_beside_the_other_figures(tmp_path: Path, folder: Path) -> None:
    write(
        folder / "queries.jsonl",
        {**ONE, "text": "What do they do?", "fallen": ["grain"]},
        {"id": "q2", "text": "برج اوسل از چه ساخته شد؟"},
    )
    (folder / "qrels.tsv").write_text("q1\tgrain\t1\nq2\tبرج\t1\n")
    result = scored(tmp_path, folder)
    assert figure(result, "mrr@10")["cases"] == figure(result, "map@100")["cases"] == 2
    obeyed, plain = figure(result, "p_mrr"), figure(result, "plain_map@100")
    assert (obeyed["cases"], obeyed["missing"], plain["cases"]) == (1, 0, 1)
    # Under its own instruction it is first, under the changed one second or lower.
    assert obeyed["value"] is not None
    assert obeyed["value"] >= 0.5
    ranked = next(iter(items(tmp_path / "evaluation")))["made"]
    assert ranked["ranked"][0] == "grain"
    assert ranked["ranked_changed"][0] == "saw"


def test_two_encoders_are_set_beside_each_other(tmp_path: Path) -> None:
    rows = [triplet(at, f"f{at}") for at in range(3)]
    write(tmp_path / "held.jsonl", *rows)
    head = tmp_path / "head"
    head.mkdir()
    (head / RECORD).write_text(json.dumps({"kind": "rescorer", "join": "plain"}))
    # It puts first what shares no word with the instruction.
    weights = np.where(np.array(FEATURES) == "words", -1.0, 0.0)
    Rescorer(weights, np.zeros((256, 256), np.float32)).save(head / HEAD)
    for name, encoder in (("one", "wordllama"), ("other", str(head))):
        context = EvalContext(data=[str(tmp_path / "held.jsonl")], model="offline", embeddings=encoder)
        asyncio.run(evaluate("retrieval", context, tmp_path / name))
    found = compare(tmp_path / "one", tmp_path / "other")
    (obeyed,) = [each for each in found["differences"] if each["measure"] == "p_mrr"]
    assert obeyed["cases"] == 3
    assert obeyed["difference"] is not None
    assert obeyed["difference"] < -0.3
