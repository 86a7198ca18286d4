"""`searchinstruct ask`: one question, one checked answer, a thread that can be resumed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Annotated, Any, cast

import typer

from searchinstruct_graph.agents.context import ResearchContext
from searchinstruct_graph.cli.display import Narrator, as_json, edited_text, show_result
from searchinstruct_graph.cli.interrupts import INTERRUPTED, run
from searchinstruct_graph.cli.settings import with_settings
from searchinstruct_graph.cli.threads import Threads, checked_thread, new_thread, open_threads
from searchinstruct_graph.errors import ProviderError, UsageError

FAILED = 1
"""Exit code when a provider could not be reached; a result is still shown."""

ROLES = ("planner", "searcher", "writer", "critic")


@with_settings
def ask(
    question: Annotated[
        str | None, typer.Argument(help="What to find out; may be left out to resume a --thread.", show_default=False)
    ] = None,
    thread: Annotated[
        str | None, typer.Option("--thread", metavar="ID", help="Name the thread, or resume it.", show_default=False)
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
    **settings: Any,
) -> None:
    """Answer QUESTION from the corpus, every statement cited with verbatim quotes and checked by the critic."""
    asked = _Run(question, thread, json_, {name: value for name, value in settings.items() if value is not None})
    try:
        code = run(asked.go(), asked.interrupted)
    except ProviderError as error:
        if not asked.resumable:
            raise
        raise ProviderError(f"{error}; when that is mended, resume with: {asked.resume}") from error
    finally:
        asked.narrator.pause()
    if code:
        raise typer.Exit(code)


class _Run:
    """One invocation of `ask`."""

    def __init__(self, question: str | None, thread: str | None, json_: bool, given: dict[str, Any]) -> None:
        self.question = question
        self.thread = checked_thread(thread) if thread else new_thread()
        self.named = thread is not None
        self.json = json_
        self.given = given
        self.resumable = False
        self.narrator = Narrator(quiet=json_)

    @property
    def resume(self) -> str:
        """The command that takes this thread up again."""
        return f"searchinstruct ask --thread {self.thread}"

    def interrupted(self) -> str:
        """What to say when a person or the system stops the run."""
        self.narrator.pause()
        return f"interrupted; resume with: {self.resume}" if self.resumable else "interrupted"

    async def go(self) -> int:
        from searchinstruct_graph.graphs.research import build_graph, checked_question

        if self.question is not None:
            self.question = checked_question(self.question)
        elif not self.named:
            raise UsageError(
                'no question was given; ask something, such as: searchinstruct ask "What does the with statement do?"'
            )
        async with open_threads(self.thread) as threads:
            context = await self._context(threads)
            graph = build_graph(threads.saver)
            config: Any = {"configurable": {"thread_id": self.thread}}
            state = await graph.aget_state(config)
            work = self._work(state)
            if work is not _DONE:
                with self.narrator as narrator:
                    await self._index(context)
                    await threads.remember(self.thread, context, os.getcwd())
                    self.resumable = True
                    narrator.say(f"thread {self.thread}")
                    waited = True
                    while True:
                        if state.interrupts:
                            work = await self._review(state.interrupts[0].value, waited)
                            if work is None:
                                return INTERRUPTED
                            narrator.go_on()
                        await self._drive(graph, work, config, context)
                        state, waited = await graph.aget_state(config), False
                        if not state.interrupts:
                            break
            self._show(state.values, context)
        return FAILED if state.values["stop_reason"] in ("model_failed", "search_failed") else 0

    async def _context(self, threads: Threads) -> ResearchContext:
        """The settings: the thread's own when it is resumed, changed by what was given now."""
        from dataclasses import replace

        from searchinstruct_graph.agents.sources import web_providers
        from searchinstruct_graph.models.chat import chat_model, resolve_model
        from searchinstruct_graph.models.prices import require_price

        stored, folder = (await threads.settings(self.thread) if self.named else None) or (None, None)
        if stored is None and self.question is None:
            raise UsageError(f"there is no thread {self.thread}; give a question to start it")
        if folder and folder != os.getcwd():
            # The thread's relative paths are meant from where it was started.
            try:
                os.chdir(folder)
            except OSError as error:
                raise UsageError(f"thread {self.thread} was started in {folder}: {error.strerror or error}") from error
        context = replace(stored, **self.given) if stored else ResearchContext(**self.given)
        # A thread keeps its model although the environment may name another one by now.
        context = replace(context, model=resolve_model(context.model))
        web_providers(context)
        for name in {resolve_model(context.model_for(role)) for role in ROLES}:  # type: ignore[arg-type]
            chat_model(name)
            if context.max_cost is not None:
                require_price(name)
        return context

    def _work(self, state: Any) -> Any:
        """What to give the graph: a new question, None to go on, or `_DONE` when there is only a result to show."""
        asked, unfinished = state.values.get("question"), bool(state.next)
        if self.question is None:
            if not state.values and not unfinished:
                raise UsageError(f"thread {self.thread} holds nothing to resume; give a question")
            return None if unfinished else _DONE
        if unfinished and asked is not None and asked != self.question:
            raise UsageError(
                f"thread {self.thread} is still busy with another question: {asked!r}; "
                "leave the question out to resume it, or use another --thread"
            )
        return None if unfinished else {"question": self.question}

    async def _index(self, context: ResearchContext) -> None:
        from searchinstruct_graph.agents.sources import open_corpus, web_left_out

        if missing := web_left_out(context):
            self.narrator.say(f"the web is searched without {missing}")
        self.narrator.doing("opening the corpus")
        corpus = await open_corpus(context)
        if corpus is None:
            return
        for report in corpus.report:
            if report.added or report.changed or report.removed:
                self.narrator.say(f"indexed {report.source}: {report.documents} documents, {report.chunks} chunks")
        self.narrator.skipped(corpus.report)

    async def _drive(self, graph: Any, work: Any, config: Any, context: ResearchContext) -> None:
        self.narrator.doing("planning")
        stream = graph.astream(work, config, context=context, stream_mode="custom", subgraphs=True, durability="sync")
        async for _, event in stream:
            self.narrator.event(event)

    async def _review(self, asked: dict[str, Any], waited: bool) -> Any:
        """What the person says to the plan; None leaves it waiting.

        On a terminal the plan is accepted, edited or left. Elsewhere it is printed, and accepted when the thread is
        resumed (`waited`).
        """
        from langgraph.types import Command

        self.narrator.pause()
        kept = ("text", "queries", "requires", "instruction")
        # A plan of an earlier version has no instructions.
        parts = [{"instruction": "", **part} for part in asked["plan"]["sub_questions"]]
        plan = {"sub_questions": [{key: part[key] for key in kept} for part in parts]}
        if problem := asked.get("error"):
            self.narrator.warn(f"the edited plan cannot be used: {problem}")
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            if waited:
                return Command(resume=True)
            typer.echo(as_json({"thread": self.thread, **plan}))
            typer.echo(f"the plan waits for review; accept it with: {self.resume}", err=True)
            return None
        # In a thread, so that Ctrl-C at the prompt is heard.
        answer = await asyncio.to_thread(self._ask_person, plan)
        return None if answer is None else Command(resume=answer)

    def _ask_person(self, plan: dict[str, Any]) -> Any:
        """True, an edited plan, or None for later."""
        while True:
            typer.echo(as_json(plan), err=True)
            said = ""
            while said not in ("a", "e", "q"):
                try:
                    said = typer.prompt("accept this plan, edit it, or quit [a/e/q]", default="a", err=True)
                except typer.Abort:
                    said = "q"
                said = said.strip().lower()[:1]
            if said == "q":
                typer.echo(f"resume with: {self.resume}", err=True)
                return None
            if said == "a":
                return True
            edited = edited_text(as_json(plan), ".json")
            try:
                return json.loads(edited)
            except ValueError as error:
                typer.echo(f"that is not JSON ({error}); nothing was changed", err=True)

    def _show(self, values: dict[str, Any], context: ResearchContext) -> None:
        from searchinstruct_graph.graphs.state import ResearchOutput
        from searchinstruct_graph.models.chat import resolve_model

        # A thread that an earlier version has finished knows of no constraints.
        values = {"constraints": [], **values}
        result = {name: values[name] for name in ResearchOutput.__annotations__ if name != "messages"}
        if self.json:
            typer.echo(as_json(result))
        else:
            show_result(cast(ResearchOutput, result), [resolve_model(context.model_for(role)) for role in ROLES])  # type: ignore[arg-type]


_DONE: Any = object()
