"""The forms an answer can have: what the prompt says, what of a response counts, and when two answers are one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from searchinstruct_graph.text.answers import ballot
from searchinstruct_graph.text.answers import extraction as read
from searchinstruct_graph.text.answers.ballot import Key, Reading

Form = Literal["open", "number", "boxed", "choice", "yes_no", "yes_no_maybe", "text"]
"""How the final answer of a response is to be given; `open` fixes nothing."""


@dataclass(frozen=True)
class FormSpec:
    """One form."""

    suffix: str
    """What is put behind the question in the prompt; never stored with the question."""
    extract: Callable[[str, Sequence[str]], str | None]
    """(response, options) to the final answer, or None: abstained."""
    reading: Callable[[str], Reading]
    """What a final answer says; answers whose readings get one key are equal."""


_REASON = "Give your reason in one to three sentences. Then end with one line of exactly this form:\n"

FORMS: dict[Form, FormSpec] = {
    "open": FormSpec("", read.open_answer, ballot.text_reading),
    "number": FormSpec(
        "Work it out step by step. Then end with one line of exactly this form, the number with its unit if it has one:\n"
        "Final answer: <number>",
        read.number_answer,
        ballot.number_reading,
    ),
    "boxed": FormSpec(
        "Work it out step by step. Then end with the final answer, and nothing else, in \\boxed{}.",
        read.boxed_answer,
        ballot.boxed_reading,
    ),
    "choice": FormSpec(_REASON + "Answer: <letter>", read.choice_answer, ballot.exact_reading),
    "yes_no": FormSpec(_REASON + "Answer: <yes or no>", read.yes_no_answer, ballot.exact_reading),
    "yes_no_maybe": FormSpec(_REASON + "Answer: <yes, no or maybe>", read.yes_no_maybe_answer, ballot.exact_reading),
    "text": FormSpec(
        "Explain briefly. Then end with one line of exactly this form, the answer in as few words as possible:\n"
        "Final answer: <answer>",
        read.text_answer,
        ballot.text_reading,
    ),
}


def final_answer(response: str, form: Form, options: Sequence[str] = ()) -> str | None:
    """The final answer of `response`; None when it abstains or does not keep the form.

    `options` are the texts of a multiple-choice question in order, with or without their labels.
    """
    return FORMS[form].extract(response, options)


@lru_cache(maxsize=1024)
def read_answer(answer: str, form: Form) -> Reading:
    """What one final answer says by itself; kept, since a vote that may stop early is counted after every sample."""
    return FORMS[form].reading(answer)


def answer_keys(answers: Sequence[str], form: Form) -> list[Key]:
    """A hashable key for each of the answers to one question; equal keys are equal answers.

    Read together, so that a bare number can take the unit that most of the answers state (`ballot`).
    """
    return ballot.keys([read_answer(answer, form) for answer in answers])


def same_answer(one: str, other: str, form: Form) -> bool:
    """Whether two final answers are equal when nothing else is known; reflexive and symmetric, not transitive.

    "5 km" equals "5" and "5,000 m", and "5" equals "5 miles". Rounded values are not equal to exact ones.
    """
    left, right = answer_keys([one, other], form)
    return left == right
