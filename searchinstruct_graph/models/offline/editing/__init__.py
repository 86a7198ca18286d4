"""The skills of an edit set: the question of a fact in many wordings, its smallest correction in an answer, what follows from it.

Relations come in two shapes, a noun ("chief executive": the chief executive of S is O) and a verb phrase ("plays for": S plays
for O); of those that are met often it is known how pages speak of them. English has grammar here; in other languages a fact is
asked plainly ("S: R?") rather than badly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from searchinstruct_graph.models.offline.editing.asked import Asked
from searchinstruct_graph.models.offline.editing.corrections import edit
from searchinstruct_graph.models.offline.editing.portability import portability
from searchinstruct_graph.models.offline.editing.statements import statements
from searchinstruct_graph.models.offline.editing.wordings import word
from searchinstruct_graph.models.offline.task import Task

__all__ = ["SKILLS", "Asked", "statements"]

SKILLS: dict[str, Callable[[Task], dict[str, Any]]] = {
    "Wordings": word,
    "RevisedAnswer": edit,
    "PortabilityProbes": portability,
}
