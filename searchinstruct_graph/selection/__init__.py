"""Which documents of a pile to read for pairs like a target's (EQUAL): distances, alignment, clusters and a bandit.

Numbers only: no models, no agents, no datasets.
"""

from searchinstruct_graph.selection.bandit import Bandit
from searchinstruct_graph.selection.selector import (
    ArmSummary,
    Landed,
    Pull,
    SelectionSettings,
    Selector,
)

__all__ = ["ArmSummary", "Bandit", "Landed", "Pull", "SelectionSettings", "Selector"]
