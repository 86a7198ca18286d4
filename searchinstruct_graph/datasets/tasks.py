"""A task: one sentence about what is to be taught, or a YAML file that says more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.text.answers import FORMS, Form

FIELDS = ("name", "domain", "description", "answer_form", "options")
"""What a task file may hold; `extractor` is another name of `answer_form`."""


class Task(TypedDict):
    """What rows are made for. `options` are the answers that a `choice` has, such as A to D."""

    description: str
    domain: str
    answer_form: Form
    options: list[str]


def described(task: Task) -> str:
    """The task as models see it."""
    return f"{task['domain']}: {task['description']}" if task["domain"] else task["description"]


def read_task(given: str) -> Task:
    """The task in `given`: a sentence, or the path of a YAML file with `description` and any other of `FIELDS`.

    Raises:
        UsageError: it is blank, the file is missing or malformed, or a field is unknown.
    """
    text = given.strip()
    if not text:
        raise UsageError(
            'the task is empty; say it in a sentence, such as --task "Contract law: formation and remedies"'
        )
    if text.endswith((".yaml", ".yml")) and "\n" not in text:
        return _from_file(Path(text).expanduser())
    return Task(description=text, domain="", answer_form="open", options=[])


def _from_file(path: Path) -> Task:
    import yaml

    try:
        found: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"the task file {path} cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"the task file {path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict) or not str(found.get("description") or "").strip():
        raise UsageError(f"the task file {path} needs a description; it may also have {', '.join(FIELDS)}")
    unknown = set(found) - set(FIELDS) - {"extractor"}
    if unknown:
        raise UsageError(f"the task file {path} has an unknown field {sorted(map(str, unknown))[0]!r}; known: {FIELDS}")
    form = str(found.get("answer_form") or found.get("extractor") or "open")
    if form not in FORMS:
        raise UsageError(f"the task file {path}: answer_form {form!r} is none of {', '.join(FORMS)}")
    options = found.get("options") or (["A", "B", "C", "D"] if form == "choice" else [])
    if not isinstance(options, list):
        raise UsageError(f"the task file {path}: options must be a list")
    return Task(
        description=" ".join(str(found["description"]).split()),
        domain=str(found.get("domain") or found.get("name") or "").strip(),
        answer_form=form,
        options=[str(option) for option in options],
    )
