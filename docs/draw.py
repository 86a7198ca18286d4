"""Draws the pictures of the documentation: every graph as it is compiled, and a real run in a terminal.

npm install --prefix /tmp/mermaid mermaid@11
python docs/draw.py --mermaid /tmp/mermaid/node_modules/mermaid/dist/mermaid.min.js [--browser chromium]
"""

from __future__ import annotations

import argparse
import html
import io
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.text import Text

from searchinstruct_graph.graphs import studio

PICTURES = Path(__file__).parent / "pictures"
QUESTION = "What does the nonlocal statement do?"


def mermaid(name: str) -> str:
    """The graph called `name` in Mermaid's language, its subgraphs opened."""
    return re.sub(r"<p>__(start|end)__</p>", r"\1", getattr(studio, name).get_graph(xray=True).draw_mermaid())


def drawn(source: str, library: Path, browser: str) -> str:
    """Mermaid's picture as SVG, drawn by a headless browser."""
    page = (
        f"<!doctype html><meta charset=utf-8><pre class=mermaid>{html.escape(source)}</pre>"
        f"<script src={library.resolve().as_uri()!r}></script>"
        "<script>mermaid.initialize({startOnLoad: true, htmlLabels: false, flowchart: {htmlLabels: false}})</script>"
    )
    with TemporaryDirectory() as folder:
        (Path(folder) / "page.html").write_text(page, encoding="utf-8")
        shown = subprocess.run(
            [
                *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"),
                f"file://{folder}/page.html",
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
    found = re.search(r"<svg\b.*?</svg>", shown, re.DOTALL)
    if not found:
        raise SystemExit(f"the browser drew nothing: {shown[:500]}")
    # A picture of its own needs its namespace and well-formed tags.
    svg = found.group().replace("<br>", "<br/>")
    return svg if "xmlns=" in svg[:300] else svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)


def terminal() -> str:
    """A run of `searchinstruct ask`, as a terminal shows it, as SVG."""
    command = [sys.executable, "-m", "searchinstruct_graph", "ask", QUESTION, "--samples", "3"]
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    console = Console(record=True, width=100, file=io.StringIO())
    console.print(Text(f'$ searchinstruct ask "{QUESTION}" --samples 3', style="bold"))
    console.print(Text(ran.stdout.rstrip()))
    # Rich's template loads its font from elsewhere.
    return re.sub(r"@font-face \{.*?\}", "", console.export_svg(title="searchinstruct ask"), flags=re.DOTALL)


def main() -> None:
    """Draw everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mermaid", type=Path, required=True, help="mermaid.min.js")
    parser.add_argument("--browser", default="chromium")
    given = parser.parse_args()
    PICTURES.mkdir(exist_ok=True)
    for name in studio.__all__:
        (PICTURES / f"{name}.svg").write_text(drawn(mermaid(name), given.mermaid, given.browser), encoding="utf-8")
    (PICTURES / "ask.svg").write_text(terminal(), encoding="utf-8")


if __name__ == "__main__":
    main()
