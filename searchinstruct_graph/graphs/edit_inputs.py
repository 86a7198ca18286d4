"""What an edit set is told, held against what there is: facts, settings, models; and what its rows depend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from searchinstruct_graph.agents import critic, editor, prober, reader, searcher
from searchinstruct_graph.agents.calls import prompts_in, versions_of
from searchinstruct_graph.agents.context import Role
from searchinstruct_graph.agents.edit_context import OPTIONS, EditContext
from searchinstruct_graph.agents.sources import web_providers
from searchinstruct_graph.datasets import ledger as ledgers
from searchinstruct_graph.datasets.acceptance import Rules
from searchinstruct_graph.datasets.edit_facts import METHOD
from searchinstruct_graph.datasets.facts import Fact
from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.graphs.screening import check_language
from searchinstruct_graph.models.chat import OFFLINE, chat_model, resolve_model
from searchinstruct_graph.models.prices import require_price
from searchinstruct_graph.text.digest import file_sha256, sha256

WITHOUT_END = 10**9
"""The target of a run that ends with its facts."""

ROLES: tuple[Role, ...] = ("searcher", "critic", "editor", "prober")


@lru_cache(maxsize=1)
def prompt_versions() -> dict[str, str]:
    """Every prompt that a row or probe may rest on, with its version."""
    return versions_of(prompts_in(searcher, reader, critic, editor, prober))


def role_models(context: EditContext) -> dict[str, str]:
    """The model of every role that works on the edit set, and the one that is corrected when it is asked."""
    found = {str(role): resolve_model(context.model_for(role)) for role in ROLES}
    return {**found, "stale": resolve_model(context.stale_model)} if context.stale_model else found


def check(context: EditContext) -> None:
    """Hold the settings against what is installed, priced and set up.

    Raises:
        UsageError: one cannot be used.
    """
    web_providers(context)
    models = role_models(context)
    if models.get("stale") == OFFLINE:
        raise UsageError("the offline model is extractive: it remembers nothing to correct; leave out stale_model")
    for name in sorted(set(models.values())):
        chat_model(name)
        if context.max_cost is not None:
            require_price(name)
    check_language(context)


def configuration(facts: Sequence[Fact], context: EditContext) -> dict[str, Any]:
    """Everything that determines the rows and probes of a run."""
    settings = {name: value for name, value in asdict(context).items() if name not in OPTIONS}
    for name in ("model", *(key for key in settings if key.endswith("_model"))):
        settings.pop(name, None)
    return {
        "method": METHOD,
        "facts": sha256(ledgers.encoded(list(facts))),
        "fact_count": len(facts),
        "task": {},
        "held_out": {path: file_sha256(path) for path in context.decontaminate},
        "models": role_models(context),
        "prompts": prompt_versions(),
        "settings": settings,
    }


def edit_rules(context: EditContext, fingerprint: str) -> Rules:
    """What the settings say about accepting: no share of files or levels, for facts come from where they come from."""
    return Rules.without_shares(context.target or WITHOUT_END, fingerprint, context.language)
