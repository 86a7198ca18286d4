"""One clause, read from left to right for what it asks of sources."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from searchinstruct_graph.text.dates import Days, days_of, month_of

from .clauses import Token, host_of, language_of, type_of
from .lexicon import (
    AFTER,
    AGES,
    BESIDE,
    CJK_SINCE,
    DECADE,
    DENIALS,
    EARLIER,
    FAR_FUTURE,
    FAR_PAST,
    FILLERS,
    FOLLOW,
    FROM,
    IN,
    JOINTS,
    LATER,
    LEADS,
    LINKS,
    NUMBERS,
    ONLY,
    OPENERS,
    OR,
    PLAIN_HOST,
    PUBLISHED,
    SIDE_OF,
    SINCE,
    SOFT,
    SOURCES,
    SPOKEN,
    STATED,
    SUBJECT,
    UNDATED,
    WEAK,
    WEIGHTLESS,
    listed,
)
from .parts import MOST, Constraint, Kind

_LONGEST_CLAUSE = 100
# Words; a longer clause is left.


class _Part(NamedTuple):
    """A constraint of a clause, and what has to hold of the rest of it."""

    constraint: Constraint
    start: int
    stop: int
    sure: bool
    """Asked of sources by the word right before it; the others have to stand alone in their clause."""


class Clause:
    """One clause, read from left to right. `tells`: its sentence tells of something, which a part alone may belong to."""

    def __init__(self, instruction: str, tokens: Sequence[Token], today: date, tells: bool = False) -> None:
        self.instruction = instruction
        self.tokens = tokens
        self.words = [token.word for token in tokens]
        self.today = today
        self.tells = tells
        self.parts: list[_Part] = []

    def read(self) -> list[Constraint]:
        """The constraints of the clause, in order; none where it cannot be understood for sure."""
        if len(self.words) > _LONGEST_CLAUSE or self._soft() or "not only" in " ".join(self.words):
            return []
        denial = -1
        """Where the denial stands that holds for what follows; −1: none does."""
        marked = False
        """Whether "only" or a denial stands between the last part and here."""
        denied: list[_Part] = []
        denials: list[int] = []
        at = 0
        while at < len(self.words) and len(self.parts) < MOST:
            word = self.words[at]
            no = denial >= 0
            made = self._date(at, no) or self._place(at, no) or self._language(at, no)
            made = made or self._length(at, no) or self._type(at, no)
            if made:
                if no and ((denied and not marked and self._at(at - 1) != "nor") or self._twice(denial, at)):
                    # "Not in German and from a.org", "do not leave out PDFs": what is denied is not clear.
                    return []
                self.parts.append(made)
                if no:
                    denied.append(made)
                    denials.append(denial)
                at, marked = made.stop, False
                continue
            if word in DENIALS:
                denial = denial if no and marked else at
                marked = True
            elif word in ONLY:
                denial, marked = -1, True
            at += 1
        taken = {place for part in self.parts for place in range(part.start, part.stop)}
        rest = [place for place in range(len(self.words)) if place not in taken]
        if any(self.words[place] in OR for place in rest):
            # Alternatives of unlike things ("after 2015 or from python.org") cannot be checked one by one.
            return []
        weighty = [place for place in rest if self.words[place] not in WEIGHTLESS]
        if denials and any(place > denials[0] for place in weighty):
            # "No PDFs about eels" refuses neither all PDFs nor all that is about eels.
            return []
        told = self.tells or any(map(self._states, range(len(self.words))))
        return [part.constraint for part in self.parts if part.sure or not (weighty or told)]

    def _soft(self) -> bool:
        """Whether it only prefers or permits, or sets a condition; "may" is a month before a number."""
        return any(
            word in SOFT or (word == "may" and not self._at(at + 1).isdigit()) for at, word in enumerate(self.words)
        )

    def _twice(self, denial: int, stop: int) -> bool:
        """Whether what is denied is denied again before the part at `stop`."""
        return any(word in DENIALS or word in ("leave", "leaving") for word in self.words[denial + 1 : stop])

    def _made(
        self, kind: Kind, start: int, stop: int, values: Sequence[str], denied: bool, *, sure: bool | None = None
    ) -> _Part:
        """The constraint that stands at tokens `start` to `stop`, told with the denial and the noun before it."""
        asked = self._of_sources(start) if sure is None else sure
        first, done = start, self.parts[-1].stop if self.parts else 0
        while first > done and self.words[first - 1] in LEADS:
            first -= 1
        while first < start and self.words[first] in WEAK:
            first += 1
        span = (self.tokens[first].start, self.tokens[stop - 1].end)
        constraint = Constraint(kind, self.instruction[slice(*span)], tuple(values), denied, (span,))
        return _Part(constraint, first, stop, asked)

    def _at(self, place: int) -> str:
        return self.words[place] if 0 <= place < len(self.words) else ""

    def _ends(self, place: int) -> bool:
        """Whether what stands before `place` may end there, so that 2015 is no number of something, and nothing is told of it."""
        return place >= len(self.words) or self.words[place] in FOLLOW or self.tokens[place].joined

    def _led(self, at: int) -> int:
        """Where the words begin that may part a noun from what is asked of it ("that were published", "but not")."""
        done = self.parts[-1].stop if self.parts else 0
        at -= at > done and self.words[at - 1] in ("under", "inside", "within", "below", "at")
        while at > done and self.words[at - 1] in LINKS | ONLY | DENIALS | PUBLISHED:
            if self._states(at - 1):
                break
            at -= 1
        return at

    def _states(self, at: int) -> bool:
        """Whether a verb at `at` says something: "what article was published in 1937", but not "what was published"."""
        return self.words[at] in STATED and self._at(at - 1) not in ("that", "which", "what")

    def _of_sources(self, at: int, nouns: frozenset[str] = SOURCES) -> bool:
        """Whether a word for sources, of which nothing is told, stands before `at`; or a part of which that holds."""
        led = self._led(at)
        if self.parts and led == self.parts[-1].stop:
            return self.parts[-1].sure
        return led > 0 and self.words[led - 1] in nouns and not self._told_of(led - 1)

    def _told_of(self, at: int) -> bool:
        """Whether what stands at `at` is a subject: "about papers since 2010", but not "look for papers since 2010"."""
        return any(word in SUBJECT and self._at(place - 1) not in OPENERS for place, word in enumerate(self.words[:at]))

    def _dated(self, at: int) -> bool:
        """Whether the time at `at` is one of publication: after a word for sources, for publishing, or another such date."""
        led = self._led(at)
        if any(word in PUBLISHED for word in self.words[led : at + 1]):
            return True
        if self.parts and led == self.parts[-1].stop and self.parts[-1].constraint.kind == "date":
            return True
        return self._of_sources(at, SOURCES - UNDATED)

    def _denied_at(self, at: int) -> bool:
        """Whether the denial stands right before `at`: "not before 2015", but not "not name a year before 2015"."""
        while at and self.words[at - 1] in ONLY | {"from", "published", "dated", "anything", "everything"}:
            at -= 1
        return bool(at) and self.words[at - 1] in DENIALS

    def _listed(self, at: int, kind: Callable[[str], str]) -> tuple[list[str], int]:
        """What stands at `at` and goes on after "or", "and", or a comma: "a.org, b.org or from c.org"; and where it ends."""
        found, stop = [kind(self._at(at))], at + 1
        while stop < len(self.words):
            place = stop + (self.words[stop] in JOINTS)
            if place == stop and not self.tokens[stop].joined:
                break
            place += self._at(place) in FROM
            if not (further := kind(self._at(place))):
                break
            found.append(further)
            stop = place + 1
        return list(dict.fromkeys(found)), stop

    def _day(self, at: int) -> tuple[Days, int] | None:
        """A date at `at`, and where it ends."""
        for article in (("the",), ("year", "سال", "سنة", "عام")):
            at += self._at(at) in article
        word = self._at(at)
        if (decade := DECADE.fullmatch(word)) and (begun := days_of(decade[1])):
            return Days(begun.first, begun.last.replace(year=begun.first.year + 9)), at + 1
        if found := days_of(word):
            return found, at + 1
        pieces = [word, self._at(at + 1), self._at(at + 2)]
        if month_of(pieces[0]) and pieces[1].isdigit() and pieces[2].isdigit():
            written, stop = f"{pieces[2]}-{month_of(pieces[0])}-{pieces[1]}", at + 3
        elif pieces[0].isdigit() and month_of(pieces[1]) and pieces[2].isdigit():
            written, stop = f"{pieces[2]}-{month_of(pieces[1])}-{pieces[0]}", at + 3
        elif month_of(pieces[0]) and pieces[1].isdigit():
            written, stop = f"{pieces[1]}-{month_of(pieces[0])}", at + 2
        else:
            return None
        days = days_of(written)
        return (days, stop) if days else None

    def _date(self, at: int, denied: bool) -> _Part | None:
        read = self._bound(at) or self._stretch(at) or self._age(at)
        if read is None:
            return self._side(at, denied)
        first, last, stop = read
        if not self._ends(stop) or first.year > self.today.year + 1:
            return None
        lower = (last == FAR_FUTURE and not denied) or (first == FAR_PAST and denied and self._denied_at(at))
        if not lower and not self._dated(at):
            return None
        published = self._published(at)
        # "News in 2020" may as well have been made as published then.
        loose = self.words[at] in ("in", "of", "during") and not published
        sure = not loose and self._of_sources(at, SOURCES if published else SOURCES - UNDATED)
        return self._made("date", at, stop, _days(first, last), denied, sure=sure)

    def _published(self, at: int) -> bool:
        return any(word in PUBLISHED for word in self.words[self._led(at) : at + 1])

    def _side(self, at: int, denied: bool) -> _Part | None:
        """Of "pre-2010 sources", "post-2015 studies"."""
        side = SIDE_OF.fullmatch(self._at(at))
        days = days_of(side[2]) if side else None
        if not side or not days or self._at(at + 1) not in SOURCES - UNDATED or not self._ends(at + 2):
            return None
        early = side[1] == "pre"
        first = FAR_PAST if early else days.last + timedelta(days=1)
        last = days.first - timedelta(days=1) if early else FAR_FUTURE
        sure = not self._told_of(at)
        return self._made("date", at, at + 2, _days(first, last), denied, sure=sure)

    def _bound(self, at: int) -> tuple[date, date, int] | None:
        """Of "after 2015", "since 2015", "2015 or later", "before 2010", "until 2010": first day, last day, end."""
        word, following, third = self._at(at), self._at(at + 1), self._at(at + 2)
        if found := CJK_SINCE.match(word):
            days = days_of(found[1])
            return (days.first, FAR_FUTURE, at + 1) if days and word[-1] in "后来起" else None
        if (day := self._day(at)) and self._at(day[1]) in ("or", "and"):
            more = self._at(day[1] + 1)
            if more in LATER:
                return day[0].first, FAR_FUTURE, day[1] + 2
            if more in EARLIER:
                return FAR_PAST, day[0].last, day[1] + 2
        if word == "from" and (day := self._day(at + 1)) and self._at(day[1]) in ("on", "onwards", "onward"):
            return day[0].first, FAR_FUTURE, day[1] + 1
        if word in SINCE or (word == "از" and following == "سال"):
            day = self._day(at + 1)
            return (day[0].first, FAR_FUTURE, day[1]) if day else None
        skip = 2 if (word, following) in (("بعد", "از"), ("بعد", "من"), ("prior", "to"), ("up", "to")) else 1
        if following == "than":
            skip = 2
            if word not in ("newer", "later", "younger", "older", "earlier"):
                return None
        if (word, following, third) == ("more", "recent", "than"):
            word, skip = "newer", 3
        day = self._day(at + skip)
        if day is None:
            return None
        days, stop = day
        if word in AFTER or (word in ("newer", "later", "younger") and skip > 1):
            return days.last + timedelta(days=1), FAR_FUTURE, stop
        if word == "before" or word == "prior" or (word in ("older", "earlier") and skip > 1):
            return FAR_PAST, days.first - timedelta(days=1), stop
        if word in ("until", "till") or (word == "up" and skip == 2):
            return FAR_PAST, days.last, stop
        return None

    def _stretch(self, at: int) -> tuple[date, date, int] | None:
        """Of "between 2010 and 2015", "from 2010 to 2015", "in 2015", "dated 2015"."""
        word = self._at(at)
        if word not in ("between", "from", "in", "during", "of", "dated"):
            return None
        day = self._day(at + 1)
        if day is None:
            years = re.fullmatch(r"(\d{4})[-–—](\d{4})", self._at(at + 1))
            ends = [days_of(years[1]), days_of(years[2])] if years else []
            if len(ends) == 2 and ends[0] and ends[1] and ends[0].first <= ends[1].last:
                return ends[0].first, ends[1].last, at + 2
            return None
        first, stop = day
        if self._at(stop) in JOINTS and self._at(stop + 1) in LATER | EARLIER:
            return None
        joint = {"between": ("and",), "from": ("to", "until", "till", "through", "-", "–")}.get(word, ())
        if self._at(stop) in joint and (second := self._day(stop + 1)):
            return (first.first, second[0].last, second[1]) if first.first <= second[0].last else None
        return None if word == "between" else (first.first, first.last, stop)

    def _age(self, at: int) -> tuple[date, date, int] | None:
        """Of "the last 5 years", "older than 5 years", "less than two years old"."""
        word, place = self._at(at), at + 1
        denied = False
        if word in ("older", "newer", "younger", "less") and self._at(at + 1) == "than":
            place, denied = at + 2, word == "older"
        elif word not in ("last", "past"):
            return None
        said = self._at(place)
        count = int(said) if said.isascii() and said.isdigit() and len(said) < 4 else NUMBERS.get(said, 0)
        place += bool(count)
        unit = AGES.get(self._at(place))
        if unit is None or not (count or word in ("last", "past")):
            return None
        place += 1
        if self._at(place) in ("old", "ago"):
            place += 1
        elif word == "less":
            return None
        try:
            first = self.today - timedelta(days=round(unit * (count or 1)))
        except OverflowError:
            return None
        # "Older than five years" is the denial of "newer": "not older than" then asks for the newer ones.
        return (FAR_PAST, first - timedelta(days=1), place) if denied else (first, FAR_FUTURE, place)

    def _place(self, at: int, denied: bool) -> _Part | None:
        """Of hosts and folders: "from docs.python.org", "files under guide/"."""
        before = self._at(at - 1)
        if (host := host_of(self._at(at))) and self._asks_for_host(at, before, host):
            hosts, stop = self._listed(at, host_of)
            if self._at(stop) in SOURCES or self._ends(stop):
                return self._made("host", at, stop, hosts, denied)
            return None
        said = self.instruction[self.tokens[at].start : self.tokens[at].end]
        if said.endswith("/") and len(said) > 1 and "://" not in said and self._ends(at + 1) and before in (
            "under", "in", "inside", "within", "below", "from"
        ):  # fmt: skip
            return self._made("path", at, at + 1, [said.strip("/").removeprefix("./") + "/"], denied)
        return None

    def _asks_for_host(self, at: int, before: str, host: str) -> bool:
        """Whether a host is where sources are; "reports on a.org" may be about it."""
        if before == "on":
            return self._led(at) == 0 or self._at(self._led(at) - 1) in listed(
                "page pages post posts file files article articles"
            )
        if before in ("from", "at", "under", "in", "inside", "within", "below") or self._at(at).startswith("site:"):
            return True
        return before in ONLY | DENIALS and PLAIN_HOST.fullmatch(host) is not None

    def _language(self, at: int, denied: bool) -> _Part | None:
        """Of "in German", "German or French sources", "German only"."""
        if self._at(at) in IN and language_of(self._at(at + 1)):
            codes, stop = self._listed(at + 1, language_of)
            return self._made("language", at, stop, codes, denied) if self._ends(stop) else None
        if not language_of(self._at(at)):
            return None
        codes, stop = self._listed(at, language_of)
        after = self._at(stop)
        if after in SPOKEN and self._free(at):
            stop += 1 + (after == "language" and self._at(stop + 1) in SOURCES)
            if not self._ends(stop):
                return None
            # "Learning the Korean language" asks for no language of sources.
            sure = self.words[stop - 1] in SOURCES and not self._told_of(at)
            return self._made("language", at, stop, codes, denied, sure=sure)
        if after in ONLY and stop + 1 == len(self.words):
            return self._made("language", at, stop + 1, codes, denied, sure=False)
        return None

    def _free(self, at: int) -> bool:
        """Whether the adjective at `at` is of no phrase that began before: "in German papers", but "limit to German papers"."""
        if at == 0 or self._at(at - 2) in OPENERS:
            return True
        return self.words[at - 1] in FILLERS - BESIDE

    def _length(self, at: int, denied: bool) -> _Part | None:
        """Of "pages of at most 100 words", "documents with more than 500 words"; without a noun it may be the answer's length."""
        joined = f"{self._at(at)} {self._at(at + 1)}"
        upper = joined in ("at most", "up to", "fewer than", "less than", "shorter than", "no more")
        lower = joined in ("at least", "more than", "longer than")
        place = at + 2
        if self._at(at) in ("under", "below") and not upper:
            upper, place = True, at + 1
        if self._at(at) in ("over", "above"):
            lower, place = True, at + 1
        if not upper and not lower:
            return None
        if joined == "no more" and self._at(place) == "than":
            place += 1
        said = self._at(place)
        if not (said.isascii() and said.isdigit() and len(said) < 7 and self._at(place + 1) == "words"):
            return None
        before = at
        while before and self.words[before - 1] in ("of", "with", "that", "are", "have", "is", "has", "which", "not"):
            before -= 1
        noun = self.words[before - 1] if before else ""
        if noun not in SOURCES or noun.startswith(("passage", "text")) or not self._ends(place + 2):
            return None
        strict = joined in ("fewer than", "less than", "shorter than", "more than", "longer than") or place == at + 1
        count = int(said)
        bounds = ("", str(count - strict)) if upper else (str(count + strict), "")
        return self._made("length", at, place + 2, bounds, denied, sure=not self._told_of(before - 1))

    def _type(self, at: int, denied: bool) -> _Part | None:
        """Of "PDFs only", "only PDFs or Markdown files", "no HTML"."""
        if not type_of(self._at(at)):
            return None
        types, stop = self._listed(at, type_of)
        named = self._at(stop) in SOURCES
        if "text" in types and self._at(stop) not in ("file", "files"):
            return None
        before = self._at(at - 1)
        plural = named or self._at(stop - 1) == "pdfs"
        stop += named
        if self._at(stop) in ONLY:
            stop += 1
        elif not (before in ONLY | DENIALS or (named and denied)):
            return None
        if not self._ends(stop):
            return None
        return self._made("type", at, stop, types, denied, sure=plural and not self._told_of(at))


def _days(first: date, last: date) -> tuple[str, str]:
    return "" if first == FAR_PAST else first.isoformat(), "" if last == FAR_FUTURE else last.isoformat()
