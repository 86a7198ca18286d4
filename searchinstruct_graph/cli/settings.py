"""Every field of ResearchContext as an option of a command."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, fields
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer

from searchinstruct_graph.agents.context import AgentContext, ResearchContext


def _option(setting: Field[Any], kind: Any) -> inspect.Parameter:
    """A command-line option for a field of ResearchContext: same name, same words, absent unless given."""
    keyword, description = inspect.Parameter.KEYWORD_ONLY, setting.metadata["description"]
    flag = f"--{setting.name.replace('_', '-')}"
    if setting.default is True:
        flag = f"{flag}/--no-{flag[2:]}"
    if get_origin(kind) is list:
        metavar = "URI" if setting.name == "corpus" else "NAME"
        option = typer.Option(flag, metavar=metavar, help=f"{description} May be repeated.", show_default=False)
        return inspect.Parameter(setting.name, keyword, default=None, annotation=Annotated[list[str] | None, option])
    base = kind
    if get_origin(kind) in (Union, UnionType):
        base = next(each for each in get_args(kind) if each is not type(None))
    shown = "" if setting.default in (None, "", MISSING, False) else f" Default: {setting.default}."
    option = typer.Option(flag, help=description + shown, show_default=False)
    return inspect.Parameter(setting.name, keyword, default=None, annotation=Annotated[base | None, option])


def with_settings(
    command: Callable[..., None], context: type[AgentContext] = ResearchContext, without: Sequence[str] = ()
) -> Callable[..., None]:
    """Give `command` one option a field of `context`, but those `without` meaning for it; it receives those that were
    given as `**settings`.
    """
    hints = get_type_hints(context)
    own = [
        p
        for p in inspect.signature(command, eval_str=True).parameters.values()
        if p.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    shown = [setting for setting in fields(context) if setting.name not in without]
    parameters = [*own, *(_option(setting, hints[setting.name]) for setting in shown)]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command
