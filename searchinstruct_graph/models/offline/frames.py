"""What of a question only says how it is asked: "suppose that", "describe a case in which", "regarding X"."""

from __future__ import annotations

import re

_FRAME = re.compile(
    r"^(?:regarding (?=\w)|analy[sz]e what follows when |what happens (?:if|when) |suppose that "
    r"|describe a (?:concrete )?case in which (?:both )?|is it (?:correct|true"
    r"|right) to say that,? (?:if |when )?|under which condition is it true that "
    r"|in which case does it not hold that |explain (?:what|how|why) |explain the effect of "
    r"|devise a way (?:to|for) |is it (?:possible|necessary|allowed) for |judge whether "
    r"|what is the (?:way|reason)(?: to| that) |for what reason |under which circumstances )"
    r"|what follows from this\??$|,? and say what comes of it\.?$|(?<=, )(?:what happens (?:if|when) "
    r"|suppose that |is it (?:possible|necessary|allowed) for |explain what "
    r"|describe a concrete case in which )| matter\.$",
    re.IGNORECASE,
)


def unframed(question: str) -> str:
    """The question without its frame: the words that an answer must speak about."""
    return " ".join(_FRAME.sub(" ", " ".join(question.split())).split()) or question
