"""MAIR (Sun et al., EMNLP 2024): many retrieval tasks, each with an instruction. It is not in mteb, and that is what is said.

Some of the collections that MAIR draws on are, without MAIR's instructions and queries; their figures would not be MAIR's.
"""

from __future__ import annotations

from collections.abc import Iterable

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.context import EvalContext
from searchinstruct_graph.evals.suite import Case, Suite


def read(context: EvalContext) -> Iterable[Case]:
    """Raises UsageError: there is nothing to read it from."""
    raise UsageError(
        "mteb (looked through at 2.26) has no MAIR; write its queries, documents and judgements as a folder and score that: "
        "searchinstruct eval retrieval --data FOLDER"
    )


SUITE = Suite(
    name="mair",
    summary="MAIR: not in mteb; says how to score it as a folder",
    read=read,
    metrics=lambda context: (),
    measures=lambda context: (),
    judged=False,
    own_data=True,
)
