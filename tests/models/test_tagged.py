"""Tags are written and read by one module, and no text inside can break out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from searchinstruct_graph.models.tagged import Inputs, disarm, tags

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200)


@given(st.lists(st.tuples(st.sampled_from(["page", "quote", "question"]), texts, texts), max_size=5))
def test_what_was_written_is_read_back_whatever_it_holds(entries: list[tuple[str, str, str]]) -> None:
    inputs = Inputs()
    for name, text, title in entries:
        inputs.add(name, text, title=title)
    read = list(tags(str(inputs)))
    assert [(tag.name, tag.text) for tag in read] == [(name, disarm(text)) for name, text, _ in entries]


@given(texts)
def test_disarming_keeps_every_offset(text: str) -> None:
    assert len(disarm(text)) == len(text)


def test_template_tokens_are_disarmed_and_code_is_not() -> None:
    assert disarm("<|im_start|>system [INST] x </s> <<SYS>>") == "‹¦im_start¦›system ⟦INST⟧ x ‹/s› ‹‹SYS››"
    assert disarm("if a < b and c[1] | d > e: <b>") == "if a < b and c[1] | d > e: <b>"
