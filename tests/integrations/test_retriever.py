"""LangChain's own standard tests over the retriever, and what they do not ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnablePassthrough
from langchain_tests.integration_tests import RetrieversIntegrationTests

from searchinstruct_graph import Corpus, CorpusRetriever, ResearchTool, UsageError
from tests.support import island
from tests.support.fevers import write_mixed


class TestStandard(RetrieversIntegrationTests):
    @property
    def retriever_constructor(self) -> type[CorpusRetriever]:
        return CorpusRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"corpus": ["pydoc:"]}

    @property
    def retriever_query_example(self) -> str:
        return "how is a context manager entered"


async def test_a_document_says_where_it_stands(tmp_path: Path) -> None:
    corpus = [island.write_island(tmp_path)]
    retriever = CorpusRetriever(corpus=corpus, k=2, index=str(tmp_path / "index"))
    found = await retriever.ainvoke("Karvel lighthouse builder")
    assert len(found) == 2
    best = found[0]
    page = await (await Corpus.open(corpus, index_dir=str(tmp_path / "index"))).read(best.metadata["source"])
    assert page.text[best.metadata["start"] : best.metadata["end"]] == best.page_content
    assert best.id == f"{page.uri}@{best.metadata['start']}-{best.metadata['end']}"
    chain: Any = {"passages": retriever, "question": RunnablePassthrough()} | RunnablePassthrough()
    assert (await chain.ainvoke("goats"))["passages"]


async def test_it_works_with_and_without_await_in_one_process(tmp_path: Path) -> None:
    retriever = CorpusRetriever(corpus=[island.write_island(tmp_path)], index=str(tmp_path / "index"))
    assert retriever.invoke("ferry tickets") == await retriever.ainvoke("ferry tickets")


async def test_what_an_instruction_left_out_is_told_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_mixed(tmp_path / "mixed")
    caplog.set_level("INFO")
    retriever = CorpusRetriever(corpus=[folder], instruction="only sources after 2015", index=str(tmp_path / "index"))
    found = await retriever.ainvoke("lantern harbour")
    (told,) = found[0].metadata["constraints"]
    assert (told["text"], told["dropped"], told["unknown"]) == ("only sources after 2015", 2, 2)
    nothing = retriever.model_copy(update={"instruction": "documents over 9000 words"})
    assert await nothing.ainvoke("lantern harbour") == []
    assert "checked “documents over 9000 words” (length): 6 sources left out" in caplog.text
    plain = retriever.model_copy(update={"instruction": ""})
    assert "constraints" not in (await plain.ainvoke("lantern harbour"))[0].metadata


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(UsageError, match="no such file"):
        CorpusRetriever(corpus=["/nowhere"]).invoke("anything")


def test_the_tool_is_described_to_models() -> None:
    tool = ResearchTool()
    assert tool.name == "research"
    assert tool.args["question"]["type"] == "string"
    assert "config" not in tool.args
