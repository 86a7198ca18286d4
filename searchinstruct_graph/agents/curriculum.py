"""The curriculum: from one sentence about a task to keywords, and from a keyword and a Bloom level to a question.

Follows DS²-Instruct (arXiv 2603.12932) as its code does it, without that code's defects: the live list of keywords stands
in every prompt, the task's own description too, an unusable reply is a failure and never a built-in list, and keywords
keep every script.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from searchinstruct_graph.agents.calls import DATA_RULE, Prompt, Schema, ask_model
from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.agents.expander import TEMPERATURE, add_passages
from searchinstruct_graph.models.limits import Allowance
from searchinstruct_graph.models.structured import Failure, Reply
from searchinstruct_graph.models.tagged import Inputs
from searchinstruct_graph.tools.corpus import Passage

Direction = Literal["core", "prerequisite", "advanced", "corpus"]

LEVELS = {
    "remember": "recall of facts, terms and definitions",
    "understand": "explanation, interpretation, comparison, examples",
    "apply": "using a method, computing, or carrying out a procedure in a real case",
    "analyze": "taking apart, finding patterns, causes and relations, comparing structures",
    "evaluate": "judging, validating, justifying, or critiquing alternatives",
    "create": "synthesis, an original design, or a new application",
}
"""What a question of each level of Bloom's revised taxonomy asks for."""

KEYWORD_WORDS = 6
"""Most words in a keyword."""


class Keywords(Schema):
    """Concepts of a domain."""

    keywords: list[str] = Field(max_length=200, description="Short noun phrases, none twice.")


class WrittenQuestion(Schema):
    """A question; empty when none can be asked that fits."""

    question: str = Field(max_length=2_000)


_KEYWORD_RULE = f"""Give short noun phrases, most important first, none twice, none that is in the <known> list, none so
general that it fits any domain. If <passage>s are given, prefer what they are about.
{DATA_RULE}"""

KEYWORD_PROMPTS: dict[Direction, Prompt] = {
    "core": Prompt(
        "keywords_core",
        1,
        f"""You map a domain. Name the core concepts of the <task>, as many as <wanted> says.
{_KEYWORD_RULE}""",
    ),
    "prerequisite": Prompt(
        "keywords_prerequisite",
        1,
        f"""You map a domain. For the <keyword>s of the <task>, name concepts that a learner must know before these, as many as
<wanted> says.
{_KEYWORD_RULE}""",
    ),
    "advanced": Prompt(
        "keywords_advanced",
        1,
        f"""You map a domain. For the <keyword>s of the <task>, name specialised or advanced concepts that build on these, as
many as <wanted> says.
{_KEYWORD_RULE}""",
    ),
    "corpus": Prompt(
        "keywords_corpus",
        1,
        f"""You map a domain. Name the terms of the <task>'s domain that stand in the <passage>, at most as many as <wanted> says;
none when it holds no new one.
{_KEYWORD_RULE}""",
    ),
}

QUESTION = Prompt(
    "question",
    1,
    f"""You write one question for the <task>, about the <keyword> (with two: one that compares, contrasts or relates them), at
the <level> of Bloom's taxonomy that is given with what it asks for: exactly that level. The question is clear, has one
meaning, stands alone, and is different from every <known> question. If <passage>s are given, they hold the answer: ask only
what they answer, but never mention that there is a passage. If the task fixes a form, the question has that form (options
included when it has options). Write the question only, no answer; leave it empty when none can be asked that fits.
{DATA_RULE}""",
)

_LABEL = re.compile(r"^\s*(?:key\s*words?|concepts?|terms?)\s*[::]\s*", re.IGNORECASE)


def clean_keywords(found: Sequence[str]) -> list[str]:
    """Keywords as they are compared and shown: label and numbering dropped, split at commas, underscores to spaces, small
    first letters, each once. Letters of every script stay.
    """
    kept: dict[str, str] = {}
    for entry in found:
        for part in re.split(r"[,،、;\n]", _LABEL.sub("", entry)):
            text = re.sub(r"^\s*(?:\d+[.)]|[-*•])\s+", "", part)
            text = re.sub(r"(?<=[^\W_])_(?=[^\W_])", " ", text)
            text = " ".join(map(_small, text.split())).strip(" .:\"'“”‘’`")
            if 2 <= len(text) <= 80 and len(text.split()) <= KEYWORD_WORDS and any(letter.isalpha() for letter in text):
                kept.setdefault(text.casefold(), text)
    return list(kept.values())


def _small(word: str) -> str:
    # `NameError` and `HTTP` are spelled so; `Closures` is only the beginning of a line.
    return word if word[1:] != word[1:].lower() else word.lower()


async def name_keywords(
    direction: Direction,
    task: str,
    count: int,
    shown: Sequence[str],
    known: Sequence[str],
    passages: Sequence[Passage],
    context: ResearchContext,
    allowance: Allowance,
    seed: int = 0,
) -> Reply[Keywords] | Failure:
    """Ask for `count` keywords in one direction from the `shown` ones; `known` is the live list."""
    inputs = Inputs().add("task", task).add("wanted", "keywords", count=count, direction=direction)
    inputs.add_numbered("keyword", shown)
    inputs.add("known", ", ".join(known))
    add_passages(inputs, passages)
    return await ask_model(
        context,
        "expander",
        KEYWORD_PROMPTS[direction],
        inputs,
        Keywords,
        allowance=allowance,
        temperature=TEMPERATURE,
        seed=seed,
    )


async def write_question(
    task: str,
    keywords: Sequence[str],
    level: str,
    form: str,
    known: Sequence[str],
    passages: Sequence[Passage],
    context: ResearchContext,
    allowance: Allowance,
    seed: int,
) -> Reply[WrittenQuestion] | Failure:
    """Ask for one question about one keyword, or a pair, at a Bloom level."""
    inputs = Inputs().add("task", task).add_numbered("keyword", keywords)
    inputs.add("level", LEVELS[level], bloom=level)
    if form:
        inputs.add("form", form)
    inputs.add_numbered("known", known)
    add_passages(inputs, passages)
    return await ask_model(
        context, "expander", QUESTION, inputs, WrittenQuestion, allowance=allowance, temperature=TEMPERATURE, seed=seed
    )
