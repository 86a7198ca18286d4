"""Our metrics that need no model, called as ragas calls its own."""

from __future__ import annotations

import pytest

pytest.importorskip("ragas")

from ragas import Dataset, experiment

from searchinstruct_graph import UsageError, ragas_metric

TIMETABLE = "The ferry to Karvel leaves at seven in the morning."


async def test_a_metric_takes_ragas_fields_and_gives_its_result() -> None:
    found = await ragas_metric("answer_cited").ascore(
        response="At seven.", reference="seven in the morning", retrieved_contexts=[TIMETABLE]
    )
    assert (found.value, found.reason) == (1.0, "found: seven in the morning")


async def test_what_is_not_carried_lowers_groundedness_and_is_named() -> None:
    response = f"{TIMETABLE} A ticket costs nine crowns."
    found = await ragas_metric("groundedness").ascore(response=response, retrieved_contexts=[TIMETABLE])
    assert found.value == 0.5
    assert "nine crowns" in found.reason


async def test_several_references_count_as_the_best_of_them() -> None:
    metric = ragas_metric("exact_match")
    assert (await metric.ascore(response="Seven", reference=["noon", "seven"])).value == 1.0
    assert (await metric.ascore(response="Seven", reference="noon")).value == 0.0


async def test_a_field_that_is_missing_is_named() -> None:
    with pytest.raises(TypeError, match="retrieved_contexts"):
        await ragas_metric("groundedness").ascore(response="At seven.")


def test_an_unknown_metric_names_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"no metric 'rogue_l' .* rouge_l"):
        ragas_metric("rogue_l")


async def test_it_scores_the_rows_of_a_ragas_experiment() -> None:
    metric = ragas_metric("token_f1")

    @experiment()
    async def scored(row: dict[str, str]) -> dict[str, object]:
        found = await metric.ascore(response=row["response"], reference=row["reference"])
        return {"id": row["id"], "token_f1": found.value}

    rows = [
        {"id": "same", "response": "at seven", "reference": "at seven"},
        {"id": "half", "response": "at noon", "reference": "at seven"},
    ]
    done = await scored.arun(Dataset("ferries", backend="inmemory", data=rows), name="first")
    assert {row["id"]: row["token_f1"] for row in done} == {"same": 1.0, "half": 0.5}
