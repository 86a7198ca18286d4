"""What passages are told apart by, English only: cues in a passage, and the ways to ask for it.

The phrases of an entry complete "passages that ..." and "a passage should ..."; none of them stands in two entries, so that an
instruction can be read back. Strong cues nearly decide, weak ones need company.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Entry(NamedTuple):
    """A criterion that words in a passage show."""

    phrases: tuple[str, ...]
    strong: re.Pattern[str]
    weak: re.Pattern[str] | None = None
    asked: re.Pattern[str] | None = None
    """Words by which a query asks for it already."""


def _entry(phrases: str, strong: str, weak: str = "", asked: str = "") -> Entry:
    return Entry(
        tuple(phrase.strip() for phrase in phrases.split("|")),
        re.compile(strong, re.IGNORECASE),
        re.compile(weak, re.IGNORECASE) if weak else None,
        re.compile(asked, re.IGNORECASE) if asked else None,
    )


ASPECTS: dict[str, Entry] = {
    "treatment": _entry(
        "explain how it is treated|focus on the treatment|describe the available therapies|deal with ways to treat it",
        r"\b(?:treatments?|treated|treating|therap(?:y|ies)|surgery|surgical(?:ly)?|chemotherapy|transplant\w*)\b",
        r"\b(?:medic(?:ines?|ations?)|drugs?|antibiotics?|doses?|relieve[ds]?|manage(?:d|ment)|prescri\w+|remed(?:y"
        r"|ies)|cure[ds]?)\b",
        r"\btreat|therap|\bcure|remed|medicine|medication|\bget rid",
    ),
    "symptoms": _entry(
        "explain how it shows itself|focus on the symptoms|describe the signs to watch for"
        "|deal with what those affected notice",
        r"\b(?:symptoms?|signs (?:and|of|include)|characterized by|clinical features?|manifest\w*|features? of)\b",
        r"\b(?:pain\w*|fever|fatigue|swelling|rash|weakness|vomiting|nausea|headaches?|seizures?|itching|cough\w*"
        r"|dizz\w+)\b",
        r"symptom|\bsigns?\b|\bfeel",
    ),
    "causes": _entry(
        "explain what brings it about|focus on the causes|describe the reasons behind it|deal with what leads to it",
        r"\b(?:caused by|causes?|causing|due to|results? from|because of|leads? to|triggered by)\b",
        r"\b(?:because|reasons?|trigger\w*|responsible for|factors?)\b",
        r"\bcause|\bwhy\b|\breason",
    ),
    "diagnosis": _entry(
        "explain how it is diagnosed|focus on the tests for it|describe the examinations that reveal it"
        "|deal with how doctors recognise it",
        r"\b(?:diagnos(?:is|ed|e|es|tic|ing)(?! (?:or|and) (?:management|treatment))|biops(?:y|ies)|x-?rays?|MRI"
        r"|CT scans?|ultrasound|blood tests?|physical exam\w*)\b",
        r"\b(?:tests?|testing|exam(?:ination)?s?|screening|detect(?:ed|ion)?|scans?|imaging|suspect(?:ed|s)?)\b",
        r"diagnos|\btests?\b|\bexam|screening|detect",
    ),
    "prevention": _entry(
        "explain how it can be avoided|focus on prevention|describe ways to lower the risk"
        "|deal with protecting oneself from it",
        r"\b(?:prevent(?:ed|ing|ion|s|ive)?|avoid(?:ed|ing)?|vaccin\w+|reduce (?:the|your) risk|lower (?:the"
        r"|your) risk)\b",
        r"\b(?:protect\w*|wash\w*|healthy (?:diet|lifestyle)|quit smoking|precautions?)\b",
        r"prevent|avoid|protect",
    ),
    "frequency": _entry(
        "explain how common it is|focus on how often it occurs|describe how many are affected"
        "|deal with the number of cases",
        r"\b(?:prevalence|incidence|1 in \d|in \d[\d,]{0,12} (?:people|births|individuals|newborns)|(?:occurs?"
        r"|affects?) (?:in )?(?:an estimated |about |approximately )?(?:1|one) in)\b"
        r"|\b(?:reported|identified|described) in (?:about|only|fewer|approximately|at least|more than)\b",
        r"\b(?:rare|common|estimated|approximately|frequency|worldwide|unknown|cases)\b",
        r"how common|how often|how many|prevalen|inciden|frequen|\brare",
    ),
    "inheritance": _entry(
        "explain how it runs in families|focus on inheritance|describe how it is passed on by parents"
        "|deal with its hereditary pattern",
        r"\b(?:inherit(?:ed|ance|s)|autosomal|recessive|x-linked|hereditary|carriers?|passed (?:on|down) (?:from|by"
        r"|through))\b",
        r"\b(?:parents?|copies|copy|family history|one copy|both copies)\b",
        r"inherit|heredit|run in families|passed on",
    ),
    "genetics": _entry(
        "explain which genes are involved|focus on gene changes|describe the genetic background"
        "|deal with mutations behind it",
        r"\b(?:mutations? in the|genes?\b.{0,40}\bprovides? instructions|chromosomes?|gene mutations?|deletions?"
        r"|genetic changes?)\b",
        r"\b(?:genes?|genetic|proteins?|DNA|mutations?|enzymes?)\b",
        r"\bgene|mutation|chromosom|dna",
    ),
    "outlook": _entry(
        "explain what to expect in the long run|focus on the outlook|describe how it usually ends"
        "|deal with the chances of recovery",
        r"\b(?:prognosis|outlook|life expectancy|survival rates?|survive[ds]?|recover(?:y|s|ed)?|long-term)\b",
        r"\b(?:death|fatal|progress(?:es|ive|ion)|chances?|years after|lifelong|improve[sd]?)\b",
        r"prognos|outlook|expectancy|surviv|recover",
    ),
    "research": _entry(
        "explain what is being studied|focus on current research|describe trials that are under way"
        "|deal with the work of scientists",
        r"\b(?:clinical trials?|researchers?|research (?:on|into|is|supported)|scientists|investigat(?:ing|ors?)"
        r"|(?:supports?|conducts?) research)\b",
        r"\b(?:stud(?:y|ies)|research|findings?|trials?|experiments?)\b",
        r"research|trial|\bstud(?:y|ies)",
    ),
    "risk": _entry(
        "explain who is at risk|focus on risk factors|describe the groups that are most affected"
        "|deal with what makes it likelier",
        r"\b(?:risk factors?|at (?:greater |higher |increased |high )?risk|more likely to|increased risk|susceptible"
        r"|(?:increase|raise)s? (?:the|your) (?:risk|chance))\b",
        r"\b(?:older|women|men|smok(?:e|ing|ers)|obes(?:e|ity)|age [0-9]+|exposure|exposed)\b",
        r"\brisk|likely|susceptib|who gets",
    ),
    "cost": _entry(
        "explain what it costs|focus on prices|describe the expense|deal with what one pays for it",
        r"(?:[$£€]\s?\d)|\b(?:costs?|prices?|fees?|priced|pricing)\b",
        r"\b(?:pay(?:s|ing|ment)?|dollars?|expensive|cheap(?:er)?|average|charge[ds]?|salary|wages?)\b",
        r"\bcost|price|how much|\bfees?\b|\bpay|salary|wage|expens|\brate\b",
    ),
    "history": _entry(
        "explain how it came about|focus on its history|describe its origins|deal with its past",
        r"\b(?:founded|established|originat(?:ed|es)|was (?:born|built|created|invented|introduced|discovered"
        r"|named after)|dates? back|first (?:appeared|used|recorded)|(?:1[0-9]|20)th century|history of)\b",
        r"\b(?:century|ancient|early|began|became|originally|\d{4})\b",
        r"histor|origin|when (?:was|did)|founded|invented|\bborn\b|began",
    ),
    "location": _entry(
        "explain where it lies|focus on the location|describe how to find the place|deal with its whereabouts",
        r"\b(?:located (?:in|at|on|near)|situated (?:in|at|on|near)|(?:city|town|village|county|hamlet|community"
        r"|suburb) (?:located )?in|county seat|(?:north|south|east|west)(?:ern|east|west)? of)\b",
        r"\b(?:county|region|miles|border|coast|highway|river|area|district)\b",
        r"\bwhere\b|\bcounty\b|locat|\bcity\b|\bstate\b|country",
    ),
    "meaning": _entry(
        "explain what the word means|focus on the definition|describe the sense of the term|deal with its meaning",
        r"\b(?:defin(?:ition|ed as|es)|(?<!which )means?\b(?! of)|meaning|refers? to|the term|synonyms?|noun"
        r"|adjective|(?:is|are) (?:a|an) (?:type|kind|form) of)\b",
        r"\b(?:word|called|known as|term|phrase|dictionary|origin)\b",
        r"\bmean|defin|what (?:is|are)\b|synonym|stand for",
    ),
    "benefits": _entry(
        "explain what it is good for|focus on the benefits|describe its advantages|deal with what one gains from it",
        r"\b(?:benefits?|advantages?|good (?:source|for)|useful (?:for|in)|great for)\b",
        r"\b(?:helps?|improves?|healthy|effective|rich in|boosts?|better|best|support[s]?)\b",
        r"benefit|advantage|good for|useful",
    ),
    "dangers": _entry(
        "explain what can go wrong|focus on side effects and dangers|describe the harm it may do"
        "|deal with its drawbacks",
        r"\b(?:side effects?|adverse|dangers?|dangerous|hazard\w*|toxic\w*|warnings?|harmful|complications?"
        r"|overdose)\b",
        r"\b(?:risks?|damage[ds]?|serious|severe|death|caution|bleeding|avoid)\b",
        r"side effect|danger|harm|\brisk|toxic|\bsafe",
    ),
    "duration": _entry(
        "explain how long it takes|focus on the time needed|describe how long it lasts|deal with its duration",
        r"\b(?:takes?|lasts?|lasting|within|up to|for|about|between) (?:\w+ )?\d+(?:\s?(?:-|–"
        r"|to) ?\d+)?[ -](?:seconds?|minutes?|hours?|days?|weeks?|months?|years?)\b",
        r"\b(?:minutes?|hours?|days?|weeks?|months?|longer)\b",
        r"how long|how many (?:minutes|hours|days|weeks|months|years)|duration|how soon",
    ),
    "procedure": _entry(
        "explain how it is done|focus on the steps to take|describe the procedure|deal with how to go about it",
        r"\b(?:steps? \d|first,|next,|then (?:click|press|select|add|place|remove|put)|follow these|how to"
        r"|instructions)\b",
        r"\b(?:click|press|select|insert|open|choose|add|place|remove|turn|use|apply|mix|cut|cook)\b",
        r"\bhow (?:to|do|can)\b|\bsteps?\b|instruction",
    ),
    "composition": _entry(
        "explain what it consists of|focus on its parts|describe what it is made of|deal with its ingredients",
        r"\b(?:consists? of|made (?:of|from|up of|with)|composed of|contains?|ingredients?|comprise[sd]?|includes?)\b",
        r"\b(?:parts?|components?|elements?|layers?|including|types? of)\b",
        r"made of|ingredient|consist|contain|components?|parts? of",
    ),
}

KIN = frozenset(
    {frozenset({"causes", "genetics"}), frozenset({"risk", "prevention"}), frozenset({"genetics", "inheritance"})}
)
"""Aspects that one sentence often serves both: they are never set against each other."""

SOURCES: dict[str, Entry] = {
    "dictionary": _entry(
        "come from a dictionary|read like an entry of a dictionary",
        r"\b(?:definition of|definitions?|noun|adjective|verb\b|synonyms?|wiktionary|dictionary|thesaurus"
        r"|pronunciation|meaning of)\b",
        r"\b(?:origin|word|term|example sentences?|translations?)\b",
        r"defin|mean|synonym",
    ),
    "study": _entry(
        "report on a study|come from scientific work",
        r"\b(?:(?:this|the|our|a|recent|clinical) stud(?:y|ies)|researchers (?:found|say|report)|patients were"
        r"|participants|p\s?[<=]\s?0?\.\d|clinical trials?|et al|survey(?:ed)?)\b",
        r"\b(?:results?|evidence|findings?|data|analysis|significant(?:ly)?|percent)\b",
        r"stud(?:y|ies)|research",
    ),
    "seller": _entry(
        "come from a seller|speak for a company that wants customers",
        r"\b(?:our (?:products?|services?|customers?|company|team|store|clients|website)|we (?:offer|provide|sell"
        r"|ship|specialize)|buy now|order (?:now|online)|contact us|free shipping|call us|add to cart|your order)\b",
        r"\b(?:customers?|products?|services?|brand|quality|shop|store|sale|prices?|online)\b",
        r"\bbuy|\bshop|store|product",
    ),
    "how-to": _entry(
        "give directions step by step|read like a manual",
        r"\b(?:step \d|steps? (?:to|below)|follow these|first,|click (?:on|the)|press the|make sure|preheat"
        r"|you (?:will )?need to|be sure to)\b|(?:^|\. )(?:Click|Press|Add|Place|Open|Select|Remove|Insert|Mix|Turn"
        r"|Use|Choose|Cut|Apply|Put) ",
        r"\b(?:then|next|until|minutes|before|after)\b",
        r"how to|\bsteps?\b",
    ),
    "personal": _entry(
        "tell of somebody's own experience|come from a person who speaks of themselves",
        r"\b(?-i:I (?:have|had|was|am|would|think|got|went|use|used|love|found|know)\b|I'm|I've)"
        r"|\bmy (?:own|wife|husband|mother|son|daughter|dog|cat|doctor|experience|friend)\b",
        r"\b(?:(?-i:I)|my|me|myself)\b",
        r"\bmy\b|\bi\b",
    ),
    "reference": _entry(
        "read like an encyclopedia|give an overview as an encyclopedia does",
        r"\b(?:(?:is|was) an? (?:\w+ ){0,3}(?:city|town|village|county|genus|species|novel|film|album|band|river"
        r"|company|university|surname|unincorporated|census-designated)|as of the \d{4} census|population was"
        r"|wikipedia|encyclop\w+|free encyclopedia)\b",
        r"\b(?:known as|located|founded|established|American|born)\b",
        r"wiki|encyclop",
    ),
    "authority": _entry(
        "rest on a law or an official rule|quote what an authority demands",
        r"\b(?:regulations?|statutes?|federal law|state law|the act|required by law|guidelines?|(?:department"
        r"|ministry|bureau|office) of|legislation|pursuant|FDA|CDC|IRS)\b",
        r"\b(?:must|required|law|legal|rules?|policy|court|agency)\b",
        r"\blaw|legal|rule|regulation",
    ),
}

STYLES: dict[str, Entry] = {
    "example": _entry(
        "give an example|illustrate the matter with a case",
        r"\b(?:for example|for instance|e\.g\.|an example of|examples? (?:include|of|are))\b",
    ),
    "question": _entry("raise a question of their own|ask the reader something", r"\?"),
    "address": _entry(
        "speak to the reader directly|address those who read as you",
        r"\b(?:you (?:can|will|may|should|need|have|must|are|want)|your)\b",
    ),
    "link": _entry(
        "name a web address|point to a web site",
        r"https?://|\bwww\.|\b[a-z0-9-]{1,40}\.(?:com|org|net|gov|edu)\b",
    ),
    "list": _entry(
        "contain a numbered list|count off numbered items",
        r"(?:^|[\s.;])1[.):]? +[A-Z][^.]{0,200}[\s.;]2[.):]? +[A-Z]|\bstep 1\b",
    ),
    "abbreviation": _entry(
        "spell out an abbreviation|explain a short form in brackets",
        r"(?-i:[a-z] \([A-Z]{2,6}s?\)|\b[A-Z]{2,6} \([A-Z]?[a-z]+ [A-Za-z ]{1,60}\))",
    ),
    "contrast": _entry(
        "weigh one side against the other|set a limit to what they say",
        r"\b(?:however|on the other hand|although|whereas|in contrast|nevertheless)\b",
    ),
}

AUDIENCES: dict[str, Entry] = {
    "patients": _entry(
        "serve people who are ill themselves|speak to patients",
        r"\b(?:your (?:doctor|symptoms|condition|healthcare|health care|pain|provider|medications?)|talk to your"
        r"|ask your doctor|if you have|see your doctor)\b",
    ),
    "parents": _entry(
        "serve mothers and fathers|speak to parents",
        r"\b(?:your (?:child(?:ren)?|baby|kids?|toddler|son|daughter|teen)|parents (?:should|can|may)|if your child"
        r"|newborns?)\b",
    ),
    "students": _entry(
        "serve people who go to college|speak to students",
        r"\b(?:students?|tuition|semester|degree programs?|undergraduate|campus|applicants?|GPA|admissions?)\b",
    ),
    "professionals": _entry(
        "serve people who do this for a living|speak to professionals",
        r"\b(?:clinicians?|practitioners?|in clinical practice|engineers?|administrators?|developers?|employers?"
        r"|health care professionals|managers?)\b",
    ),
    "owners": _entry(
        "serve people who keep animals|speak to pet owners",
        r"\b(?:your (?:dog|cat|pet|puppy|kitten|horse)|dogs?|cats?|veterinar\w+|vet)\b",
    ),
    "travellers": _entry(
        "serve people on a journey|speak to travellers",
        r"\b(?:visitors?|tourists?|travel(?:l?ers?|ing)?|hotels?|flights?|airports?|your trip|attractions?)\b",
    ),
    "taxpayers": _entry(
        "serve people who deal with their money|speak to savers and taxpayers",
        r"\b(?:your (?:tax(?:es)?|income|account|loan|credit|bank|insurance|mortgage)|taxpayers?|investors?"
        r"|borrowers?|IRS)\b",
    ),
}

_NUMBER = r"\d[\d,.]{0,12}(?:\s?(?:-|–|to)\s?\d[\d,.]{0,12})?"

QUANTITIES: dict[str, Entry] = {
    "price": _entry(
        "state an amount of money|say how many dollars or pounds are at stake",
        rf"[$£€]\s?{_NUMBER}|\b{_NUMBER} (?:dollars|cents|euros|pounds sterling)\b",
        asked=r"\bcost|price|how much|salary|\bpay",
    ),
    "percentage": _entry(
        "state a percentage|give a share in per cent",
        rf"\b{_NUMBER} ?(?:%|percent\b|per cent\b)",
        asked=r"percent|\brate\b",
    ),
    "time span": _entry(
        "state a span of time in figures|say how many hours, days or years something takes",
        rf"\b{_NUMBER}[ -](?:seconds?|minutes?|hours?|days?|weeks?|months?|years?)\b",
        asked=r"how long|how (?:old|soon)|how many (?:minutes|hours|days|weeks|months|years)|\bage\b",
    ),
    "length": _entry(
        "state a length or a distance|say how long or far something is in feet, miles or metres",
        rf"\b{_NUMBER}[ -]?(?:feet|foot|ft|inch(?:es)?|miles?|km|kilomet(?:er|re)s?|met(?:er|re)s?|cm|mm|yards?)\b",
        asked=r"how (?:far|tall|high|big|wide|deep)|distance|height|\bsize\b|length",
    ),
    "weight": _entry(
        "state a weight or a dose|say how much something weighs or holds in pounds or grams",
        rf"\b{_NUMBER}[ -]?(?:pounds?|lbs?|ounces?|oz|kg|kilograms?|grams?|mg|milligrams?|mcg|ml|tons?|tonnes?)\b",
        asked=r"weigh|how (?:much|heavy)|\bdose|dosage",
    ),
    "temperature": _entry(
        "state a temperature|say how hot or cold something is in degrees",
        rf"\b{_NUMBER} ?(?:°|º|degrees?\b|Â°|Âº)",
        asked=r"temperature|how (?:hot|cold|warm)|weather|climate",
    ),
    "telephone number": _entry(
        "give a telephone number|say under which number somebody can be called",
        r"(?:\+?1[ -.]?)?\(?\b\d{3}\)?[ .-]\d{3}[ .-]\d{4}\b",
        asked=r"phone|number|contact|call",
    ),
    "population": _entry(
        "state a number of people|say how many inhabitants, members or workers there are",
        r"\bpopulation (?:of|was|is)[^.]{0,30}\d|\b\d[\d,.]{0,12} (?:(?:million|billion|thousand) )?(?:people"
        r"|inhabitants|residents|employees|members|students|patients|workers|players|passengers)\b",
        asked=r"population|how many (?:people|students|members)",
    ),
    "energy": _entry(
        "state calories|say how much energy food holds",
        rf"\b{_NUMBER} ?(?:calories|kcal|kilojoules|kj)\b",
        asked=r"calor|energy|nutrition",
    ),
}

CLOSED: dict[str, dict[str, Entry]] = {
    "aspect": ASPECTS,
    "source": SOURCES,
    "style": STYLES,
    "audience": AUDIENCES,
    "quantity": QUANTITIES,
}
"""The kinds whose values are listed here."""

# Country and what belongs to it; the first word is how it is told.
_COUNTRIES = """
Argentina:Argentine,Argentinian|Australia:Australian|Austria:Austrian|Belgium:Belgian|Brazil:Brazilian|Canada:Canadian|Chile:Chilean
|China:Chinese|Colombia:Colombian|Cuba:Cuban|Denmark:Danish|Egypt:Egyptian|Ethiopia:Ethiopian|Finland:Finnish|France:French
|Germany:German|Ghana:Ghanaian|Greece:Greek|Guatemala:Guatemalan|Hungary:Hungarian|Iceland:Icelandic|India:Indian
|Indonesia:Indonesian|Iran:Iranian,Persian|Iraq:Iraqi|Ireland:Irish|Israel:Israeli|Italy:Italian|Jamaica:Jamaican|Japan:Japanese
|Kenya:Kenyan|Malaysia:Malaysian|Mexico:Mexican|Morocco:Moroccan|Nepal:Nepalese|Netherlands:Dutch|New Zealand:|Nigeria:Nigerian
|Norway:Norwegian|Pakistan:Pakistani|Peru:Peruvian|Philippines:Filipino,Philippine|Poland:Polish|Portugal:Portuguese
|Romania:Romanian|Russia:Russian|Saudi Arabia:|Scotland:Scottish|South Africa:|South Korea:Korean|Spain:Spanish|Sweden:Swedish
|Switzerland:Swiss|Thailand:Thai|Tunisia:Tunisian|Turkey:Turkish|Ukraine:Ukrainian|Vietnam:Vietnamese|Wales:Welsh
"""
_STATES = (
    "Alabama Alaska Arizona Arkansas California Colorado Connecticut Delaware Florida Hawaii Idaho Illinois Indiana "
    "Iowa Kansas "
    "Kentucky Louisiana Maine Maryland Massachusetts Michigan Minnesota Mississippi Missouri Montana Nebraska Nevada "
    "New_Hampshire "
    "New_Jersey New_Mexico New_York North_Carolina North_Dakota Ohio Oklahoma Oregon Pennsylvania Rhode_Island "
    "South_Carolina "
    "South_Dakota Tennessee Texas Utah Vermont Virginia Washington West_Virginia Wisconsin Wyoming Ontario Quebec "
    "Alberta Manitoba"
)
_CITIES = (
    "Amsterdam Athens Atlanta Baltimore Bangkok Barcelona Beijing Berlin Birmingham Boston Brisbane Brussels Buffalo "
    "Cairo Chicago "
    "Cincinnati Cleveland Copenhagen Dallas Delhi Denver Detroit Dubai Dublin Edinburgh Glasgow Hamburg Helsinki "
    "Hong_Kong Honolulu "
    "Houston Istanbul Jerusalem Lisbon Liverpool London Los_Angeles Madrid Manchester Manila Melbourne Memphis Miami "
    "Milan Milwaukee "
    "Minneapolis Montreal Moscow Mumbai Munich Nairobi Nashville New_Orleans Orlando Oslo Ottawa Paris Philadelphia "
    "Pittsburgh "
    "Portland Prague Rome Sacramento San_Antonio San_Diego San_Francisco Seattle Seoul Shanghai Singapore Stockholm "
    "Sydney Tampa "
    "Tokyo Toronto Vancouver Vienna Warsaw Zurich"
)
_CONTINENTS = "Africa:African|Antarctica:Antarctic|Asia:Asian|Europe:European|North America:|South America:"

PLACES: dict[str, tuple[str, tuple[str, ...]]] = {}
"""Each place with its group (places of one group may stand for each other) and the words that name it, the first its own name."""

for _group, _listed in (("country", _COUNTRIES), ("continent", _CONTINENTS)):
    for _each in " ".join(_listed.split("\n")).split("|"):
        _name, _, _others = _each.strip().partition(":")
        PLACES[_name] = (_group, (_name, *(word for word in _others.split(",") if word)))
PLACES["United States"] = ("country", ("United States", "U.S.", "USA", "American", "America"))
PLACES["United Kingdom"] = ("country", ("United Kingdom", "UK", "British", "Britain"))
PLACES["England"] = ("country", ("England", "English"))
for _group, _listed in (("state", _STATES), ("city", _CITIES)):
    for _each in _listed.split():
        PLACES[_each.replace("_", " ")] = (_group, (_each.replace("_", " "),))

WITH_ARTICLE = frozenset({"United States", "United Kingdom", "Netherlands", "Philippines"})
"""Places that take an article inside of a sentence."""
