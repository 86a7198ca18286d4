"""The closed lists of words that instructions are read with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from searchinstruct_graph.text.words import normal_form


def listed(text: str) -> frozenset[str]:
    """The words of a text, as they stand."""
    return frozenset(text.split())


WORD = re.compile(r"[^\s,;!?()\[\]{}\"“”„«»،؛؟。；！？，、]+|[,;!?\n،؛؟。；！？，、]")
ENDS = frozenset(",;!?\n،؛؟。；！？，、")
COMMAS = frozenset(",،，、")
ONLY = listed("only just solely exclusively nur seulement solo فقط")
DENIALS = listed(
    """not no nothing none never exclude excludes excluding except avoid avoiding skip without don't ignore omit drop"""
)
SOFT = listed(
    """prefer preferably preferred preference ideally mostly mainly especially particularly primarily prioritize
    prioritizing prioritising prioritise favor favour rather possible if unless when maybe perhaps could can also
    too even include includes including fine ok okay welcome allowed acceptable first better like such"""
)
SOURCES = listed(
    """source sources study studies paper papers article articles page pages document documents publication
    publications report reports review reviews post posts book books guideline guidelines file files text texts passage
    passages material materials literature website websites site sites edition editions news evidence preprint preprints
    quellen studien artikel seiten dokumente études articles documents fuentes estudios artículos documentos
    منابع مقالات منبع مقاله مصادر المصادر المقالات"""
)
UNDATED = listed("text texts passage passages material materials site sites website websites")
# Of these "from 2010" may say when they came about, which is no date of publication.
PUBLISHED = listed("published written dated released issued posted updated appeared printed publication")
LINKS = listed(
    """that which were was are is been have has from only just dating the year be must should in on and date newer not
    no later than"""
)
FILLERS = (
    LINKS
    | ONLY
    | DENIALS
    | SOURCES
    | PUBLISHED
    | listed(
        """use please any what which do does did according all give me show want i with by of to it they these those
    anything everything but a an take read search"""
    )
)
WEIGHTLESS = (FILLERS | listed("or nor both language")) - listed("did does according by of to it they")
# Beside these a part stands alone in its clause.
SUBJECT = listed(
    """about of on concerning regarding how why explain explains describe describes discuss discusses compare compares mention
    mentions mentioned name names cover covers into over against towards for to between by like with history über von"""
)
OPENERS = listed("according restrict restricted limit limited stick focus rely look search")
# "Look for studies since 2010" tells nothing of studies.
TELLING = listed("explain explains describe describes discuss tell tells how why who when where happened changed")
OPENS = listed(
    """the a an this these those his her its their my our your i he she it we you they there what who which whose"""
)
# Behind "after 1945," these begin what is told of that time.
FOLLOW = listed(
    """and only please in that on which about from with for by not no but or nor until till to up at under who it as
    language files pages sources documents published say says said tell tells show shows find finds found report suggest
    suggests recommend agree"""
)
LEADS = LINKS | ONLY | DENIALS | PUBLISHED | SOURCES | listed("under inside within below at of use anything everything")
STATED = listed("was were is are")
WEAK = listed("use that which were was are is been have has the and be must should")
JOINTS = listed("and or nor and/or & und oder et ou y o و او یا")
OR = listed("or oder ou either یا")
SINCE = {"since", "seit", "depuis", "desde", "ab", "منذ"}
AFTER = {"after", "nach", "après", "بعد"}
AGES = {"day": 1, "days": 1, "week": 7, "weeks": 7, "month": 30.44, "months": 30.44, "year": 365.2425, "years": 365.2425,
         "decade": 3652.425, "decades": 3652.425}  # fmt: skip
NUMBERS = {
    word: at for at, word in enumerate("one two three four five six seven eight nine ten eleven twelve".split(), 1)
}
CJK_SINCE = re.compile(r"(\d{4})年(?:以后|之后|以来|后|起)?(?:以来)?$")
HOST = re.compile(r"(?:[^\W_][\w-]{0,62}\.){1,8}[^\W\d_]{2,24}")
FILE_ENDS = listed(
    """md py txt html htm pdf js json jsonl rst csv yaml yml toml ts css ini cfg xml gz zip docx java go rb"""
)
TYPES: Mapping[str, tuple[str, ...]] = {
    "pdf": (".pdf",),
    "html": (".html", ".htm", ".xhtml"),
    "markdown": (".md", ".markdown", ".mdown", ".mdx"),
    "md": (".md", ".markdown", ".mdown", ".mdx"),
    "text": (".txt", ".text"),
    "txt": (".txt", ".text"),
    "rst": (".rst", ".rest"),
    "restructuredtext": (".rst", ".rest"),
    "jsonl": (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz"),
}
ENDINGS = tuple(dict.fromkeys(ending for endings in TYPES.values() for ending in endings))
LANGUAGES = {
    name: code
    for code, names in {
        "en": "english englisch anglais inglés", "de": "german deutsch", "fr": "french français", "es": "spanish español",
        "it": "italian", "pt": "portuguese", "nl": "dutch", "sv": "swedish", "da": "danish", "no": "norwegian", "fi": "finnish",
        "pl": "polish", "cs": "czech", "sk": "slovak", "hu": "hungarian", "ro": "romanian", "bg": "bulgarian", "el": "greek",
        "tr": "turkish", "ru": "russian", "uk": "ukrainian", "ar": "arabic العربية بالعربية", "fa": "persian farsi فارسی",
        "he": "hebrew", "hi": "hindi", "bn": "bengali", "ur": "urdu", "ta": "tamil", "th": "thai", "vi": "vietnamese",
        "id": "indonesian", "ja": "japanese 日本語", "zh": "chinese 中文", "ko": "korean 한국어", "ca": "catalan",
        "hr": "croatian",
        "sr": "serbian", "sl": "slovenian", "lt": "lithuanian", "lv": "latvian", "et": "estonian", "eu": "basque",
        "ga": "irish", "sw": "swahili", "la": "latin",
    }.items()
    for name in map(normal_form, names.split())
}  # fmt: skip
SPOKEN = (SOURCES | {"language"}) - {"literature"}
BESIDE = listed("in on of at from with by to")
# "Majoring in English literature" and "as told in German papers" ask for no language.
IN = {"in", "auf", "به", "en"}
LATER, EARLIER = listed("later newer after onwards since"), listed("earlier older before")
FAR_PAST, FAR_FUTURE = date.min, date.max
DECADE = re.compile(r"(\d{3}0)'?s")
SIDE_OF = re.compile(r"(pre|post)-?(\d{4})")
PLAIN_HOST = re.compile(r".+\.(?:com|org|edu|gov|mil|int)")
# Without "from" or "on" before it, other names with a dot are as often those of programs: socket.io, os.path.
FROM = listed("from on at in")
