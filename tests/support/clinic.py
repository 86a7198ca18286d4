"""Invented illnesses under several aspects: pairs of which triplets can be made, and a corpus of the same pages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ILLNESSES: dict[str, dict[str, str]] = {
    "straw fever": {
        "treatment": "Straw fever is treated with rest and a course of tetracycline. Treatment takes three weeks, and most "
        "patients are treated at home. Surgery is never needed for straw fever.",
        "symptoms": "The symptoms of straw fever include night sweats and a stiff neck. Other symptoms are pale gums. The signs "
        "and symptoms of straw fever pass within a month.",
        "causes": "Straw fever is caused by a mould that grows on wet straw. The mould causes the fever when its spores are "
        "breathed in. Handling dry straw is not a cause of straw fever.",
    },
    "marsh palsy": {
        "treatment": "Marsh palsy is treated with warm baths and massage. The treatment of marsh palsy is a therapy for life. "
        "Surgery may be tried where treatment fails.",
        "symptoms": "The symptoms of marsh palsy include a slow gait and a weak grip. An early symptom is a tremor of the left "
        "hand. The signs and symptoms of marsh palsy come and go with the seasons.",
        "inheritance": "Marsh palsy is inherited in an autosomal recessive pattern. Both parents are carriers. The inheritance "
        "of marsh palsy was worked out in 1988.",
    },
    "glass lung": {
        "treatment": "Glass lung is treated with steam and a mild steroid. The treatment takes a winter, and patients are "
        "treated in a clinic by the sea. Surgery and other therapies for glass lung were given up in 1961.",
        "symptoms": "The symptoms of glass lung include a dry cough and a sharp pain under the ribs. A late symptom is "
        "hoarseness. The signs and symptoms of glass lung are worst in the morning.",
        "causes": "Glass lung is caused by fine dust from cutting glass. The dust causes scars when it is breathed in for years. "
        "The causes of glass lung were first described in 1907.",
    },
}


def pairs() -> list[dict[str, str]]:
    """Each illness asked about in general, once for each of its passages."""
    return [
        {
            "query": f"what should one know about {illness}",
            "passage": text,
            "title": illness.capitalize(),
            "uri": f"clinic/{illness.replace(' ', '-')}-{aspect}.md",
            "family": illness,
        }
        for illness, aspects in ILLNESSES.items()
        for aspect, text in aspects.items()
    ]


def write_pairs(path: Path, records: Sequence[Mapping[str, Any]] | None = None) -> None:
    """Write the pairs, or others, as JSON Lines."""
    found = pairs() if records is None else records
    path.write_text("".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in found), encoding="utf-8")


def write_clinic(folder: Path) -> None:
    """Write a page for each passage."""
    folder.mkdir(exist_ok=True)
    for each in pairs():
        (folder.parent / each["uri"]).write_text(f"# {each['title']}\n\n{each['passage']}\n", encoding="utf-8")
