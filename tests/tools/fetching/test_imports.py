"""The network has few doors: everything else goes through them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import searchinstruct_graph

ROOT = Path(searchinstruct_graph.__file__).parent
DOORS = ("tools/fetching/", "tools/search/", "models/")
NETWORK = {
    *("httpx", "httpcore", "h11", "requests", "urllib3", "aiohttp", "websockets", "pycurl", "tavily", "socket", "ssl"),
    *("urllib.request", "http.client", "http.server", "ftplib", "smtplib", "telnetlib", "xmlrpc", "socketserver"),
    *("trafilatura.downloads", "trafilatura.fetch_url", "trafilatura.fetch_response", "trafilatura.spider"),
    *("trafilatura.sitemaps", "trafilatura.feeds", "huggingface_hub", "langchain_community", "anyio"),
    *("asyncio.open_connection", "asyncio.open_unix_connection"),
}
CALLS = {
    "open_connection",
    "create_connection",
    "open_unix_connection",
    "fetch_url",
    "fetch_response",
    "urlopen",
    "urlretrieve",
}


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module and name that the code imports, dotted, and the calls that open connections."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{each.name}" for each in node.names)
        elif isinstance(node, ast.Attribute) and node.attr in CALLS:
            yield f"calls {node.attr}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("__import__", "importlib.import_module"):
            yield from (str(each.value) for each in node.args if isinstance(each, ast.Constant))


def breaches(source: str) -> list[str]:
    names = imported(ast.parse(source))
    return [
        name
        for name in names
        if name.startswith("calls ") or any(name == door or name.startswith(door + ".") for door in NETWORK)
    ]


def test_only_the_doors_import_the_network() -> None:
    found = {
        place: names
        for path in sorted(ROOT.rglob("*.py"))
        if not (place := path.relative_to(ROOT).as_posix()).startswith(DOORS) and (names := breaches(path.read_text()))
    }
    assert found == {}


def test_the_rule_sees_every_form_of_import() -> None:
    for source in (
        "import httpx",
        "import os, socket as s",
        "from urllib import request",
        "from urllib.request import urlopen",
        "import urllib.request",
        "def f():\n    from aiohttp import ClientSession",
        "from trafilatura import fetch_url",
        "import trafilatura\ntrafilatura.fetch_url('x')",
        "import asyncio\nasyncio.open_connection('x', 1)",
        "import importlib\nimportlib.import_module('requests')",
    ):
        assert breaches(source), source
    for source in (
        "from urllib.parse import urljoin",
        "import socketless",
        "from .requests import x",
        "import trafilatura",
    ):
        assert not breaches(source), source


def test_the_doors_are_there() -> None:
    """Were the package moved, the rule would guard nothing."""
    assert breaches((ROOT / "tools/fetching/network.py").read_text())
    assert len(list(ROOT.rglob("*.py"))) > 30
