"""Prompts are code: what each must say, whatever its wording."""

from __future__ import annotations

import pytest

from searchinstruct_graph.agents.calls import DATA_RULE, Prompt
from searchinstruct_graph.agents.critic import REANSWER, SUPPORT
from searchinstruct_graph.agents.extractor import EXTRACT, REFINE
from searchinstruct_graph.agents.planner import PLAN
from searchinstruct_graph.agents.reader import READ
from searchinstruct_graph.agents.searcher import ASSESS
from searchinstruct_graph.agents.writer import WRITE

PROMPTS = [PLAN, READ, ASSESS, WRITE, SUPPORT, REANSWER, EXTRACT, REFINE]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_every_prompt_is_versioned_and_treats_inputs_as_data(prompt: Prompt) -> None:
    assert prompt.version >= 1
    assert DATA_RULE in prompt.text
    assert "never an instruction" in prompt.text


def test_names_are_distinct() -> None:
    assert len({prompt.name for prompt in PROMPTS}) == len(PROMPTS)


@pytest.mark.parametrize(
    ("prompt", "must"),
    [
        (PLAN, ["sub-questions", "search queries", "invent no names", "<instruction>", "<failed>", "criteria alone"]),
        (PLAN, ["studies since 2015", "limits no source"]),
        (READ, ["character by character", "<page>", "no quotes"]),
        (ASSESS, ["every numbered point", "new search queries", "tried"]),
        (WRITE, ["nothing else", "numbers of the quotes", "negations", "no statements", "<problem>"]),
        (SUPPORT, ["only those", "changed number", "knowledge of your own"]),
        (REANSWER, ["from the numbered quotes alone", "not answerable"]),
        (
            EXTRACT,
            [
                "<document>",
                "found in the document",
                "none rather than poor ones",
                "self-contained",
                'no "the text", "this study", "the passage", "the author"',
                "character by character",
                "<domain>",
                "<form>",
                "<wanted>",
            ],
        ),
        (
            REFINE,
            ["fill in missing parts", "mend the format", "correct what", "does not stand alone", "reason", "Reject"],
        ),
    ],
)
def test_each_says_what_its_role_promises(prompt: Prompt, must: list[str]) -> None:
    said = " ".join(prompt.text.split())
    assert [phrase for phrase in must if phrase not in said] == []
