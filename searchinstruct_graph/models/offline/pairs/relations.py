"""Questions that one finding answers whole: differences, associations, effects, comparisons, risks. English only."""

from __future__ import annotations

import re
from collections.abc import Iterator

from searchinstruct_graph.models.offline.pairs.phrases import (
    OWN,
    THOSE,
    Found,
    is_many,
    names_itself,
    telling,
    trim,
    whole_phrase,
)

# Research: differences, associations, effects, comparisons, predictors, amounts.

_NOTED = (
    "found|observed|noted|seen|detected|identified|demonstrated|shown|evident|present|reported|determined(?!"
    " (?:using|by|with))"
)

_DEGREES = "(?:in)?significant|clear|strong|weak|positive|negative|inverse|direct|marked|substantial"

_NOUNS = (
    "differences?|correlations?|associations?|relationships?|interactions?|improvements?|increases?|decreases?"
    "|reductions?|changes?"
)

_OPENING = (
    rf"^(?:there (?:was|were|is|are) )?(?:no|a|an|any)? ?(?:statistically )?(?P<degree>(?:{_DEGREES})(?:"
    rf" (?:{_DEGREES}))?)? ?(?:statistical )?(?P<noun>{_NOUNS}) "
)

_DIFFERENCE = re.compile(
    rf"{_OPENING}(?P<about>(?:in|between|of|among|with) .+?)(?: (?:was|were|has been|have been|could be) (?:not"
    rf" )?(?:{_NOTED})\b.*)?$",
    re.IGNORECASE,
)

_DIFFERENCE_SEEN = re.compile(
    rf"{_OPENING}(?:was|were|has been|have been) (?:{_NOTED}) "
    r"(?P<about>(?:in|between|among|with|regarding|with regard to|with respect to) .+)$",
    re.IGNORECASE,
)

_SEEN = re.compile(rf"\b(?:{_NOTED})\b")


def _difference(body: str) -> Iterator[Found]:
    found = _DIFFERENCE_SEEN.match(body) or _DIFFERENCE.match(body)
    if not found or not (body.lower().startswith("there ") or _SEEN.search(body)):
        return
    degree, noun = found["degree"], found["noun"]
    about = trim(re.sub(r"^(?:regarding|with regard to|with respect to) ", "in ", found["about"]))
    if (
        not about
        or OWN.search(THOSE.sub("", about))
        or telling(about) < 3
        or len(about.split()) > 22
        or " when " in about
    ):
        return
    if noun.startswith(("diff", "correl", "assoc", "relation")) and not re.search(r"\b(?:between|among|with)\b", about):
        return
    plural = noun.endswith("s")
    middle = f"{degree} " if degree and not degree.lower().startswith("insig") else ""
    yield Found(f"{'are' if plural else 'is'} there {'' if plural else 'a '}{middle}{noun} {about}?", "analyze", 0.95)


_LINKED = re.compile(
    r"^(.+?) (?:is|are|was|were|has been|have been|remained) (not |also |strongly |only |all |inversely "
    r"|positively |negatively |independently |significantly |closely |still |found to be |each |\w+ly )*"
    r"(associated|correlated|related|linked) (with|to) (.+)$"
)

_CORRELATES = re.compile(
    r"^(.+?) (?:did not |does not |do not )?(?:\w+ly )?(correlate[sd]?|interact(?:s|ed)?) (?:\w+ly |\w+ly and"
    r" \w+ly )?with (.+)$"
)


def _association(body: str) -> Iterator[Found]:
    if found := _LINKED.match(body):
        one, _, how, word, other = found.groups()
        other = trim(other)
        if names_itself(one) and names_itself(other):
            verb = "are" if is_many(one) else "is"
            yield Found(f"{verb} {one} {how} {word} {other}?", "analyze", 0.95)
    elif found := _CORRELATES.match(body):
        one, verb, other = found.groups()
        other = trim(other)
        if names_itself(one) and names_itself(other):
            plain_verb = "correlate" if verb.startswith("correl") else "interact"
            yield Found(f"{'do' if is_many(one) else 'does'} {one} {plain_verb} with {other}?", "analyze", 0.95)


EFFECTS = {
    past: base
    for base, past in (
        pair.split(":")
        for pair in """
        increase:increased decrease:decreased reduce:reduced improve:improved enhance:enhanced inhibit:inhibited prevent:prevented
        attenuate:attenuated induce:induced promote:promoted suppress:suppressed lower:lowered impair:impaired
        delay:delayed accelerate:accelerated affect:affected influence:influenced cause:caused alter:altered diminish:diminished
        abolish:abolished stimulate:stimulated modulate:modulated worsen:worsened facilitate:facilitated restore:restored
        minimize:minimized eliminate:eliminated trigger:triggered weaken:weakened strengthen:strengthened shorten:shortened
        prolong:prolonged protect:protected
        """.split()
    )
}

FORMS = "|".join(sorted({form for past, base in EFFECTS.items() for form in (past, base, f"{base}s")}, key=len)[::-1])

_EFFECT = re.compile(
    rf"^(.+?) ((?:(?:may|can|could|might|will|would|did|does|do) )?(?:not )?)(?:\w+ly )?({FORMS})"
    r" (?!according\b|by\b|from\b|to\b|in\b|with\b|after\b|for\b|over\b|at\b|when\b|and\b|as\b)(.+)$"
)


def _effect(body: str) -> Iterator[Found]:
    found = _EFFECT.match(body)
    if not found:
        return
    subject, helper, form, rest = found.groups()
    verb = EFFECTS.get(form) or (form if form in EFFECTS.values() else form[:-1])
    touched = trim(rest)
    if re.search(rf" and (?:\w+ly )?(?:{FORMS})\b", touched):
        return
    if not names_itself(subject) or not 1 <= len(touched.split()) <= 14 or OWN.search(touched) or not touched:
        return
    if not helper and form == verb and not is_many(subject):
        # "the increase" and "the cause" are nouns.
        return
    helping = "do" if is_many(subject) else "does"
    if re.match(r"no |an? (?:\w+ly )?(?:higher|lower|greater|more|less|larger|smaller)\b", touched):
        return
    if verb in ("cause", "trigger", "prevent", "eliminate", "induce") or "not" in helper or telling(touched) < 1:
        yield Found(f"{helping} {subject} {verb} {touched}?", "analyze", 0.9)
    else:
        yield Found(
            f"what effect {helping} {subject} have on {_whole_phrase(touched)}?",
            "analyze",
            0.95 if names_itself(touched) else 0.6,
        )


def _whole_phrase(text: str) -> str:
    return re.split(r" (?:by|from) (?=\d|\w+ (?:percent|%|to))", text)[0]


_COMPARED = re.compile(
    r"^(.+?) (?:is|are|was|were) (not )?((?:statistically |significantly |slightly |markedly |considerably "
    r"|much |generally |usually |substantially |\w+ly )?(?:more|less) [\w-]+(?:ly)?(?: \w+)?|(?:\w+ly"
    r" )?(?:higher|lower|greater|longer|shorter|better|worse|larger"
    r"|smaller|faster|slower|stronger|weaker|older|younger|superior|inferior|cheaper|safer|easier))"
    r" (.*?)\b(than|compared (?:with|to)|to|versus) (.+)$"
)


def _comparison(body: str) -> Iterator[Found]:
    found = _COMPARED.match(body)
    if not found:
        return
    subject, _, degree, where, joint, other = found.groups()
    degree = re.sub(r"^\w+ly ", "", degree)
    if joint == "to" and not degree.endswith(("superior", "inferior")):
        return
    where, other = where.strip(), trim(other)
    if (
        not names_itself(subject)
        or not 1 <= len(other.split()) <= 12
        or OWN.search(THOSE.sub("", f"{where} {other}"))
        or "(" in where
    ):
        return
    verb = "are" if is_many(subject) else "is"
    middle = f"{where} " if where else ""
    yield Found(
        f"{verb} {subject} {degree} {middle}{'compared with' if joint.startswith('comp') else joint} {other}?",
        "evaluate",
        0.95,
    )


_HIGHER_IN = re.compile(
    r"^(?:only )?(.+?) (?:is|are|was|were) (?:not )?(?:\w+ly )*((?:more|less) [\w-]+|higher|lower|greater"
    r"|longer|shorter|better|worse|larger|smaller|faster|slower|elevated|increased|decreased|reduced|common"
    r"|rare) (in|for|among|with|after|when|during) (.+)$"
)

_AGAINST = re.compile(
    r"^(.+?) (?:was|were|is|are) [^ ]*\d[^,;]*? (for|in|with|after) (.+?) (?:and|vs\.?|versus|compared (?:with"
    r"|to)) [^ ]*\d[^,;]*? (?:for|in|with|after) (.+)$"
)


def _higher(body: str) -> Iterator[Found]:
    if _COMPARED.match(body):
        return
    if found := _AGAINST.match(body):
        subject, joint, one, other = found.groups()
        other = trim(other)
        if (
            whole_phrase(subject)
            and names_itself(one)
            and names_itself(other)
            and telling(f"{subject} {one} {other}") >= 3
        ):
            yield Found(
                f"how {'do' if is_many(subject) else 'does'} {subject} compare between {one} and {other}?",
                "analyze",
                0.9,
            )
    elif found := _HIGHER_IN.match(body):
        subject, degree, joint, where = found.groups()
        where = trim(where)
        if (
            whole_phrase(subject)
            and where
            and not OWN.search(THOSE.sub("", where))
            and len(where.split()) <= 14
            and telling(f"{subject} {where}") >= 3
        ):
            yield Found(f"{'are' if is_many(subject) else 'is'} {subject} {degree} {joint} {where}?", "analyze", 0.85)


_PREDICTORS = re.compile(
    r"^(?:the )?((?:only |main |most important |strongest |significant |independent |possible |potential |major"
    r" |common )*(?:predictors?|risk factors?|determinants?|causes|reasons|indications?|complications|barriers"
    r"|advantages|disadvantages|benefits|symptoms|side effects|features|characteristics|components|functions"
    r"|goals|objectives|requirements|types|forms|stages|examples)) "
    r"((?:of|for|to|in) .+?) (?:may |can |often |usually |commonly |typically )*(?:is|are|was|were|include"
    r"|includes|included) (.+)$",
    re.IGNORECASE,
)

_PREDICT = re.compile(
    r"^(.+?) (?:is|are|was|were) (?:identified as |found to be |currently |now |also |the )*((?:only |main "
    r"|significant |independent "
    r"|strong |important |major |an? )*(?:predictors?|risk factors?|determinants?|causes?)) ((?:of|for) .+)$",
    re.IGNORECASE,
)


def _predictors(body: str) -> Iterator[Found]:
    if found := _PREDICTORS.match(body):
        noun, about, rest = found.groups()
        noun, about = noun.lower(), about.strip()
        if (
            telling(about) >= 1
            and not OWN.search(about)
            and "," not in about
            and len(rest.split()) >= 2
            and not _VERBAL_REST.match(rest)
        ):
            yield Found(f"what {'are' if noun.endswith('s') else 'is'} the {noun} {about}?", "analyze", 1.0)
    elif found := _PREDICT.match(body):
        subject, noun, about = found.groups()
        noun, about = re.sub(r"^(?:(?:an?|the|only) )+", "", noun.lower()), trim(about)
        if telling(about) >= 2 and telling(subject) >= 1 and not OWN.search(f"{subject} {about}"):
            plural = noun.endswith("s")
            yield Found(f"what {'are' if plural else 'is'} {'' if plural else 'a '}{noun} {about}?", "analyze", 0.9)


_VERBAL_REST = re.compile(
    r"(?:not |also |\w+ly )?(?:\w+ed|found|shown|seen|given|known|high|low|higher|lower|similar|different"
    r"|available|unknown|unclear)\b"
)

_ROLE = re.compile(
    r"^(.+?) (?:plays?|played|has|have|(?:may|might|can|could) (?:play|have)) an? (?:[\w-]+ )?role in (.+)$"
)

_DEPENDS = re.compile(
    r"^(.+?) (?:mainly |largely |also |strongly |only |primarily )?(?:(depends?|relies|rely) (?:mainly |largely"
    r" |strongly )?(on|upon)|(results?|arises?) (from)|(consists?) (of)) (.+)$"
)

_DIFFERS = re.compile(
    r"^(.+?) (?:did not differ|does not differ|do not differ|differ(?:ed|s)?|(?:is|are|was|were) (?:not"
    r" )?(?:\w+ly )?(?:different|similar|comparable))(?: \w+ly)? (between|among|from|in) (.+)$"
)

_LIKELY = re.compile(r"^(.+?) (?:is|are|was|were) (?:\w+ly )*((?:more|less|most|least) likely) to (.+)$")

_AT_RISK = re.compile(
    r"^(.+?) (?:is|are|was|were|have|had|has|suffered) (?:also )?(?:at )?(?:an? )?(?:\w+ly )?(increased|higher"
    r"|greater|lower|reduced|elevated|high|decreased) risk (of|for) (.+)$"
)

_PRESENT_IN = re.compile(
    r"^(.+?) (?:is|are|was|were) (present|found|seen|observed|detected|identified|diagnosed|noted|reported) in"
    r" (?:only )?\d[\d.,/% ]*(?:of (?:the )?(?:\d+ )?)?(?:\([^()]*\) )?(?:of (?:the )?(?:\d+ )?)?((?:patients"
    r"|women|men|children|cases|people|adults|infants|subjects) (?:with|who|undergoing|treated|receiving"
    r"|without) .+)$"
)

_CAN = re.compile(
    r"^(.+?) (can|may|could|might|should|must|cannot) (not )?(?!have\b|also have\b|include\b|vary\b)(?:also"
    r" )?([a-z]+ .+)$"
)

_VARY = re.compile(r"^(.+?) (?:vary|varies|varied) (?:\w+ly )?(by|with|according to|between|among|across) (.+)$")

_SHOWN = re.compile(
    r"^(.+?) (?:(?:has|have|had) been|is|are|was|were) (?:\w+ly )?(?:shown|found|reported|demonstrated|known"
    r"|believed|thought|proven|proved) to (.+)$"
    r"|^(.+?) (?:has|have) (?:proven|proved) to (.+)$"
)
_BELONGS = re.compile(
    r"^(.+?) (?:belongs|belong) to (?:a|the) (class|family|group|genus|order|category)( of [\w -]{3,40})?"
    r" (?:called|known as|named|of) (.+)$"
)

_WORKS = re.compile(r"^(.+?) (works?|function|functions) by (\w+ing .+)$")


def _more_relations(body: str) -> Iterator[Found]:
    if found := _DIFFERS.match(body):
        subject, how, other = found.group(1), found.group(2), trim(found.group(3))
        if (
            whole_phrase(subject)
            and 1 <= len(other.split()) <= 14
            and not OWN.search(THOSE.sub("", other))
            and telling(f"{subject} {other}") >= 2
        ):
            joint = "between" if how == "in" and re.match(r"(?!several|many|some).* and ", other) else how
            yield Found(f"{'do' if is_many(subject) else 'does'} {subject} differ {joint} {other}?", "analyze", 0.95)
    elif found := _LIKELY.match(body):
        subject, degree, what = found.group(1), found.group(2), trim(found.group(3))
        if (
            telling(body) >= 3
            and whole_phrase(subject, 16)
            and telling(what) >= 1
            and len(what.split()) <= 16
            and not OWN.search(THOSE.sub("", what))
        ):
            yield Found(f"{'are' if is_many(subject) else 'is'} {subject} {degree} to {what}?", "analyze", 0.95)
    elif found := _AT_RISK.match(body):
        subject, degree, joint, what = found.group(1), found.group(2), found.group(3), trim(found.group(4))
        if (
            telling(body) >= 3
            and whole_phrase(subject, 16)
            and telling(what) >= 1
            and not OWN.search(what)
            and len(what.split()) <= 12
        ):
            plural = is_many(subject) or subject.split()[0] in ("men", "women", "people", "children")
            yield Found(f"{'are' if plural else 'is'} {subject} at {degree} risk {joint} {what}?", "analyze", 0.95)
    elif found := _PRESENT_IN.match(body):
        subject, _, where = found.group(1), found.group(2), trim(found.group(3))
        if names_itself(subject) and telling(where) >= 1 and len(where.split()) <= 12 and not OWN.search(where):
            if re.search(r"\d", where):
                return
            yield Found(f"how common {'are' if is_many(subject) else 'is'} {subject} in {where}?", "remember", 0.9)
    elif found := _VARY.match(body):
        subject, joint, other = found.group(1), found.group(2), trim(found.group(3))
        if (
            whole_phrase(subject)
            and other
            and telling(f"{subject} {other}") >= 3
            and not OWN.search(other)
            and len(other.split()) <= 12
        ):
            yield Found(f"{'do' if is_many(subject) else 'does'} {subject} vary {joint} {other}?", "analyze", 0.9)
    elif found := _SHOWN.match(body):
        one, claim, other, proved = found.groups()
        subject, said = one or other, trim(claim or proved)
        first, _, rest = said.partition(" ")
        whole = names_itself(subject) and rest and not OWN.search(THOSE.sub("", said)) and len(said.split()) <= 16
        if whole and first != "have" and telling(f"{subject} {said}") >= 3:
            forms = ("are", "is") if first == "be" else ("do", "does")
            helper = forms[0] if is_many(subject) else forms[1]
            yield Found(f"{helper} {subject} {rest if first == 'be' else said}?", "analyze", 0.9)
    elif found := _BELONGS.match(body):
        subject, kind, of, _ = found.groups()
        if names_itself(subject):
            yield Found(
                f"what {kind}{of or ''} {'do' if is_many(subject) else 'does'} {subject} belong to?", "remember", 0.9
            )
    elif found := _WORKS.match(body):
        if names_itself(found.group(1)):
            yield Found(f"how {'do' if is_many(found.group(1)) else 'does'} {found.group(1)} work?", "understand", 1.0)
    elif found := _CAN.match(body):
        subject, modal, _, action = found.groups()
        action = trim(
            re.split(r" (?:since|because|although|whereas|while|but|so|if|when|unless|until|which|and) ", action)[0]
        )
        first = action.split()[0] if action else ""
        if (
            names_itself(subject)
            and (3 if action.startswith("be ") else 2) <= len(action.split()) <= 14
            and telling(f"{subject} {action}") >= 3
            and not OWN.search(action)
            and not first.endswith("ly")
        ):
            word = modal if modal in ("should", "must") else "can"
            yield Found(f"{word} {subject} {action}?", "evaluate", 0.75)


_CHANGED = re.compile(
    r"^(.+?) (?:(is|are|was|were) (not )?(?:\w+ly )*(reduced|increased|improved|decreased|elevated|impaired"
    r"|enhanced|lowered|prolonged|shortened|delayed|inhibited|prevented|altered|affected|induced)"
    r"|(?:\w+ly )*(did not |do not |does not )?(?:\w+ly )*(increase[sd]?|decrease[sd]?|improve[sd]?"
    r"|decline[sd]?|worsen(?:s|ed)?))(?: \w+ly)? (in|after|by|with|following|during|among) (.+)$"
)

_EVALUATED = re.compile(
    r"^(.+?) (is|are|was|were|appears? to be|seems? to be) (?:not )?(?:an? )?((?:(?:highly|very|more|also|both"
    r"|as|relatively) )?(?:safe|effective|feasible|reliable|accurate|useful|beneficial|sufficient|necessary"
    r"|independent|sensitive|specific"
    r"|responsible|cost-effective|helpful|valid|acceptable|adequate|appropriate|well tolerated|efficient"
    r"|suitable|important|valuable|strong|significant|good|poor|powerful|(?:common|rare|frequent)(?= (?:in"
    r"|among)\b))\b.+)$"
)

_DEGREE = (
    "higher|lower|greater|fewer|more|less|better|worse|longer|shorter|larger|smaller|increased|decreased|reduced"
    "|similar|poorer|improved|impaired|elevated"
)

_HAS_MORE = re.compile(
    r"^(.+?) (?:had|have|has|show(?:ed|s)?|demonstrated?|demonstrates|exhibit(?:ed|s)?|report(?:ed|s)?"
    rf"|experience[sd]?) ((?:an? )?(?:\w+ly )?(?:{_DEGREE}) .+)$"
)


def _judged(body: str) -> Iterator[Found]:
    if found := _CHANGED.match(body):
        subject, _, _, done, _, change, joint, when = found.groups()
        when = trim(when)
        if (
            not whole_phrase(subject)
            or not 1 <= len(when.split()) <= 14
            or OWN.search(THOSE.sub("", when))
            or re.match(r"(?:\d|an? )", when)
        ):
            return
        if telling(f"{subject} {when}") < 3:
            return
        plural = is_many(subject)
        if done:
            yield Found(f"{'are' if plural else 'is'} {subject} {done} {joint} {when}?", "analyze", 0.9)
        else:
            yield Found(f"{'do' if plural else 'does'} {subject} {_base(change)} {joint} {when}?", "analyze", 0.9)
    elif found := _EVALUATED.match(body):
        subject, _, what = found.groups()
        what = trim(what)
        if (
            not whole_phrase(subject)
            or not what
            or OWN.search(THOSE.sub("", what))
            or len(what.split()) > 16
            or telling(f"{subject} {what}") < 3
        ):
            return
        noun = re.match(r".*? (?:is|are|was|were|be) (?:not )?(an? )", body)
        article = noun.group(1) if noun and noun.end() <= body.find(what) + 1 else ""
        yield Found(f"{'are' if is_many(subject) else 'is'} {subject} {article}{what}?", "evaluate", 0.9)
    elif found := _HAS_MORE.match(body):
        subject, what = found.group(1), trim(found.group(2))
        if (
            names_itself(subject)
            and what
            and not OWN.search(THOSE.sub("", what))
            and len(what.split()) <= 16
            and telling(f"{subject} {what}") >= 3
        ):
            yield Found(
                f"{'do' if is_many(subject) else 'does'} {subject} have"
                f" {re.sub(chr(92) + 'bsignificantly ', '', what)}?",
                "analyze",
                0.9,
            )


def _base(verb: str) -> str:
    return verb.removesuffix("d").removesuffix("s") if not verb.startswith("worsen") else "worsen"


def _relation(body: str) -> Iterator[Found]:
    if found := _ROLE.match(body):
        subject, where = found.group(1), trim(found.group(2))
        if names_itself(subject) and telling(where) >= 1 and not OWN.search(where) and len(where.split()) <= 14:
            yield Found(
                f"what role {'do' if is_many(subject) else 'does'} {subject} play in {where}?", "understand", 0.95
            )
    elif (found := _DEPENDS.match(body)) and names_itself(found.group(1)):
        subject, *verbs, rest = found.groups()
        verb, how = (part for part in verbs if part)
        base = {"relies": "rely", "consists": "consist"}.get(verb, verb.rstrip("s"))
        if len(rest.split()) >= 3:
            yield Found(f"what {'do' if is_many(subject) else 'does'} {subject} {base} {how}?", "analyze", 0.9)


RELATIONS = (
    _difference,
    _association,
    _effect,
    _comparison,
    _higher,
    _predictors,
    _relation,
    _more_relations,
    _judged,
)
"""The rules: each gives the questions that one statement answers."""
