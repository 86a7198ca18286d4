"""Questions that one statement of fact answers whole: amounts, definitions, dates, places, makers. English only."""

from __future__ import annotations

import re
from collections.abc import Iterator

from searchinstruct_graph.models.offline.pairs.phrases import OWN, Found, is_many, names_itself, telling, trim

_MEASURE = (
    "prevalence|incidence|frequency|rate|sensitivity|specificity|accuracy|mortality|survival|proportion"
    "|percentage|risk|cost|price|population|area"
    "|height|length|weight|size|capacity|speed|temperature|distance|depth|width|density|age|limit|salary|budget"
    "|number|duration|amount"
    "|boiling point|melting point|half-life|value|yield|dose|dosage|lifespan|life span|life expectancy|output"
    "|range|level|concentration|ratio"
)

_AMOUNT = re.compile(
    rf"^((?:the )?(?:[\w-]+ ){{0,4}}(?:{_MEASURE})(?:s|es)?(?: (?:of|for|in|to|from|between|per|at) .+?)?) (is"
    r"|are|was|were) (?:about |approximately |around |estimated at |estimated to be |only |just |between "
    r"|roughly |over |under |up to |nearly |almost |less than |more than )*"
    r"([$€£¥]?\d.*)$",
    re.IGNORECASE,
)

_SHARE = re.compile(
    r"^(?:about |approximately |around |nearly |almost |only |over |more than |less than |up to"
    r" )?(\d+(?:\.\d+)? ?%|(?:\d+(?:\.\d+)?|[a-z]+(?:[- ][a-z]+)?) (?:percent|per cent)) of (?:the )?(.+?)"
    r" (have|had|are|were|was|is|live|use|receive|[a-z]+ed(?! (?:with|by|for|in|to|at|as)\b)) (.+)$",
    re.IGNORECASE,
)

_OUT_OF = re.compile(
    r"^(?:only |in total )?\d+ (?:of|out of|/) ?(?:the )?\d+ (.+?) (had|were|was|[a-z]+ed(?! (?:with|by|for|in"
    r"|to|at|as)\b)) (.+)$",
    re.IGNORECASE,
)

_COSTS = re.compile(
    r"^(.+?) (?:often |sometimes |commonly |typically |usually |generally |normally |can |may |will |should |on"
    r" average |actually )*(cost|costs|take|takes|last|lasts|weigh|weighs) (?:about |approximately |around "
    r"|between |from |up to |anywhere from |at least |only |roughly |an average of |less than |more than"
    r" )*([$€£¥]?\d[\w.,$%-]*)(.*)$"
)


def _amount(body: str) -> Iterator[Found]:
    if found := _AMOUNT.match(body):
        subject, verb, _ = found.groups()
        if (
            telling(subject) >= (3 if verb in ("was", "were") else 2)
            and not OWN.search(subject)
            and names_itself(re.sub(r"^the ", "", subject, flags=re.I), 16)
        ):
            named = subject if re.match(r"(?:the|an?) ", subject, re.IGNORECASE) else f"the {subject}"
            if is_many(subject) == (verb in ("are", "were")):
                yield Found(f"what {verb} {named}?", "remember", 1.0)
    elif found := _SHARE.match(body):
        _, of, verb, rest = found.groups()
        rest = trim(rest.split(" versus ")[0])
        if (
            telling(of) + telling(rest) >= (3 if verb in ("have", "are", "is", "live", "use", "receive") else 4)
            and not OWN.search(f"{of} {rest}")
            and telling(of) >= 1
            and "," not in of
            and len(of.split()) <= 8
            and len(rest.split()) <= 14
            and rest
        ):
            yield Found(f"what percentage of {of} {verb} {rest}?", "remember", 0.95)
    elif found := _OUT_OF.match(body):
        of, verb, rest = found.groups()
        rest = trim(rest.split(" versus ")[0])
        if telling(of) + telling(rest) >= 3 and not OWN.search(f"{of} {rest}") and len(rest.split()) <= 12 and rest:
            yield Found(f"what percentage of {of} {verb} {rest}?", "remember", 0.9)
    elif found := _COSTS.match(body):
        subject, verb, _, rest = found.groups()
        if not names_itself(subject):
            return
        base = verb.rstrip("s") if verb != "lasts" else "last"
        helper = "do" if is_many(subject) else "does"
        to = re.search(r" (to [a-z]+ .+)$", rest)
        if base == "take":
            if to and telling(to.group(1)):
                yield Found(f"how long {helper} {subject} take {trim(to.group(1))}?", "remember", 0.9)
            elif re.match(r"[\w –-]*(?:second|minute|hour|day|week|month|year)s?\b", f"{found.group(3)}{rest}"):
                yield Found(f"how long {helper} {subject} take?", "remember", 0.95)
        elif base == "last":
            yield Found(f"how long {helper} {subject} last?", "remember", 0.95)
        else:
            yield Found(f"how much {helper} {subject} {base}?", "remember", 0.95)


# Things and people: what they are, when, where, who.

_IS_A = re.compile(
    r"^(.+?) (is|are|was|were) (?:(?:currently|now) )?(?:(?:believed|considered|thought|known) to be )?((?:an?"
    r"|the|one of|any)\b.+)$"
)

_PERSON = re.compile(
    r"\b(?:actor|actress|singer|songwriter|musician|rapper|politician|writer|author|novelist|poet|painter"
    r"|artist|scientist|physicist|chemist|biologist"
    r"|mathematician|engineer|inventor|footballer|player|coach|athlete|swimmer|boxer|wrestler|director|producer"
    r"|comedian|businessman|businesswoman|entrepreneur|lawyer|judge|general|king|queen|emperor|president"
    r"|prime minister|senator|governor|explorer|philosopher|composer|journalist|model|dancer|presenter"
    r"|character|wife|husband|son|daughter|prince|princess|monarch|leader|activist|soldier|commander|governor"
    r"|saint|pope|economist|historian|judge|monk|nurse|physician|doctor|surgeon|soldier|officer|star|friend"
    r"|driver|quarterback|pitcher|host|chef|teacher|professor|nurse|athlete|guitarist|drummer|vocalist|deity"
    r"|god|goddess)s?\b",
    re.IGNORECASE,
)

_BRACKETS = re.compile(r"\s*(?:\([^()]*\)|/[^/]{2,40}/)")

_MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"

_DATE = (
    rf"(?:(?:early|late|mid|about|around|the) ?-?)?(?:(?:\d{{1,2}}(?:st|nd|rd|th)? )?(?:{_MONTH})\b.*|(?:1\d"
    rf"|20)\d\ds?\b.*|\d{{1,4}} (?:BC|AD|BCE|CE)\b.*|\d{{1,2}}(?:st|nd|rd|th) century\b.*)"
)

_DONE = (
    "released|founded|established|built|opened|published|created|introduced|launched|signed|adopted|completed"
    "|invented|discovered|formed|written|recorded|composed|designed|directed|developed"
    "|produced|constructed|filmed|shot|passed|ratified|enacted|abolished|closed|demolished|destroyed|elected"
    "|appointed|crowned|inaugurated|killed|assassinated|married|signed|held|fought|played|performed|broadcast"
    "|aired|shown"
    "|awarded|named|renamed|granted|made|won|started|first used|first published|first released|described|first"
    " described|proposed|first introduced|discontinued|dissolved|annexed|conquered"
)

_WHEN = re.compile(
    r"^(.+?),? (is|was|were|are) (?:originally |officially |formally |initially |also |finally |then )?(first"
    rf" )?({_DONE}|born)\b(.*?) (?:in|on|by|during|around) ({_DATE})$"
)

_WHO = re.compile(
    rf"^(.+?),? (is|was|were|are) (?:originally |officially |first |also )?({_DONE})(?: and \w+)? by ((?:the |a"
    r" |an )?[A-Z].+)$"
)

_HAPPENED = re.compile(
    r"^(.+?) (premiered|aired|began|ended|opened|died|took place|occurred|started|debuted|closed|expired"
    rf"|retired|(?:became|entered|joined|won)(?: [\w'’-]+){{1,7}})(?: (?:at|on|in) [A-Z][\w ]{{2,40}}?)? (?:in"
    rf"|on) ({_DATE})$"
)

_HAPPEN = {
    "premiered": "premiere",
    "aired": "air",
    "began": "begin",
    "ended": "end",
    "opened": "open",
    "died": "die",
    "took place": "take place",
    "occurred": "occur",
    "started": "start",
    "debuted": "debut",
    "closed": "close",
    "expired": "expire",
    "retired": "retire",
    "became": "become",
    "entered": "enter",
    "joined": "join",
    "won": "win",
}

_PAST = {
    "written": "wrote",
    "shot": "shot",
    "won": "won",
    "held": "held",
    "fought": "fought",
    "built": "built",
    "made": "made",
    "shown": "showed",
    "broadcast": "broadcast",
    "first used": "first used",
}

_WHERE = re.compile(
    r"^(.+?),? (is|are|was|were) (?:\w+ly )?(located|situated|headquartered|based|buried|filmed|shot|held|found"
    r"|born) (?:primarily |mainly |mostly |only |naturally )?(?:in|at|near|between|along|within|throughout"
    r"|about \d|north|south|east|west) ?(.*)$"
)

_MEANS = re.compile(r"^(.+?) (means|refers to|stands for|is short for|is defined as|are defined as|denotes) (.+)$")

_ORIGIN = re.compile(
    r"^(?:the )?(?:name|term|word|phrase|title|expression)s? (?:of )?(?P<what>.+?)? ?(?:comes|derives"
    r"|originates|originated|is derived|was derived|came|derived) from (.+)$",
    re.IGNORECASE,
)

_MANY = re.compile(
    r"^(.+?) (has|have|had|contains?|contained|consists? of|consisted of|includes?|comprises?|comprised) (?:a"
    r" total of |about |approximately |around |over |more than |exactly |at least )?(\d{1,3}(?:,\d{3})*|two"
    r"|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|twenty|thirty"
    r"|forty|fifty|hundreds of|thousands of) ((?:[a-z-]+ ){0,3}?[a-z-]+s|people|children|men|women)\b(.*)$"
)

_ALSO_CALLED = re.compile(
    r", (?:also|or|formerly|sometimes|commonly|known|often|officially|abbreviated|better)\b", re.IGNORECASE
)

_NO_DEFINITION = re.compile(
    r"the (?:only|same|case|reason|result|first|last|second|most (?:common|popular|frequent|important)|\w+er of)\b"
    r"|(?:the|one of the) (?:[\w-]+ ){0,4}(?:complications?|causes?|reasons?|problems?|treatments?|methods?"
    r"|choice|standard|indications?|factors?|issues?|concerns?)\b|(?:the|one of the) (?:\w+"
    r" ){0,2}(?:predictors?|causes?|factors?|reasons?)\b"
    r"|an? (?:[\w-]+ )?(?:significant|good|common|important|major|useful|key|safe|possible|poor|strong|powerful"
    r"|reliable|valuable|feasible"
    r"|effective|promising|well-known|frequent)\b|an? (?:[\w-]+ )*(?:predictor|marker|risk factor|alternative"
    r"|challenge|problem|concern)\b"
)

_HEAD_ENDS = re.compile(r"\b(?:by|of|in|for|from|who|that|which|with|to|performed|written|directed|sung|released)\b|,")


def _definition(body: str) -> Iterator[Found]:
    found = _IS_A.match(body)
    if not found:
        return
    raw, verb, what = found.groups()
    quoted = re.fullmatch(r'["“][^"“”]{2,80}["”]', raw.strip())
    subject = _named_thing(raw)
    if not (quoted or names_itself(subject, 8)) or len(what.split()) < 4 or _NO_DEFINITION.match(what):
        return
    large = bool(re.match(r"(?:the )?[\"“A-Z]", subject))
    if subject.startswith("the ") and not large and telling(subject) < 2:
        return
    if verb in ("was", "were") and not large:
        # What was so in one study is no definition.
        return
    person = bool(_PERSON.search(_HEAD_ENDS.split(what)[0]) or re.search(r"\(born\b", raw)) and subject[0].isupper()
    if " and " in subject and not person and (verb in ("is", "was") or large):
        return
    yield Found(f"{'who' if person else 'what'} {verb} {subject}?", "remember", 1.0 if len(what.split()) >= 6 else 0.8)


def _named_thing(raw: str) -> str:
    """A subject without brackets, other names and what stands between commas: "the X (Y), founded in Z," is the X."""
    subject = _BRACKETS.sub("", raw).strip()
    if subject.endswith(","):
        subject = subject.split(", ")[0]
    return _ALSO_CALLED.split(subject)[0].strip(" ,")


def _event(body: str) -> Iterator[Found]:
    if found := _WHEN.match(body):
        raw, verb, first, done, between, _ = found.groups()
        subject, between = _named_thing(raw), _BRACKETS.sub("", between).strip(" ,")
        where = "" if between.startswith(("in ", "on ")) else between
        if (
            names_itself(subject, 10)
            and len(between.split()) <= 9
            and not OWN.search(between)
            and "," not in between
            and not re.search(r"\b(?:but|and|until|after|which|that)\b", between)
            and (subject[0].isupper() or telling(subject) >= 2 or subject.startswith('"'))
        ):
            yield Found(
                f"when {verb} {subject} {first or ''}{done} {where}".rstrip() + "?",
                "remember",
                1.0,
            )
    if found := _WHO.match(body):
        raw, _, done, who = found.groups()
        subject = _named_thing(raw)
        if names_itself(subject, 10) and re.match(
            r"(?!(?:the )?(?:Article|Act|Treaty|Law|Section|Public|Constitution))(?:the |a |an )?[A-Z][\w'’.-]+ [A-Z]",
            who,
        ):
            yield Found(f"who {_PAST.get(done, done)} {subject}?", "remember", 1.0)
    if found := _HAPPENED.match(body):
        raw, happened, _ = found.groups()
        subject = _named_thing(raw)
        first, _, rest = happened.partition(" ")
        verb = _HAPPEN.get(happened) or f"{_HAPPEN[first]} {rest}"
        if names_itself(subject, 9) and (subject[0].isupper() or telling(subject) >= 2):
            yield Found(f"when did {subject} {verb}?", "remember", 1.0)
    if (found := _WHERE.match(body)) and len(found.group(4).split()) >= 1:
        raw, verb, how, rest = found.groups()
        subject = _named_thing(raw)
        if how == "found" and verb in ("was", "were"):
            return
        known = (
            how not in ("found", "held", "based", "shot", "filmed", "born")
            or rest[:1].isupper()
            or rest.lower().startswith("the ")
        )
        if (
            names_itself(subject, 8)
            and known
            and not re.match(_DATE, rest)
            and telling(subject) >= (2 if subject[0].islower() and how == "found" else 1)
        ):
            yield Found(f"where {verb} {subject} {how}?", "remember", 0.9)
    if found := _MEANS.match(body):
        raw, verb, rest = found.groups()
        subject = _named_thing(raw)
        if (
            names_itself(re.sub(r"^the (?:term|word|phrase|acronym|abbreviation) ", "", subject), 7)
            and len(rest.split()) >= 2
        ):
            if verb == "means" and rest.startswith("that "):
                return
            base = {"means": "mean", "stands for": "stand for", "is short for": "stand for", "denotes": "denote"}.get(
                verb
            )
            if base:
                if verb == "means" and not re.match(r"(?:an?|the|to|not|[\"“'`]|\w+ing)\b|[\"“'`]", rest):
                    return
                yield Found(f"what does {subject} {base}?", "remember", 0.95)
            elif verb.startswith("refers"):
                yield Found(f"what does {subject} refer to?", "remember", 0.95)
            elif telling(subject) >= 2 or subject[0].isupper():
                yield Found(f"how {verb.split()[0]} {subject} defined?", "remember", 0.95)
    if (
        (found := _ORIGIN.match(body))
        and (what := (found.group("what") or "").strip(" '\"“”‘’"))
        and names_itself(what.strip("\"“”'"), 6)
    ):
        noun = re.match(r"(?:the )?(\w+)", body, re.IGNORECASE)
        yield Found(
            f"where does the {noun.group(1).lower() if noun else 'name'} {what.strip()} come from?", "remember", 0.95
        )
    if found := _MANY.match(body):
        raw, verb, _, things, rest = found.groups()
        subject = _named_thing(raw)
        if (
            names_itself(subject, 9)
            and telling(things) >= 1
            and things not in ("years", "times")
            and (subject[0].isupper() or telling(subject) >= 2)
        ):
            helper = (
                "did"
                if verb in ("had", "contained", "consisted of", "comprised")
                else "do"
                if is_many(subject)
                else "does"
            )
            base = (
                "have"
                if verb in ("has", "have", "had")
                else verb.replace("consists", "consist")
                .replace("consisted", "consist")
                .removesuffix("ed" if verb in ("contained", "comprised") else "s")
            )
            base = {"compris": "comprise"}.get(base, base)
            yield Found(f"how many {things} {helper} {subject} {base}?", "remember", 0.9)


FACTS = (_amount, _event, _definition)
"""The rules: each gives the questions that one statement answers."""
