"""Final answers: the form that a prompt asks for, the answer read from a response, and when two answers are the same."""

from searchinstruct_graph.text.answers.forms import (
    FORMS,
    Form,
    FormSpec,
    answer_keys,
    final_answer,
    read_answer,
    same_answer,
)

__all__ = ["FORMS", "Form", "FormSpec", "answer_keys", "final_answer", "read_answer", "same_answer"]
