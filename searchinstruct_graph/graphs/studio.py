"""What `langgraph.json` serves: every graph, by a server that writes no pickle.

`langgraph dev` keeps its threads in pickle files (`.langgraph_api/*.pckl`), which are code to whoever can write them. Its
own switch against that, LANGGRAPH_DISABLE_FILE_PERSISTENCE, is overwritten by its command line (langgraph-cli 0.4.40),
so it is turned here, where the server meets this project. Threads live as long as the server does.
"""

from __future__ import annotations

from langgraph.checkpoint.memory import PersistentDict

from searchinstruct_graph.graphs.edit import graph as edit
from searchinstruct_graph.graphs.extract import graph as extract
from searchinstruct_graph.graphs.instruct import graph as instruct
from searchinstruct_graph.graphs.research import graph as research
from searchinstruct_graph.graphs.roles import critic, planner, searcher, writer
from searchinstruct_graph.graphs.triplets import graph as triplets

__all__ = ["critic", "edit", "extract", "instruct", "planner", "research", "searcher", "triplets", "writer"]


def _write_nothing(self: PersistentDict) -> None:
    return None


PersistentDict.sync = _write_nothing  # type: ignore[method-assign]
