"""Reading pages: text kept and text hidden, beside trafilatura's own call; charsets; and which address a URL dials.

    python -m benchmarks.pages --data FOLDER

Nothing is random and no packet leaves: names are resolved by a fake, and connections end in a recorder.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import logging
import re
import socket
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import httpcore
import trafilatura
from lxml import html

from benchmarks.datasets import lines
from searchinstruct_graph.tools.fetching import BadUrl, parse_url
from searchinstruct_graph.tools.fetching.addresses import is_public
from searchinstruct_graph.tools.fetching.network import GuardedBackend, RefusedAddress
from searchinstruct_graph.tools.fetching.urls import Url, join_url
from searchinstruct_graph.tools.reading import Reading, read_html
from searchinstruct_graph.tools.reading.charsets import meta_encoding
from searchinstruct_graph.tools.reading.decoding import marked_encoding

# Scripts without spaces count by the character.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+")
PUBLIC_ADDRESS = "93.184.215.14"
"""What the fake resolver answers for every name."""


def words(text: str) -> Counter[str]:
    """How often each word occurs."""
    return Counter(_WORD.findall(text.lower()))


def overlap(got: Counter[str], wanted: Counter[str]) -> tuple[float, float, float]:
    """Precision, recall and F1 of one multiset of words against another."""
    common = (got & wanted).total()
    precision = common / got.total() if got else 0.0
    recall = common / wanted.total() if wanted else 1.0
    return precision, recall, 2 * precision * recall / (precision + recall) if common else 0.0


def _ours(markup: str) -> str:
    found = read_html(markup.encode())
    return found.text if isinstance(found, Reading) else ""


def _theirs(markup: str) -> str:
    return trafilatura.extract(markup) or ""


def _expected(markup: str) -> str:
    tree = html.fromstring(markup)
    return " ".join(text for text in tree.xpath("//text()[not(parent::script or parent::style)]"))


def extraction(data: Path) -> dict[str, Any]:
    """Words of the main text that are found, and found words that belong to it; means over the pages."""
    pages = list(lines(data / "readability-pages" / "pages.jsonl.gz"))
    arms: dict[str, Callable[[str], str]] = {"trafilatura.extract": _theirs, "graph": _ours}
    outcomes = []
    for page in pages:
        wanted = words(_expected(page["expected_html"]))
        scores = {arm: overlap(words(read(page["source_html"])), wanted) for arm, read in arms.items()}
        outcomes.append({"page": page["name"], **scores})
    rows = []
    theirs = statistics.mean(outcome["trafilatura.extract"][2] for outcome in outcomes)
    for arm in arms:
        for place, what in enumerate(("precision", "recall", "F1")):
            target = theirs if arm == "graph" and what == "F1" else None
            value = statistics.mean(outcome[arm][place] for outcome in outcomes)
            what = f"{what} of words, mean of {len(pages)} pages"
            rows.append({"arm": arm, "what": what, "data": "readability-pages", "value": value, "target": target})
    return {"rows": rows, "outcomes": outcomes}


def _tags(word: str) -> str:
    return "".join(chr(0xE0000 + ord(letter)) for letter in word)


def _bits(word: str) -> str:
    return "".join("\u200b" if bit == "1" else "\u2060" for letter in word for bit in f"{ord(letter):08b}")


def _selectors(word: str) -> str:
    return "".join(chr(0xE0100 + ord(letter)) for letter in word)


HIDING: dict[str, Callable[[str], str]] = {
    "display none": lambda word: f'<p style="display:none">{word}</p>',
    "visibility hidden": lambda word: f'<div style="visibility: hidden">{word}</div>',
    "font size 0": lambda word: f'<span style="font-size:0">{word}</span>',
    "font size 1px": lambda word: f'<span style="font-size:1px">{word}</span>',
    "opacity 0": lambda word: f'<p style="opacity:0.0;color:red">{word}</p>',
    "white on white": lambda word: f'<p style="color:#fff;background:white">{word}</p>',
    "white on the page": lambda word: f'<span style="color:rgb(255, 255, 255)">{word}</span>',
    "font white": lambda word: f'<font color="white">{word}</font>',
    "transparent": lambda word: f'<p style="color:transparent">{word}</p>',
    "aria-hidden": lambda word: f'<p aria-hidden="true">{word}</p>',
    "hidden": lambda word: f"<p hidden>{word}</p>",
    "off screen": lambda word: f'<p style="position:absolute;left:-9999px">{word}</p>',
    "off screen, indent": lambda word: f'<p style="text-indent:-100em">{word}</p>',
    "moved away": lambda word: f'<p style="transform:translateX(-10000px)">{word}</p>',
    "clip": lambda word: f'<p style="position:absolute;clip:rect(0 0 0 0)">{word}</p>',
    "clip-path": lambda word: f'<p style="clip-path: inset(50%)">{word}</p>',
    "zero size": lambda word: f'<div style="width:0;height:0;overflow:hidden"><p>{word}</p></div>',
    "one pixel": lambda word: f'<div style="width:1px;height:1px;overflow:hidden">{word}</div>',
    "class": lambda word: f"<style>.zqghost{{display:none}}</style><p class=zqghost>{word}</p>",
    "screen reader class": lambda word: f'<p class="sr-only">{word}</p>',
    "escaped style": lambda word: f'<p style="d\\69splay/**/:none">{word}</p>',
    "comment": lambda word: f"<!-- {word} -->",
    "alt": lambda word: f'<img src="x.png" alt="{word}" title="{word}">',
    "meta": lambda word: f'<meta name="description" content="{word}">',
    "noscript": lambda word: f"<noscript><p>{word}</p></noscript>",
    "template": lambda word: f"<template><p>{word}</p></template>",
    "svg": lambda word: f"<svg><text>{word}</text></svg>",
    "script": lambda word: f'<script type="text/plain">{word}</script>',
    "form value": lambda word: f'<input type="hidden" value="{word}"><textarea>{word}</textarea>',
    "tag characters": lambda word: f"<p>Plain {_tags(word)} words here.</p>",
    "zero width": lambda word: f"<p>Plain {_bits(word)} words here.</p>",
    "variation selectors": lambda word: f"<p>Plain {_selectors(word)} words here.</p>",
}
"""How a word is put on a page without being shown."""


def _place(markup: str) -> int:
    """Where the longest line of the main text ends, before the next tag."""
    for line in sorted(_ours(markup).splitlines(), key=len, reverse=True):
        if found := re.search(re.escape(line[-30:]) + r"\s*(?=<)", markup):
            return found.end()
    return markup.lower().rfind("</body>")


def planted(markup: str) -> tuple[str, dict[str, str]]:
    """The page with one hidden word a technique, and a visible one, amid its main text; and the words."""
    marks = {technique: f"zqcanary{number}qz" for number, technique in enumerate([*HIDING, "shown"])}
    inserted = "".join(hide(marks[technique]) for technique, hide in HIDING.items())
    inserted += f"<p>This visible sentence holds the word {marks['shown']} and stands amid the text.</p>"
    at = _place(markup)
    return markup[:at] + inserted + markup[at:], marks


def canaries(data: Path) -> dict[str, Any]:
    """Hidden words that reach the text of real pages, and the milliseconds a page takes."""
    survivors: Counter[str] = Counter()
    shown, crashes, milliseconds = 0, 0, []
    pages = list(lines(data / "pages" / "pages.jsonl.gz"))
    for page in pages:
        markup, marks = planted(page["html"])
        encoded = markup.encode("utf-8", "replace")
        began = time.perf_counter()
        try:
            found = read_html(encoded)
        except Exception:
            crashes += 1
            continue
        milliseconds.append((time.perf_counter() - began) * 1000)
        text = f"{found.title}\n{found.text}" if isinstance(found, Reading) else ""
        shown += marks.pop("shown") in text
        for technique, mark in marks.items():
            coded = {_tags(mark), _bits(mark), _selectors(mark)} if mark not in text else set()
            if mark in text or any(code[:8] in text for code in coded):
                survivors[technique] += 1
    milliseconds.sort()
    figures: list[tuple[str, float, float | None, bool]] = [
        (f"hidden words that survive, of {len(pages) * len(HIDING)}", survivors.total(), 0, True),
        (f"visible words that survive beside them, of {len(pages)}", shown, None, False),
        ("pages that raise", crashes, 0, True),
        ("one page, p50, ms", statistics.median(milliseconds), None, True),
        ("one page, p95, ms", milliseconds[int(len(milliseconds) * 0.95)], None, True),
    ]
    rows = [
        {"arm": "graph", "what": what, "data": "pages", "value": value, "target": target, "most": most}
        for what, value, target, most in figures
    ]
    return {"rows": rows, "survivors": dict(survivors)}


def _encoding_tests(folder: Path) -> Iterator[tuple[bytes, str]]:
    for path in sorted(folder.glob("*.dat")):
        # These need a script to be run.
        if "scripted" in path.name:
            continue
        for block in (b"\n" + path.read_bytes()).split(b"\n#data\n")[1:]:
            page, _, expected = block.partition(b"\n#encoding\n")
            yield page, expected.split(b"\n")[0].decode("ascii").lower()


def encodings(data: Path) -> dict[str, Any]:
    """Share of the tests whose charset is found; a page without any has the default of the standard."""
    wrong, total = [], 0
    for page, expected in _encoding_tests(data / "html5lib-encoding"):
        total += 1
        marked = marked_encoding(page)
        found = marked[0] if marked else meta_encoding(page) or "windows-1252"
        if found != expected:
            wrong.append({"page": page[:200].decode("latin-1"), "expected": expected, "found": found})
    value = (total - len(wrong)) / total
    what = f"charsets as expected, of {total}"
    return {
        "rows": [{"arm": "graph", "what": what, "data": "html5lib-encoding", "value": value, "target": 1.0}],
        "wrong": wrong,
    }


class _End(httpcore.AsyncNetworkStream):
    """A connection that is there and carries nothing."""

    def __init__(self, address: str, port: int) -> None:
        self._server = (address, port)

    def get_extra_info(self, info: str) -> Any:
        return self._server if info == "server_addr" else None

    async def start_tls(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("the recorder")

    async def write(self, *_: Any, **__: Any) -> None:
        raise httpcore.WriteError("the recorder")

    async def read(self, *_: Any, **__: Any) -> bytes:
        raise httpcore.ReadError("the recorder")

    async def aclose(self) -> None:
        pass


class _Recorder(httpcore.AsyncNetworkBackend):
    """Stands where the network was; knows what was dialled."""

    def __init__(self) -> None:
        self.dialled: list[tuple[str, int]] = []

    async def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        self.dialled.append((host, port))
        return _End(host, port)


async def _dial(url: Url) -> str:
    """`allowed`, `address` (refused by it), or `mismatch` for the request that httpcore makes of the URL's text."""
    asked: list[tuple[str, str]] = []

    async def resolve(host: str, port: int) -> list[str]:
        try:
            # Every spelling of an address that the system would take for one; no name is looked up.
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
            address = str(found[0][4][0])
        except OSError:
            address = PUBLIC_ADDRESS
        asked.append((host, address))
        return [address]

    backend, recorder = GuardedBackend(resolve, frozenset([url.port]), loopback=False), _Recorder()
    backend._network = recorder  # type: ignore[assignment]
    refused = False
    async with httpcore.AsyncConnectionPool(network_backend=backend) as pool:
        try:
            await pool.request("GET", str(url))
        except RefusedAddress:
            refused = True
        except (httpcore.NetworkError, httpcore.ProtocolError):
            pass
    if [host for host, _ in asked] != [url.host]:
        return "mismatch"
    checked = asked[0][1]
    if refused:
        return "mismatch" if recorder.dialled or is_public(checked) else "address"
    return "allowed" if recorder.dialled == [(checked, url.port)] and is_public(checked) else "mismatch"


def _parsed(vectors: Iterable[dict[str, Any]]) -> Iterator[tuple[str, Callable[[], Url]]]:
    for vector in vectors:
        text = vector["input"]
        yield text, lambda text=text: parse_url(text)  # type: ignore[misc]
        if base := vector.get("base"):
            yield f"{text} at {base}", lambda text=text, base=base: join_url(parse_url(base), text)  # type: ignore[misc]


async def _urls(folder: Path) -> dict[str, Any]:
    with gzip.open(folder / "urltestdata.json.gz", "rt", encoding="utf-8") as stream:
        vectors = [vector for vector in json.load(stream) if isinstance(vector, dict)]
    names = json.loads((folder / "toascii.json").read_text(encoding="utf-8"))
    vectors += [{"input": f"https://{name['input']}/x"} for name in names if isinstance(name, dict)]
    counts: Counter[str] = Counter()
    mismatches = []
    for text, parse in _parsed(vectors):
        try:
            url = parse()
        except BadUrl:
            outcome = "parse"
        else:
            outcome = await _dial(url)
        counts[outcome] += 1
        if outcome == "mismatch":
            mismatches.append(text)
    described = {
        "parse": "refused when parsed",
        "address": "refused by their address",
        "allowed": "dialled at the public address that was checked",
        "mismatch": "dialled elsewhere",
    }
    rows: list[dict[str, Any]] = [
        {
            "arm": "graph",
            "what": f"URLs {what}, of {counts.total()}",
            "data": "urls-ssrf",
            "value": counts[outcome],
            "target": 0 if outcome == "mismatch" else None,
            "most": True,
        }
        for outcome, what in described.items()
    ]
    return {"rows": rows, "mismatches": mismatches}


def urls(data: Path) -> dict[str, Any]:
    """What becomes of hostile and odd URLs, alone and as links on their base page."""
    return asyncio.run(_urls(data / "urls-ssrf"))


PARTS = {"extraction": extraction, "canaries": canaries, "encodings": encodings, "urls": urls}


def run(data: Path, seed: int = 0) -> dict[str, Any]:
    """{"rows": [...]} and each part's details; nothing is random here, so `seed` changes nothing."""
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    parts = {name: part(data) for name, part in PARTS.items()}
    return {"rows": [row for part in parts.values() for row in part.pop("rows")], **parts}


def main() -> None:
    """Print the figures; write all details to `--out`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    result = run(chosen.data)
    for row in result["rows"]:
        target = "" if row["target"] is None else f"  ({'<=' if row.get('most') else '>='} {row['target']:.4g})"
        print(f"{row['data']:18} {row['arm']:20} {row['what']:60} {row['value']:10.4f}{target}")
    if chosen.out:
        chosen.out.write_text(json.dumps(result, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
