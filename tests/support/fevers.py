"""Three fevers, each with its treatment, its causes and its history on pages of their own: like queries, unlike instructions."""

from __future__ import annotations

import json
from pathlib import Path

FEVERS = ("Karvel fever", "Osel ague", "Tarn pox")

ASPECTS = {
    "treatment": "The treatment of {} is bed rest, willow bark tea and a course of tablets. Doctors prescribe medicine twice "
    "a day, and surgery is never needed. Patients who take the drug recover within a week of therapy.",
    "causes": "The cause of {} is a germ carried by marsh flies. The bacteria enter through a bite, and standing water near the "
    "house raises the risk. Why some people are infected and others are not is due to their genes.",
    "history": "The history of {} begins with a chronicle of the old harbour. Monks wrote of the first outbreak in their annals, "
    "and an archive of letters tells how the town was closed for a century of summers.",
}

YEARS = {"treatment": "2019-05-02", "causes": "2004", "history": ""}
"""When the pages say that they were published; those on history do not say."""


def write_fevers(folder: Path) -> str:
    """Write the pages into `folder` as Markdown, dated in their headers; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for fever in FEVERS:
        for aspect, text in ASPECTS.items():
            dated = (
                f"---\ntitle: {fever}\ndate: {YEARS[aspect]}\n---\n" if YEARS[aspect] else f"---\ntitle: {fever}\n---\n"
            )
            name = f"{fever.split()[0].lower()}-{aspect}.md"
            (folder / name).write_text(dated + text.format(fever) + "\n", encoding="utf-8")
    return str(folder)


def triplet_rows() -> list[dict[str, str]]:
    """Rows of the published field names: an aspect of a fever is asked for, and another one, and another fever."""
    rows = []
    for at, fever in enumerate(FEVERS):
        other = FEVERS[(at + 1) % len(FEVERS)]
        for aspect in ASPECTS:
            for against in ASPECTS:
                if against != aspect:
                    rows.append(
                        {
                            "query_positive": f"what is known about {fever}",
                            "instruction_positive": f"only pages on its {aspect}",
                            "document": ASPECTS[aspect].format(fever),
                            "query_negative": f"what is known about {other}",
                            "instruction_negative": f"only pages on its {against}",
                            "hard_negative_document_1": ASPECTS[against].format(fever),
                            "hard_negative_document_2": ASPECTS[aspect].format(other),
                        }
                    )
    return rows


def write_mixed(folder: Path) -> str:
    """A folder whose documents say what they are in every way that is read: HTML, Markdown, JSONL with addresses."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "guide").mkdir()
    (folder / "guide" / "lantern.md").write_text(
        "---\ntitle: Lantern guide\npublished: 2 March 2018\nlang: en\n---\nThe lantern of the harbour is lit at dusk.\n"
    )
    (folder / "lantern.html").write_text(
        '<html lang="en"><head><title>Lantern page</title><meta property="article:published_time" '
        'content="2011-06-30T10:00:00Z"></head><body><p>The lantern of the harbour was painted green that year.</p></body>'
    )
    (folder / "laterne.txt").write_text(
        "Die Laterne des Hafens wird am Abend angezündet, und der Wärter steigt dafür jeden Tag die Treppe hinauf. Wenn der "
        "Nebel kommt, läutet er außerdem die Glocke, damit die Fischer den Weg nach Hause finden. (lantern harbour)\n"
    )
    records = [
        {
            "id": "a",
            "text": "A lantern of the harbour in a post.",
            "url": "https://blog.example.com/a",
            "date": "2020-01-05",
        },
        {"id": "b", "text": "A lantern of the harbour, documented.", "url": "https://docs.example.org/b", "year": 1999},
        {"id": "c", "text": "A lantern of the harbour that no one has dated.", "date": "soon"},
    ]
    (folder / "records.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")
    return str(folder)
