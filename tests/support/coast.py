"""A pile of made-up documents of four kinds, and example pairs about one of them: a small world for extraction.

Every document is put together from sentences with its own names and numbers, so no two say the same.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

NAMES = (
    "Arvik Bremsa Corran Dulvig Eskholm Farney Gullrock Hestvik Inverlay Jorsund Kelda Lindis Morvay Nessing Orrin Pentland "
    "Quoyness Rathlin Selkie Torsay Ulsta Varnish Wexholm Yarrow Zelland Ambry Bolsay Crannoch Drummel Ersay"
).split()

LIGHTS = [
    "The {name} lighthouse is a tower of {stone} that stands {height} metres above the tide.",
    "The keeper of the {name} lighthouse lights the lamp {minutes} minutes before sunset.",
    "If fog hides the {name} lighthouse, the keeper sounds the horn every {seconds} seconds.",
    "When a storm breaks the glass of the {name} lighthouse, the keeper covers the lamp with {cover}.",
    "The lamp of the {name} lighthouse burns {oil} because the {oil} gives a white flame.",
    "The lens of the {name} lighthouse must be cleaned with {cleaner} before the first ship of the morning.",
    "The tender ship brings {oil} to the {name} lighthouse every {weeks} weeks.",
]
SOUPS = [
    "The soup of {name} is a broth of {root} and {grain}.",
    "If the soup of {name} tastes thin, the cook adds {spoons} spoons of {grain}.",
    "The {root} for the soup of {name} must be peeled before the water boils.",
    "When guests arrive late, the cook of {name} keeps the soup warm on a brick for {minutes} minutes.",
    "The cook of {name} uses {herb} to sweeten the soup because {herb} grows beside the kitchen.",
    "The soup of {name} is served in bowls of {stone}.",
]
LOOMS = [
    "The loom of {name} is a frame of {wood} with {height} pedals.",
    "If a thread of the {name} loom breaks, the weaver ties a {knot} knot.",
    "The weaver of {name} dyes the wool with {herb} because the colour of {herb} does not fade.",
    "When the wool is damp, the weaver of {name} dries the wool for {hours} hours.",
    "The shuttle of the {name} loom must be waxed every {weeks} weeks.",
    "The cloth of the {name} loom is used to line winter coats.",
]
GAMES = [
    "The game of {name} is a contest for {height} players with {seconds} counters.",
    "If a player of the {name} game drops a counter, the player loses {spoons} points.",
    "When two players of the {name} game reach the same square, the older player moves back.",
    "The board of the {name} game must be turned before the second round.",
    "The winner of the {name} game may choose the next {herb} token.",
    "The {name} game is played during the {hours} longest nights because the harbour is frozen.",
]
KINDS = {"light": LIGHTS, "soup": SOUPS, "loom": LOOMS, "game": GAMES}

EXAMPLES = [
    ("When does a lighthouse keeper light the lamp?", "The keeper lights the lamp twenty minutes before sunset."),
    ("What does the keeper do when fog hides the lighthouse?", "The keeper sounds the fog horn every thirty seconds."),
    (
        "Why is whale oil burned in the lamp of a lighthouse?",
        "Because it gives a white flame that ships see from afar.",
    ),
    ("How is the lens of a lighthouse cleaned?", "The lens must be cleaned with vinegar before the first ship."),
    ("How high does the lighthouse stand above the tide?", "The tower stands forty metres above the tide."),
    ("What happens if a storm breaks the glass of the lighthouse?", "The keeper covers the lamp with sailcloth."),
    ("How often does the tender ship bring oil to the lighthouse?", "The tender brings oil every six weeks."),
    ("What is a lighthouse built of?", "A lighthouse is a tower of granite on a rock in the sea."),
    ("Which ship sees the light first?", "The first ship of the morning sees the lamp from the north."),
    ("Who sounds the horn of the lighthouse in fog?", "The keeper of the lighthouse sounds the horn."),
    ("What must be done to the lamp before sunset?", "The lamp of the lighthouse must be trimmed and filled with oil."),
    ("When must the keeper cover the lamp?", "When a storm breaks the glass, the keeper covers the lamp."),
]

_WORDS = {
    "stone": "granite slate basalt sandstone chalk limestone".split(),
    "oil": "rapeseed-oil olive-oil whale-oil paraffin linseed-oil".split(),
    "cover": "sailcloth sheepskin tarred-paper canvas oilskin".split(),
    "cleaner": "vinegar alcohol soft-soap chalk-dust rainwater".split(),
    "root": "turnips parsnips carrots leeks beetroots".split(),
    "grain": "barley oats rye millet spelt".split(),
    "herb": "thyme lovage madder woad sorrel tansy".split(),
    "wood": "ash beech oak birch walnut".split(),
    "knot": "reef sheet-bend granny square bowline".split(),
}


def document(kind: str, name: str, seed: int) -> str:
    """One document of a kind about one place."""
    draw = random.Random(f"{kind}:{name}:{seed}")
    values = {key: draw.choice(words).replace("-", " ") for key, words in _WORDS.items()}
    numbers = {key: draw.randint(3, 59) for key in ("height", "minutes", "seconds", "weeks", "spoons", "hours")}
    told = draw.sample(KINDS[kind], 5)
    return " ".join(sentence.format(name=name, **values, **numbers) for sentence in told)


def write_coast(folder: Path, each: int = 30) -> str:
    """Write `each` documents of every kind as JSONL records into the folder; returns the corpus URI. Ids begin with the kind."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "coast.jsonl"
    records = [
        {"id": f"{kind}-{number}", "title": "", "text": document(kind, NAMES[number % len(NAMES)], number)}
        for number in range(each)
        for kind in KINDS
    ]
    random.Random(0).shuffle(records)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(path)


def write_examples(path: Path) -> str:
    """Write the example pairs; returns the file's name."""
    path.write_text("".join(json.dumps({"question": q, "answer": a}) + "\n" for q, a in EXAMPLES), encoding="utf-8")
    return str(path)


def records(path: str) -> dict[str, str]:
    """The text of every record of a JSONL file, by the URI that a corpus gives it."""
    lines = map(json.loads, Path(path).read_text(encoding="utf-8").splitlines())
    return {f"{path}#{record['id']}": record["text"] for record in lines}


def kind_of(uri: str) -> str:
    """Which of the four kinds a document is."""
    return uri.rpartition("#")[2].partition("-")[0]


def add_record(path: str, id_: str, text: str) -> None:
    """Append one more document to a JSONL file."""
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"id": id_, "title": "", "text": text}, ensure_ascii=False) + "\n")
