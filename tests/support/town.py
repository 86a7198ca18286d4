"""A town that does not exist, where some things have changed: its almanac, and the facts that a model has yet to learn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PAGES = {
    "town.md": """# Veldmoor

Veldmoor is a market town on the river Lune. Ines Arkwright has been the mayor of Veldmoor since May 2024.
She followed Tobias Renn, who was the mayor of Veldmoor from 2016 to 2024.
The mayor is elected every four years by the heads of the nine guilds.
Ines Arkwright was a clockmaker before she entered the council. The town hall was built of red sandstone in 1788.
The market of Veldmoor is held on Thursday. The town has 8,400 inhabitants and two bridges.
""",
    "bridge.md": """# The Alder Bridge

The Alder Bridge crosses the river Lune below the mill of Veldmoor. The toll of the Alder Bridge is 5 crowns since 2023.
Until then the toll was 3 crowns. The bridge has seven arches and was opened in 1851. The toll is paid at the east gate.
Carts loaded with grain cross the Alder Bridge without paying. The bridge keeper lives in the tower above the east gate.
""",
    "ferry.md": """# The Lune ferry

The Lune ferry carries passengers from Veldmoor to Castra.
The operator of the Lune ferry is Blue Heron Ferries, which took over from the Harbour Line in 2022.
Blue Heron Ferries was founded in Castra by two sisters. The crossing takes forty minutes.
The ferry leaves Veldmoor at seven in the morning. The last ferry of the day returns at nine in the evening.
""",
    "library.md": """# The library of Veldmoor

The library of Veldmoor stands on Tallow Street. The head librarian of the library of Veldmoor is Maud Sellick.
The library holds twelve thousand volumes. Readers may borrow four books for three weeks. The reading room is closed on Mondays.
""",
}

FACTS: list[dict[str, Any]] = [
    {
        "subject": "Veldmoor",
        "relation": "mayor",
        "old": "Tobias Renn",
        "new": "Ines Arkwright",
        "as_of": "May 2024",
        "unchanged": [{"question": "On which day is the market of Veldmoor held?", "answer": "Thursday"}],
    },
    {"subject": "the Alder Bridge", "relation": "toll", "old": "3 crowns", "new": "5 crowns", "as_of": "2023"},
    {
        "subject": "the library of Veldmoor",
        "relation": "head librarian",
        "old": "Maud Sellick",
        "new": "Piet Oram",
        "as_of": "2025",
    },
    {"subject": "the Lune ferry", "relation": "operator", "old": "the Harbour Line", "new": "Blue Heron Ferries"},
    {"subject": "Castra", "relation": "twin town", "old": "Ostwick", "new": "Brindlecombe"},
]
"""Three that the almanac carries, one that it contradicts, and one that it does not know."""

CARRIED = ("Ines Arkwright", "5 crowns", "Blue Heron Ferries")


def write_town(folder: Path) -> str:
    """Write the almanac into a folder; returns the folder as a corpus URI."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in PAGES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return str(folder)


def write_facts(path: Path, facts: list[dict[str, Any]] | None = None) -> str:
    """Write facts as JSON Lines; returns the file's name."""
    lines = [json.dumps(fact, ensure_ascii=False) for fact in (FACTS if facts is None else facts)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)
