"""The suites, by name; each is loaded when it is used."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.evals.suite import Suite

SUITES = {
    "answers": "answers to questions, given or made by the graph: right, grounded, cited, or honestly withheld",
    "dataset": "the rows of a run or of anyone's dataset",
    "agents": "the graph's steps: which pages it opened, which tools it called, whether it reached the goal",
    "retrieval": "search over a corpus against known relevant documents",
    "support": "the critic's support score against people's judgement",
    "planner": "sub-questions against human decompositions",
    "injection": "whether orders in pages reach the answer",
    "consistency": "whether votes tell right majorities from wrong and split ones",
    "edit": "a model's answers to the probes of an edit set",
    "followir": "FollowIR through mteb: do documents fall when the instruction rules them out?",
    "instructir": "InstructIR through mteb: a query under the worst of its instructions",
    "mair": "MAIR: not in mteb; says how to score it as a folder",
}
"""What each suite tells, in a line; its module has the same name and holds `SUITE`."""


def one_of(name: str, known: Iterable[str]) -> str:
    """What to write in place of a name that is not known: the nearest of those that are, or all of them."""
    names = list(known)
    near = get_close_matches(name, names, n=1)
    return f"{f'did you mean {near[0]!r}? ' if near else ''}use one of {', '.join(names)}"


def suite_named(name: str) -> Suite:
    """The suite called `name`. Raises UsageError for an unknown one, naming those there are."""
    if name not in SUITES:
        raise UsageError(f"there is no suite {name!r}; {one_of(name, SUITES)}")
    suite: Suite = import_module(f"{__name__}.{name}").SUITE
    return suite
