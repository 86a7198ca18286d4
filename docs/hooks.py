"""Fills the settings page from the code when the site is built, so that it cannot be out of date."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter

from searchinstruct_graph.agents.build_context import BuildContext
from searchinstruct_graph.agents.context import AgentContext, ResearchContext
from searchinstruct_graph.agents.edit_context import EditContext
from searchinstruct_graph.agents.extract_context import ExtractContext
from searchinstruct_graph.agents.triplet_context import TripletContext
from searchinstruct_graph.evals.context import EvalContext

PLACES: dict[str, type[AgentContext]] = {
    "<!-- settings -->": ResearchContext,
    "<!-- settings of build -->": BuildContext,
    "<!-- settings of extract -->": ExtractContext,
    "<!-- settings of edit -->": EditContext,
    "<!-- settings of triplets -->": TripletContext,
    "<!-- settings of eval -->": EvalContext,
}


def settings_table(context: type[AgentContext] = ResearchContext) -> str:
    """Every field of a context: flag, kind, default, range, meaning; of those that build on it what they add."""
    from searchinstruct_graph import edit_graph, extract_graph, instruct_graph, research_graph, triplet_graph

    graphs: dict[type[AgentContext], Any] = {
        BuildContext: instruct_graph,
        ExtractContext: extract_graph,
        EditContext: edit_graph,
        TripletContext: triplet_graph,
    }
    # An evaluation is no graph; its schema is made as LangGraph makes those of graphs.
    own = TypeAdapter(EvalContext).json_schema() if context is EvalContext else None
    form = (own or graphs.get(context, research_graph).get_context_jsonschema())["properties"]
    adding = context in (BuildContext, EditContext, EvalContext)
    inherited = {setting.name for setting in fields(ResearchContext)} if adding else set()
    lines = ["| field and flag | kind | default | meaning |", "|---|---|---|---|"]
    for setting in fields(context):
        if setting.name in inherited and (context is not EvalContext or setting.name != "max_cost"):
            continue
        schema = form[setting.name]
        default = schema.get("default")
        shown = (
            "" if default in (None, "", []) else f"`{str(default).lower() if isinstance(default, bool) else default}`"
        )
        flag = f"`{setting.name}`<br>`--{setting.name.replace('_', '-')}`"
        lines.append(f"| {flag} | {_kind(schema)} | {shown} | {schema['description']} |")
    return "\n".join(lines)


def _kind(schema: dict[str, Any]) -> str:
    kinds = [part for part in schema.get("anyOf", [schema]) if part.get("type") != "null"]
    kind = kinds[0]
    if "enum" in kind:
        return " or ".join(f"`{choice}`" for choice in kind["enum"])
    if kind["type"] == "array":
        return f"list of {_kind(kind['items'])}"
    low, high = kind.get("minimum"), kind.get("maximum")
    bounds = f", {low} to {high}" if high is not None else f", at least {low}" if low is not None else ""
    return {"string": "text", "integer": "whole number", "number": "number", "boolean": "yes or no"}[
        kind["type"]
    ] + bounds


def on_page_markdown(markdown: str, **_: Any) -> str:
    """MkDocs calls this for every page."""
    for place, context in PLACES.items():
        if place in markdown:
            markdown = markdown.replace(place, settings_table(context))
    return markdown
