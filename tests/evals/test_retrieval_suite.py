"""The product's search against documents that are known to be relevant, in the shapes in which such sets are published."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.result import EvalResult, figure
from searchinstruct_graph.evals.running import evaluate, items
from searchinstruct_graph.evals.search_sets import read_search_sets
from searchinstruct_graph.evals.suites.retrieval import document_id

DOCUMENTS = {
    "mill": "The windmill of Osel grinds barley for the three villages on the hill.",
    "weir": "The weir of Osel holds back the river so that eels can be caught in autumn.",
    "bell": "The bell of Osel was cast in bronze by a founder called Ida Torn.",
    "loom": "The loom of Osel weaves sailcloth out of nettle fibre.",
}
QUERIES = {
    "q1": ("What does the windmill grind?", "mill"),
    "q2": ("Where are eels caught?", "weir"),
    "q3": ("Who cast the bell in bronze?", "bell"),
}


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def corpus_rows(title: bool = True) -> list[dict[str, Any]]:
    rows = [{"id": key, "text": text} for key, text in DOCUMENTS.items()]
    return [{**row, "title": f"The {row['id']}"} if title else row for row in rows]


def score(tmp_path: Path, *data: Path, **settings: Any) -> EvalResult:
    context = EvalContext(data=[str(place) for place in data], model="offline", **settings)
    return asyncio.run(evaluate("retrieval", context, tmp_path / "evaluation"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "osel"
    place.mkdir()
    return place


def judged(folder: Path) -> None:
    rows = [{"query_id": key, "doc_id": gold, "grade": 2} for key, (_, gold) in QUERIES.items()]
    write(folder / "c.jsonl.gz", rows)


def test_three_files_are_told_apart_by_their_fields(tmp_path: Path, folder: Path) -> None:
    write(folder / "a.jsonl", [{"id": key, "query": text} for key, (text, _) in QUERIES.items()])
    write(folder / "b.jsonl.gz", corpus_rows())
    judged(folder)
    result = score(tmp_path, folder)
    assert result["ended"] == "done"
    assert result["cases"] == 3
    for measure in ("ndcg@10", "recall@10", "mrr@10", "map@100"):
        assert figure(result, measure)["value"] == 1.0
    assert figure(result, "ndcg@10")["group"] == "osel"
    # Four documents are found for each query, one of them was judged.
    assert figure(result, "judged@10")["value"] == pytest.approx(0.25)
    for item in items(tmp_path / "evaluation"):
        assert item["made"]["ranked"][0] == QUERIES[item["given"]["query_id"]][1]
        assert set(item["made"]["ranked"]) == set(DOCUMENTS)


def test_a_wrong_judgement_lowers_the_figures(tmp_path: Path, folder: Path) -> None:
    write(folder / "a.jsonl", [{"id": key, "query": text} for key, (text, _) in QUERIES.items()])
    write(folder / "b.jsonl", corpus_rows())
    write(folder / "c.jsonl", [{"query_id": key, "doc_id": "loom", "grade": 1} for key in QUERIES])
    result = score(tmp_path, folder)
    assert figure(result, "recall@10")["value"] == 1.0
    mrr = figure(result, "mrr@10")["value"]
    assert mrr is not None
    assert mrr <= 0.5


def test_bare_texts_are_queries_where_the_judgements_say_so(folder: Path) -> None:
    write(folder / "one.jsonl", [{"_id": key, "text": text} for key, (text, _) in QUERIES.items()])
    write(folder / "two.jsonl", [{"_id": key, "text": text} for key, text in DOCUMENTS.items()])
    rows = "".join(f"{key}\t{gold}\t1\n" for key, (_, gold) in QUERIES.items())
    (folder / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + rows)
    (found,) = read_search_sets([str(folder)])
    assert [query.text for query in found.queries] == [text for text, _ in QUERIES.values()]
    assert found.queries[0].grades == {"mill": 1.0}
    assert len(Path(found.corpus[0]).read_text(encoding="utf-8").splitlines()) == len(DOCUMENTS)


def test_trec_lines_are_read(folder: Path) -> None:
    write(folder / "one.jsonl", [{"id": key, "query": text} for key, (text, _) in QUERIES.items()])
    write(folder / "two.jsonl", corpus_rows())
    (folder / "judged.qrels").write_text("".join(f"{key} 0 {gold} 3\n" for key, (_, gold) in QUERIES.items()))
    (found,) = read_search_sets([str(folder)])
    assert {query.id: query.grades for query in found.queries} == {
        key: {gold: 3.0} for key, (_, gold) in QUERIES.items()
    }


def test_questions_that_name_their_documents(tmp_path: Path, folder: Path) -> None:
    write(folder / "asked.jsonl", [{"id": k, "question": text, "gold_ids": [g]} for k, (text, g) in QUERIES.items()])
    write(folder / "texts.jsonl", corpus_rows(title=False))
    assert figure(score(tmp_path, folder), "ndcg@10")["value"] == 1.0


def test_questions_with_their_passages_make_a_corpus_in_any_script(tmp_path: Path) -> None:
    file = tmp_path / "mixed.jsonl"
    rows = [
        {"id": "1", "question": "پل تارن چه سالی ساخته شد؟", "context": "پل تارن در سال ۱۸۶۷ ساخته شد."},
        {"id": "2", "question": "塔恩桥上有几座灯塔？", "context": "塔恩桥上有三座灯塔。"},
        {"id": "3", "question": "متى فتح السوق؟", "context": "فتح السوق أبوابه عام 1920."},
        {"id": "4", "question": "Who keeps the Osel mill?", "context": "Mara Lind keeps the mill of Osel."},
    ]
    write(file, rows)
    result = score(tmp_path, file)
    assert figure(result, "mrr@10")["value"] == 1.0
    assert figure(result, "mrr@10")["group"] == "mixed"


def test_an_instruction_is_scored_beside_the_plain_search(tmp_path: Path, folder: Path) -> None:
    asked = {"id": "q1", "question": "What do people do there?", "gold_ids": ["loom"]}
    write(folder / "asked.jsonl", [asked])
    write(folder / "texts.jsonl", corpus_rows())
    write(
        folder / "wanted.jsonl",
        [{"id": "i1", "query": asked["question"], "instruction": "weaving sailcloth on a loom"}],
    )
    result = score(tmp_path, folder)
    groups = {each["group"] for each in result["figures"]}
    assert groups == {"osel", "osel instructed", "all"}
    plain = figure(result, "plain_ndcg@10", "osel instructed")["value"]
    steered = figure(result, "ndcg@10", "osel instructed")["value"]
    assert plain is not None
    assert steered is not None
    assert steered > plain
    assert figure(result, "ndcg@10", "osel")["value"] == pytest.approx(plain)


def test_graded_pools_are_ranked_alone(tmp_path: Path, folder: Path) -> None:
    papers = [
        {
            "id": str(n),
            "title": f"Paper {n} on eels" if n < 3 else f"Paper {n} on clocks",
            "abstract": [["background_label", f"We count {'eels' if n < 3 else 'clocks'} number {n} in a lake."]],
        }
        for n in range(14)
    ]
    write(folder / "papers.jsonl", papers)
    asked = {"qid": "0-method", "facet": "method", "title": "Counting eels", "abstract": [["x", "Eels in a lake."]]}
    write(folder / "asked.jsonl", [asked])
    # The paper that nobody has judged (2) is left out of the pool.
    (folder / "judged.tsv").write_text("".join(f"0-method\t{n}\t{3 if n < 2 else 0}\n" for n in range(14) if n != 2))
    result = score(tmp_path, folder)
    (item,) = items(tmp_path / "evaluation")
    assert item["given"]["instruction"] == "papers with a similar method"
    assert "2" not in item["made"]["pool"]
    assert set(item["made"]["pool"][:2]) == {"0", "1"}
    assert figure(result, "pool_ndcg@10")["value"] == 1.0


def test_a_corpus_of_files_is_known_by_the_ends_of_its_paths(tmp_path: Path) -> None:
    docs = tmp_path / "docs" / "en"
    docs.mkdir(parents=True)
    for name, text in DOCUMENTS.items():
        (docs / f"{name}.md").write_text(text)
    file = tmp_path / "asked.jsonl"
    write(file, [{"question": text, "gold_ids": [f"{gold}.md"]} for text, gold in QUERIES.values()])
    result = score(tmp_path, file, corpus=[str(tmp_path / "docs")])
    assert figure(result, "mrr@10")["value"] == 1.0
    assert document_id("/a/docs/en/mill.md", {"en/mill.md": 1.0}) == "en/mill.md"


def test_what_cannot_be_scored_is_refused_in_one_line(tmp_path: Path, folder: Path) -> None:
    write(folder / "asked.jsonl", [{"question": "Who?", "gold_ids": ["x"]}])
    with pytest.raises(UsageError, match="no corpus"):
        score(tmp_path, folder)
    (folder / "asked.jsonl").write_text('{"id": "1", "text": "only a text"}\n')
    with pytest.raises(UsageError, match=r"osel: no queries with known relevant documents; found asked\.jsonl"):
        score(tmp_path, folder)
    with pytest.raises(UsageError, match="does not exist"):
        score(tmp_path, tmp_path / "nowhere")
    with pytest.raises(UsageError, match="--data"):
        score(tmp_path)
    bad = tmp_path / "bad"
    bad.mkdir()
    write(bad / "queries.jsonl", [{"id": "1", "query": "who"}])
    (bad / "judged.qrels").write_text("1 0 d1 1\n1 0 d2\n")
    with pytest.raises(UsageError, match=r"judged\.qrels:2"):
        score(tmp_path, bad)
