"""Seeds: the questions that a data set grows from, read from any file of records, each with its kind and weight."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from typing_extensions import TypedDict

from searchinstruct_graph.errors import UsageError
from searchinstruct_graph.text.stopwords import language_of
from searchinstruct_graph.text.words import UNSPACED, normal_form

from .records import Record, answer_of, has_question_column, question_of, read_records, value_of

LONGEST_SEED = 8_000
"""Characters that a seed may have; what is longer is a document, not a question."""

KINDS = ("how", "why", "what", "compare", "list", "plan", "verify", "recommend", "imagine", "other")
"""The kinds of question that `question_kind` tells apart."""


class Seed(TypedDict):
    """A question as a person wrote it."""

    id: str
    """First 16 hex digits of the SHA-256 of the text, its white space folded and its characters composed (NFC)."""
    text: str
    kind: str
    """As the file states it, else by `question_kind`."""
    subtopic: str
    """Empty when the file states none."""
    weight: float
    """How often it is to be drawn, against 1 for a seed without a weight."""
    answer: str
    """The reference answer that came with it; empty when there was none."""


@dataclass(frozen=True, slots=True)
class Seeds:
    """What files gave: the seeds in their order, and how many records repeated an earlier one or were blank."""

    seeds: list[Seed]
    duplicates: int
    skipped: int


def read_seeds(paths: Sequence[str]) -> Seeds:
    """The seeds of some files, any format and usual column name of `records`; `-` is standard input.

    Columns that may stand beside the question: type or kind, subtopic (topic, category), weight, and an answer.
    Of seeds that are equal but for white space the first is kept.

    Raises:
        UsageError: a file that cannot be read or has no seeds, or a record without a question column, with a seed of
            more than `LONGEST_SEED` characters, or with a weight that is no positive number; with its place.
    """
    if not paths:
        raise UsageError("no file of seeds is named")
    seeds: dict[str, Seed] = {}
    duplicates = skipped = 0
    for path in paths:
        found = 0
        for record in read_records(path):
            seed = _seed(record)
            if seed is None:
                skipped += 1
                continue
            found += 1
            if seed["id"] in seeds:
                duplicates += 1
            else:
                seeds[seed["id"]] = seed
        if not found:
            raise UsageError(f"{path}: no seeds in it; give one question a line, or records with a question column")
    return Seeds(list(seeds.values()), duplicates, skipped)


def seed_id(text: str) -> str:
    """The id of a seed of this text: the same whatever its white space and Unicode composition."""
    normal = unicodedata.normalize("NFC", " ".join(text.split()))
    return hashlib.sha256(normal.encode()).hexdigest()[:16]


def seed_of(text: str, *, kind: str = "", subtopic: str = "") -> Seed:
    """A seed of this text; its kind is told by its words when it is not given."""
    return Seed(id=seed_id(text), text=text, kind=kind or question_kind(text), subtopic=subtopic, weight=1.0, answer="")


def _seed(record: Record) -> Seed | None:
    text = question_of(record)
    if text is None:
        if not has_question_column(record):
            columns = ", ".join(str(name)[:40] for name in list(record.data)[:8])
            raise UsageError(
                f"{record.where}: no question column among {columns!r}; name it question, instruction, prompt or text"
            )
        return None
    if len(text) > LONGEST_SEED:
        raise UsageError(f"{record.where}: a seed of {len(text):,} characters; the limit is {LONGEST_SEED:,}")
    return Seed(
        id=seed_id(text),
        text=text,
        kind=_label(value_of(record, "kind", "question_kind", "type", "question_type")) or question_kind(text),
        subtopic=_label(value_of(record, "subtopic", "sub_topic", "topic", "category", "subject")),
        weight=_weight(record),
        answer=answer_of(record) or "",
    )


def _label(value: Any) -> str:
    if isinstance(value, list) and value:
        value = value[0]
    return " ".join(value.split())[:200] if isinstance(value, str) else ""


def _weight(record: Record) -> float:
    value = value_of(record, "weight", "seed_weight")
    if value is None:
        return 1.0
    try:
        weight = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        weight = math.nan
    if not (math.isfinite(weight) and weight > 0):
        raise UsageError(f"{record.where}: the weight {str(value)[:40]!r} is not a positive number")
    return weight


# The kind of a question -----------------------------------------------------------------------------------------------

# Phrases by language and kind, in normal form, so that Persian is matched with and without joiners. `^`: only at the
# beginning; `…`: up to 40 characters between; a final `*`: the word may go on. `polite` openings are dropped (`can you tell
# me why` asks why). Then the kinds down to `verify` are tried in their order; of `how`, `why later` and `what` the one that
# stands first in the question decides; `explain` is what is left to tell that something is asked at all.
_PHRASES: dict[str, dict[str, str]] = {
    "en": {
        "polite": "please|kindly|can you|could you|would you|will you|can i ask|do you know|may i ask|i want you to"
        "|i would like you to|i'd like you to|i want to know|i would like to know|tell me|hi|hello|hey|ok|so|and|but",
        "imagine": "^imagine|^suppose|^pretend|^make up|^invent|^write a … poem|^write a … story|^write a … joke"
        "|^write a … song|^write a haiku|^generate a haiku|^tell … a joke|^tell … joke|what if|what would happen if"
        "|what would you do if",
        "why": "^why|^how come|^explain … why",
        "compare": "^compare|^contrast|^how … compare|difference between|differences between|differ|differs"
        "|differ from|versus"
        "|similarities between|pros and cons|advantages and disadvantages|advantages … over|^which … better"
        "|what … in common",
        "plan": "^plan|plan a|plan my|plan our|plan for me|make … plan|create … plan|develop … plan|draw up"
        "|study plan|meal plan"
        "|itinerary|make … schedule|create … schedule|roadmap for|^organize|^organise|design … training program*"
        "|to-do list",
        "recommend": "^recommend|^suggest|^advise|do you recommend|would you recommend|would you suggest"
        "|any suggestions"
        "|some suggestions|some advice|give me advice|any advice|what should i|which … should i|where should i"
        "|^should i"
        "|^what is the best … to|^what's the best|^what are the best|best way to|best place to|best places to"
        "|best time to|worth visiting",
        "list": "^list|list of the|make a … list|^name|name some|name three|enumerate|^give … examples"
        "|give some examples|examples of"
        "|^give … a few|^give … three|^give … five|^what are the main|^what are some|^what are the types"
        "|^what are the different"
        "|^what kinds of|^what types of",
        "verify": "^is|^are|^was|^were|^am|^do|^does|^did|^has|^have|^had|^can|^could|^will|^would|^should|^may"
        "|^might|^must"
        "|^isn't|^aren't|^wasn't|^doesn't|^don't|^didn't|^can't|^couldn't|^wouldn't|is it true|true or false"
        "|true, false|yes or no"
        "|^fact check*|^fact-check*|^verify|^check whether|^check if|^tell if|^determine whether|^determine if"
        "|^decide whether",
        "how": "how",
        "why later": "why|what is the reason|what was the reason|reasons for|what causes|what caused",
        "what": "what|what's|who|who's|whom|whose|where|when|which|explain|describe|define|summarize|summarise"
        "|discuss|outline",
        "explain": "about|information on|details of|details on|overview|definition",
    },
    "de": {
        "polite": "bitte|kannst du|können sie|könnten sie|könntest du|weißt du|wissen sie|sag mir|sagen sie mir"
        "|erzähl mir|hallo",
        "imagine": "^stell dir vor|^stellen sie sich|^angenommen|^erfinde*|was wäre wenn|was wäre, wenn"
        "|was würde passieren"
        "|^schreib* … gedicht|^schreib* … geschichte",
        "why": "^warum|^wieso|^weshalb|^weswegen|^erkläre* … warum",
        "compare": "^vergleich*|unterschied zwischen|unterschiede zwischen|unterscheide*|gegenüberstell*"
        "|vor- und nachteile"
        "|gemeinsamkeiten|^was ist besser",
        "plan": "^plane*|^planen|erstelle … plan|reiseplan|zeitplan|lernplan|reiseroute|^organisiere*",
        "recommend": "empfehl*|empfiehl*|^schlag*|rat geben|was soll ich|was sollte ich|welche* … sollte ich"
        "|welche* … soll ich"
        "|was … am besten|was ist der beste|was ist die beste|was ist das beste|lohnt",
        "list": "liste … auf|auflisten|^liste|zähle … auf|^nenne*|nennen sie|welche arten|beispiele für"
        "|gib … beispiele",
        "verify": "^ist|^sind|^war|^waren|^hat|^haben|^hatte|^hatten|^kann|^können|^konnte|^wird|^werden|^wurde"
        "|^wurden|^gibt es"
        "|^gab es|^darf|^muss|^soll|^stimmt|ist es wahr|stimmt es|richtig oder falsch|wahr oder falsch|überprüfe*"
        "|^prüfe*",
        "how": "wie|auf welche weise",
        "why later": "warum|wieso|weshalb|weswegen|aus welchem grund|was ist der grund",
        "what": "was|wer|wen|wem|wessen|wo|wohin|woher|wann|welche*|wora*|woraus|wovon|wozu|womit|wodurch|worin"
        "|worum|wofür"
        "|wonach|wobei|worüber|erkläre*|erklären|beschreibe*|beschreiben|definiere*|erläutere*",
        "explain": "über|definition",
    },
    "fr": {
        "polite": "s'il vous plaît|s'il te plaît|pouvez-vous|peux-tu|pourriez-vous|pourrais-tu|savez-vous|sais-tu"
        "|dites-moi|dis-moi|bonjour",
        "imagine": "^imagine*|^supposons|^invente*|^et si|que se passerait-il|^écri* … poème|^écri* … histoire",
        "why": "^pourquoi|^explique* … pourquoi",
        "compare": "^compare*|comparaison entre|différence entre|différences entre|diffère*|avantages et"
        "|points communs",
        "plan": "^planifie*|^organise*|un plan pour|un plan de|itinéraire|emploi du temps|^prépare* … programme"
        "|^élabore* … plan",
        "recommend": "recommande*|conseille*|des conseils|suggère*|suggérez|propose-moi|proposez-moi"
        "|quel est le meilleur"
        "|quelle est la meilleure|quels sont les meilleurs|quelles sont les meilleures|devrais-je|dois-je",
        "list": "^énumère*|^énumérez|^dresse*|^cite*|^nomme*|^liste*|^quels sont les|^quelles sont les|des exemples"
        "|donne* … exemples",
        "verify": "^est-ce que|^est-ce|^est-il|^est-elle|^sont-ils|^sont-elles|^y a-t-il|^existe-t-il|^a-t-il"
        "|^a-t-elle|^ont-ils|^peut-on"
        "|^faut-il|vrai ou faux|est-il vrai|^vérifie*",
        "how": "comment|combien|de quelle manière|de quelle façon",
        "why later": "pourquoi|pour quelle raison|quelle est la cause",
        "what": "qu'est*|que|quoi|qui|où|quand|quel|quelle|quels|quelles|lequel|laquelle|explique*|expliquez|décris"
        "|décrivez"
        "|définis|définissez",
        "explain": "au sujet|à propos|définition",
    },
    "es": {
        "polite": "por favor|puedes|podrías|puede|podría|sabes|dime|dígame|hola",
        "imagine": "^imagina*|^supón|^supongamos|^inventa*|qué pasaría|^escrib* … poema|^escrib* … historia"
        "|^escrib* … cuento",
        "why": "^por qué|^por que|^explica* … por qué",
        "compare": "^compara*|comparación entre|diferencia entre|diferencias entre|se diferencia*|ventajas y|en común",
        "plan": "^planifica*|^organiza*|un plan para|un plan de|itinerario|cronograma|^elabora* … plan",
        "recommend": "recomiend*|recomendar|sugier*|sugerir|un consejo|consejos para|cuál es el mejor"
        "|cuál es la mejor"
        "|cuáles son los mejores|cuáles son las mejores|debería|qué debo",
        "list": "^enumera*|^lista*|haz una lista|^nombra*|^menciona*|^cuáles son los|^cuáles son las|ejemplos de"
        "|qué tipos",
        "verify": "^es|^son|^fue|^fueron|^era|^hay|^había|^existe|^existen|^tiene|^tienen|^ha|^han|^se puede|^está"
        "|^están"
        "|es cierto|es verdad|verdadero o falso|^verifica*|^comprueba*",
        "how": "cómo|de qué manera|de qué forma|cuánto|cuánta|cuántos|cuántas",
        "why later": "por qué|por que|cuál es la razón|cuál es la causa",
        "what": "qué|que|quién|quiénes|dónde|cuándo|cuál|cuáles|explica*|describ*|defin*",
        "explain": "sobre|acerca|definición",
    },
    "fa": {
        "polite": "لطفا|لطفاً|آیا می‌تونی|می‌تونی|آیا می‌توانید|می‌توانید|آیا می‌توانی|می‌توانی|آیا می‌تونید"
        "|می‌تونید|می‌شه بگی|به نظرت"
        "|به نظر شما|به من بگو|منو راهنمایی کنی که|سلام",
        "imagine": "تصور کن*|فرض کن*|تخیل کن*|تجسم کن*|اگه … چی می‌شد|اگر … چه می‌شد|اگر … چه اتفاقی|^شعر* … بنویس*"
        "|^داستان* … بنویس*",
        "why": "^چرا|^برای چه|^برای چی|^توضیح … چرا",
        "compare": "مقایسه*|تفاوت*|چه فرق*|فرق بین|فرق … با|شباهت*|مزایا و معایب",
        "plan": "برنامه‌ریزی*|برنامه سفر*|برنامه بریز*|برنامه بچین*|برنامه‌ای برای|برنامه … بده*|نقشه سفر|مسیر سفر",
        "recommend": "پیشنهاد بد*|پیشنهاد کن*|پیشنهاد می*|چه پیشنهاد*|توصیه کن*|توصیه می*|معرفی کن*|بهترین*"
        "|چی بهتره|مشاوره بد*",
        "list": "فهرست کن*|فهرستی از|لیست کن*|لیستی از|^لیست|^فهرست|نام ببر*|اسم ببر*|مثال بزن*|چه انواعی"
        "|انواع … کدام*|چند نمونه|چند مثال",
        "verify": "^آیا|درسته که|درست است که|حقیقت داره|حقیقت دارد|راسته که|واقعیت دارد|صحت … بررسی",
        "how": "چطور*|چگونه*|چه‌جوری|چه جوری|چجوری|چه طور*|چقدر*|چه قدر*",
        "why later": "چرا|به چه دلیل*|دلیل … چیست|دلیل … چیه|علت … چیست|علت … چیه",
        "what": "چه*|چی|چیه|چیست|کی|کیه|کیست|کجا*|کدام*|کدوم*|چند|توضیح*|شرح*|توصیف*|تعریف*",
        "explain": "درباره*|در مورد*|راجع به",
    },
    "ar": {
        "polite": "من فضلك|هل يمكنك أن|هل يمكنك|هل تستطيع|هل يمكن أن|هل بإمكانك|أخبرني|هل تعرف|مرحبا",
        "imagine": "^تخيل|^تخيّل|^افترض|ماذا لو|ماذا سيحدث لو|^اكتب … قصيدة|^اكتب … قصة",
        "why": "^لماذا|^اشرح … لماذا",
        "compare": "^قارن|مقارنة بين|الفرق بين|الفروق بين|يختلف*|تختلف*|أوجه الشبه|مزايا وعيوب",
        "plan": "^خطط|ضع خطة|ضع لي خطة|خطة ل*|جدول زمني|جدولا|برنامج رحلة|برنامجا",
        "recommend": "^اقترح|تقترح*|توصي|تنصح*|انصحني|^ما أفضل|^ما هي أفضل|^ما هو أفضل|هل تنصح*",
        "list": "^اذكر|^عدد|قائمة ب*|^سمّ|ما هي أنواع|ما أنواع|أمثلة على",
        "verify": "^هل|^أليس|صحيح أم خطأ|صح أم خطأ|^تحقق",
        "how": "كيف|كم|بكم",
        "why later": "لماذا|ما سبب|ما السبب|ما هو سبب|ما هو السبب|ما هي أسباب",
        "what": "ما|ماذا|بماذا|لماذا|من|لمن|أين|متى|أي|أية|بأي|لأي|في أي|اشرح*|صف|عرف|عرّف",
        "explain": "حول|عن",
    },
    "zh": {
        "polite": "请问|请你|请|你能不能|你能|你可以|能不能|能否|可以|告诉我|你知道|您好|你好",
        "imagine": "^想象|^想像|^假设|^假如|^假設|^编一|^写一首|^写一个…故事|如果…会怎|如果…会发生|要是…会怎",
        "why": "^为什么|^为何|^為什麼|^为啥|^解释…为什么",
        "compare": "^比较|^对比|^比較|有什么区别|有何区别|的区别|有什么不同|有何不同|的差异|的异同|优缺点|優缺點|哪个更",
        "plan": "^规划|^计划|^制定|^安排|制定…计划|制定…方案|规划一|帮我规划|帮我安排|计划一次|行程安排|旅行计划|学习计划",
        "recommend": "推荐一|推荐几|推荐给|^推荐|有什么推荐|有哪些推荐|有什么建议|给…建议|建议我|值得一|值得去|推薦|最好的…是哪",
        "list": "^列出|^列举|^列舉|^说出|^举例|^给出|有哪些|举几个例子|列一",
        "verify": "吗|嗎|是否|是不是|有没有|对不对|真的|对还是错|正确还是错误|^判断|^核实",
        "how": "怎么|如何|怎样|怎麼|怎樣|多少|几|幾|多大|多长|多久|多高|多远",
        "why later": "为什么|为何|為什麼|为啥|什么原因|原因是",
        "what": "什么|什麼|谁|誰|哪|何时|何地|何处|解释|解釋|描述|介绍|介紹|定义|说明",
        "explain": "关于|關於",
    },
}

_LOOKED_AT = 2_000
_UNSPACED = re.compile(f"[{UNSPACED}]")
_ARABIC = re.compile("[\u0620-\u064a\u066e-\u06d3]")
_PERSIAN = re.compile("[پچژگکی]")
_LETTERS = (("de", re.compile("[äöüß]")), ("es", re.compile("[¿¡ñ]")), ("fr", re.compile("[çœêèàù]")))
_STRONG = ("imagine", "why", "compare", "plan", "recommend", "list", "verify")


def _cue(phrase: str) -> str:
    start, phrase = phrase.startswith("^"), phrase.removeprefix("^")
    pieces = [re.escape(" ".join(normal_form(piece).split())) for piece in phrase.rstrip("*").split("…")]
    body = ".{0,40}?".join(piece.replace(r"\ ", " ") for piece in pieces)
    whole_words = not _UNSPACED.search(phrase)
    left = r"\A" if start else r"(?<!\w)" if whole_words else ""
    return left + body + (r"(?!\w)" if whole_words and not phrase.endswith("*") else "")


def _pattern(phrases: str) -> str:
    return "|".join(_cue(phrase) for phrase in phrases.split("|"))


class _Cues:
    """The compiled phrases of one language."""

    def __init__(self, phrases: dict[str, str]) -> None:
        self.opening = re.compile(rf"\A(?:(?:{_pattern(phrases['polite'])})[\s,:;]*|[^\w]+)+")
        self.imagine = re.compile(_pattern(phrases["imagine"]))
        self.strong = [(kind, re.compile(_pattern(phrases[kind]))) for kind in _STRONG]
        self.asking = [
            ("how", re.compile(_pattern(phrases["how"]))),
            ("why", re.compile(_pattern(phrases["why later"]))),
            ("what", re.compile(_pattern(phrases["what"]))),
        ]
        self.explain = re.compile(_pattern(phrases["explain"]))

    def kind(self, text: str, question: str) -> str | None:
        """The kind of `question`, a sentence of `text`; both in normal form."""
        rest = self.opening.sub("", question)
        if self.imagine.search(self.opening.sub("", text)):
            return "imagine"
        for kind, pattern in self.strong:
            if pattern.search(rest):
                return kind
        found = [(match.start(), kind) for kind, pattern in self.asking if (match := pattern.search(rest))]
        if found:
            return min(found)[1]
        if self.explain.search(rest):
            return "what"
        # `Can you swim?` is no request: what is left of it says nothing.
        return "verify" if rest != question and dict(self.strong)["verify"].search(question) else None


@lru_cache(maxsize=len(_PHRASES))
def _cues(language: str) -> _Cues:
    return _Cues(_PHRASES[language])


# A full stop after one or two letters is an abbreviation's.
_END = re.compile(r"(?<=\w\w\w)[.!]\s|[。！\n]|(?<=[?؟？])")


def _question(text: str) -> str:
    """The first sentence with a question mark; without one, the text."""
    return next((part.strip() for part in _END.split(text) if part.rstrip().endswith(("?", "؟", "？"))), text)


def _languages(text: str) -> Sequence[str]:
    if _ARABIC.search(text):
        return ("fa", "ar") if _PERSIAN.search(text) else ("ar", "fa")
    if _UNSPACED.search(text):
        return ("zh", "en")
    first = language_of(text)
    if first == "en":
        first = next((name for name, letters in _LETTERS if letters.search(text)), first)
    return (first, *(name for name in ("en", "de", "fr", "es") if name != first)) if first in _PHRASES else ("en",)


def question_kind(text: str) -> str:
    """Which of `KINDS` a question is, by its question words in English, German, French, Spanish, Persian, Arabic, Chinese.

    `verify` asks whether something is so; `what` also for who, where, when and which, and for explanations; `how` also
    for amounts; `imagine` for suppositions and inventions; `other` when no word says.
    """
    shown = text[:_LOOKED_AT].split("\n\n")[0]
    question = _question(shown)
    whole, asked = (" ".join(normal_form(part).split()) for part in (shown, question))
    tries = ((name, part) for part in dict.fromkeys((asked, whole)) for name in _languages(question))
    return next((kind for name, part in tries if (kind := _cues(name).kind(whole, part))), "other")
