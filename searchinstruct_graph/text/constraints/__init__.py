"""What an instruction asks of sources that their metadata decide: date, host, folder, type, language, length.

An instruction is read clause by clause, with closed lists of words. What is not understood for sure is left to those who
compare meanings, and is told apart from what was: a year, a host or a language may be what the question is about, and a source
that is dropped for it is lost without a trace.

* A part is asked of sources where a word for them stands right before it and is no subject itself ("studies since 2010", but not
  "about studies since 2010"), or where its clause says nothing else ("since 2010", but not "what has changed since 2010").
* "Before", "until", "between" and "in" need a word for sources or for publishing even so ("published before 2010").
* A denial that covers more than what can be checked ("no PDFs about eels"), a denied denial, a preference ("ideally"), a
  condition ("if", "unless"), a permission ("are fine") and alternatives between unlike things are left.
* Parts that no source can fulfil together ("after 2020 and before 2010") are not applied, and are named.
* What metadata do not say is unknown, which is neither inside nor outside.
"""

from .instruction import read_constraints, undecided
from .judging import judged
from .parts import MOST, Applied, Constraint, Facts, Instruction, Kind, Verdict
from .telling import account, constraint_lines

__all__ = [
    "MOST",
    "Applied",
    "Constraint",
    "Facts",
    "Instruction",
    "Kind",
    "Verdict",
    "account",
    "constraint_lines",
    "judged",
    "read_constraints",
    "undecided",
]
