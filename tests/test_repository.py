"""What the repository promises about itself: floors, Studio's configuration, the README."""

from __future__ import annotations

import json
import re
import tomllib
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]

# The first release without the advisory (SECURITY.md names the threats).
FLOORS = {
    "langchain-core": "1.2.5",  # CVE-2025-68664
    "langchain-openai": "1.1.14",  # CVE-2026-26013, CVE-2026-41488
    "langgraph": "1.0.10",  # CVE-2026-28277
    "langgraph-checkpoint": "4.0.0",  # CVE-2025-64439, CVE-2026-27794
    "langgraph-checkpoint-sqlite": "3.0.1",  # CVE-2025-67644
    "langgraph-sdk": "0.3.15",  # CVE-2026-48776
}


def project() -> dict[str, Any]:
    declared: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return declared


@pytest.mark.parametrize(("package", "floor"), FLOORS.items())
def test_no_installed_version_is_below_its_advisory(package: str, floor: str) -> None:
    assert Version(version(package)) >= Version(floor)


def test_no_declared_floor_is_below_its_advisory() -> None:
    declared = [
        *project()["dependencies"],
        *(each for extra in project()["optional-dependencies"].values() for each in extra),
    ]
    for requirement in map(Requirement, declared):
        if requirement.name in FLOORS:
            lowest = min(Version(spec.version) for spec in requirement.specifier if spec.operator == ">=")
            assert lowest >= Version(FLOORS[requirement.name]), requirement


def test_every_extra_that_is_promised_exists() -> None:
    assert set(project()["optional-dependencies"]) == {
        "openai",
        "anthropic",
        "ollama",
        "local",
        "evals",
        "train",
        "mteb",
        "ray",
        "mcp",
        "datasets",
        "otel",
        "postgres",
    }


def test_studio_is_given_real_graphs_and_no_pickle() -> None:
    config = json.loads((ROOT / "langgraph.json").read_text())
    for graph in config["graphs"].values():
        path, name = graph["path"].split(":")
        assert getattr(import_module(path), name).checkpointer is None
        assert graph["description"]
    assert config["checkpointer"]["serde"]["pickle_fallback"] is False
    assert config["http"]["disable_webhooks"] is True
    assert config["env"]["LANGGRAPH_STRICT_MSGPACK"] == "true"


def test_the_readme_starts_with_the_two_commands() -> None:
    first = re.search(r"```\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert first is not None
    assert first[1].split("\n") == ["make demo", "make test", ""]


def test_ci_runs_what_the_readme_names() -> None:
    assert "make test lint types" in (ROOT / ".ci" / "run").read_text()


def test_the_public_names_are_there() -> None:
    import searchinstruct_graph

    for name in searchinstruct_graph.__all__:
        assert getattr(searchinstruct_graph, name) is not None
    with pytest.raises(AttributeError):
        _ = searchinstruct_graph.nothing
