"""Deterministic checks of one instruction or answer before it may enter a data set. No model; the first fault decides.

Every check errs on the side of letting pass: what it refuses is lost, and what slips through meets judges and votes still.
What may be right but needs a person (personal data, orders to a model, a bare domain) is quarantined instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from searchinstruct_graph.models.tagged import disarm
from searchinstruct_graph.text.compare import script
from searchinstruct_graph.text.orders import orders
from searchinstruct_graph.text.words import UNSPACED, normal_form

LONGEST_SCREENED = 200_000
"""Characters of a text that are looked at."""


class Finding(NamedTuple):
    """A fault. The detail is for people and never repeats a secret or personal data."""

    reason: str
    """`empty`, `refusal`, `leaked_prompt`, `dangling`, `not_a_question`, `language`, `pii`, `secret`, `markup`, `orders`."""
    detail: str
    quarantine: bool
    """Whether a person should look at it, rather than that it is plainly bad."""


def screen_instruction(text: str, *, language: str | None) -> Finding | None:
    """The first fault of an instruction that a model is to be trained on, None when there is none.

    `language` is the ISO 639-1 code that it should be in; None (or `und`): any.
    """
    text = text[:LONGEST_SCREENED]
    normal = normal_form(text)
    checks: tuple[Callable[[], Finding | None], ...] = (
        lambda: _empty(text),
        lambda: find_secret(text),
        lambda: _leaked_tokens(text),
        lambda: _refusal(normal),
        lambda: _markup(text, (), names=True),
        lambda: _missing_text(text, normal),
        lambda: _dangling(normal),
        lambda: _not_a_question(text),
        lambda: _language(text, language),
        lambda: _personal(text),
        lambda: _orders(text),
    )
    return next((found for check in checks if (found := check())), None)


def screen_answer(instruction: str, answer: str, *, language: str | None, evidence: Sequence[str]) -> Finding | None:
    """The first fault of an answer to `instruction`, None when there is none.

    Links and markup that stand in the `evidence` (or in the instruction) are the pages' own; scripts never pass.
    """
    answer = answer[:LONGEST_SCREENED]
    normal = normal_form(answer)
    checks: tuple[Callable[[], Finding | None], ...] = (
        lambda: _empty(answer),
        lambda: find_secret(answer),
        lambda: _leaked_tokens(answer),
        lambda: _refusal(normal),
        lambda: _leaked_reference(normal, instruction),
        lambda: _markup(answer, (instruction, *evidence)),
        lambda: _language(answer, language),
        lambda: _personal(answer),
        lambda: _orders(answer),
    )
    return next((found for check in checks if (found := check())), None)


def _place(found: re.Match[str]) -> str:
    return f"at character {found.start() + 1}"


def _quoted(found: re.Match[str]) -> str:
    shown = " ".join(found.group().split())
    return f"{shown[:60]!r} {_place(found)}"


def _any(marks: Iterable[str], text: str) -> bool:
    """Whether one of `marks` is in the text. Most texts hold none, and are spared the pattern that they lead to."""
    return any(mark in text for mark in marks)


def _either(*patterns: str) -> re.Pattern[str]:
    """One pattern of several, for text in normal form; so they hold no escapes with capital letters."""
    return re.compile("|".join(map(normal_form, patterns)), re.MULTILINE)


# Empty, secrets, markers ----------------------------------------------------------------------------------------------

_LETTER_OR_DIGIT = re.compile(r"[^\W_]")


def _empty(text: str) -> Finding | None:
    return None if _LETTER_OR_DIGIT.search(text) else Finding("empty", "no letter and no digit", False)


_SECRETS = {
    "OpenAI or Anthropic key (sk-)": r"\bsk-[A-Za-z0-9_-]{20,200}",
    "Stripe key": r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,200}",
    "AWS access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{30,255}|\bgithub_pat_\w{22,255}",
    "GitLab token": r"\bglpat-[\w-]{20,200}",
    "Slack token": r"\bxox[abeprs]-[\w-]{10,200}",
    "Google API key": r"\bAIza[\w-]{35}",
    "Hugging Face token": r"\bhf_[A-Za-z0-9]{30,200}",
    "npm token": r"\bnpm_[A-Za-z0-9]{36}\b",
    "PyPI token": r"\bpypi-AgE[\w-]{50,300}",
    "search or tracing key": r"\b(?:tvly-[\w-]{20,200}|lsv2_(?:pt|sk)_\w{20,200})",
    "private key": r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----",
    "JSON web token": r"\beyJ[\w-]{10,4000}\.eyJ[\w-]{10,4000}\.[\w-]{10,4000}",
}
# What every secret holds; most texts hold none of it, and the patterns above are not tried.
_SECRET_MARKS = (
    *(
        "sk-",
        "k_live",
        "k_test",
        "AKIA",
        "ASIA",
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
        "github_pat",
        "glpat",
        "xox",
        "AIza",
    ),
    *("hf_", "npm_", "pypi-", "tvly", "lsv2", "PRIVATE", "eyJ"),
)
_SECRET_PATTERNS = [(name, re.compile(pattern, re.ASCII)) for name, pattern in _SECRETS.items()]
_PLACEHOLDER = re.compile(r"([xX*.0_-])\1{7}|your|here|\.\.\.", re.IGNORECASE)


def find_secret(text: str) -> Finding | None:
    """A key, token or private key in the text; the finding does not repeat it."""
    if not _any(_SECRET_MARKS, text):
        return None
    for name, pattern in _SECRET_PATTERNS:
        for found in pattern.finditer(text):
            if name == "private key" or not _PLACEHOLDER.search(found.group()):
                return Finding("secret", f"{'an' if name[0] in 'AO' else 'a'} {name} {_place(found)}", False)
    return None


_OWN_TAG = re.compile(r"</?[a-z_]{2,40}-[0-9a-f]{8}[ >]|‹¦|⟦/?INST⟧")
_TURN = re.compile(r"^(?:#{2,4} ?(?:Instruction|Response|Input|System)\b ?:?|(?:Human|Assistant) ?: )", re.MULTILINE)


def _leaked_tokens(text: str) -> Finding | None:
    """Marks of our own prompts, of chat templates, and of instruction templates."""
    if ("<" in text or "[" in text) and (shown := disarm(text)) != text:
        at = next(place for place, (one, other) in enumerate(zip(text, shown, strict=True)) if one != other)
        return Finding("leaked_prompt", f"a chat-template token at character {at + 1}", False)
    found = _OWN_TAG.search(text) if _any("<‹⟦", text) else None
    if found := found or (_TURN.search(text) if _any(("#", "Human", "Assistant"), text) else None):
        return Finding("leaked_prompt", _quoted(found), False)
    return None


# Refusals -------------------------------------------------------------------------------------------------------------

_DO = (
    "(?:assist|help|provide|answer|fulfill|fulfil|comply|create|generate|write|give|do that|do this|continue|engage|discuss|share"
    "|support|offer|process|access|browse|complete|produce|respond|recommend|suggest|determine|verify|find|tell you|make|carry)"
)
_SORRY = (
    "(?:(?:unfortunately|sorry|apologies|my apologies|i'm sorry|i am sorry|i apologize|i apologise|i'm afraid|i am afraid"
    "|regrettably)[,.:;!]? ?(?:but |that |, )?(?:for [^.]{0,40}, ?(?:but )?)?)?"
)
_CANNOT = (
    "i (?:cannot|can't|can not|could not|couldn't|won't|will not|am unable to|am not able to|must decline to|have to decline to)"
    "|i'm unable to|i'm not able to"
)
# What refuses when a text begins with it.
_REFUSES = _either(
    rf"{_SORRY}(?:{_CANNOT}) (?:\w+ ){{0,2}}?{_DO}\b",
    r"i (?:don't|do not) have (?:access to|enough (?:information|context|evidence|data)|any information|real-time|the ability)",
    r"i (?:must|have to) (?:decline|refuse)\b",
    r"i(?:'m| am) (?:just |only )?an? (?:ai|artificial intelligence|(?:large )?language model)\b",
    r"(?:es tut mir (?:sehr )?leid|entschuldigung|leider|tut mir leid)[^.\n]{0,60}"
    r"(?:kann ich|ich kann|könnte ich|darf ich|bin ich)[^.\n]{0,80}\bnicht\b",
    r"ich kann (?:ihnen |dir )?(?:dabei |damit |diese anfrage )[^.\n]{0,30}nicht",
    r"(?:je suis (?:vraiment )?désolée?|désolée?|malheureusement|je regrette)[^.\n]{0,40}"
    r"\bje ne (?:peux|suis|pourrai)[^.\n]{0,20}\b(?:pas|aider|mesure)\b",
    r"(?:lo siento|lo lamento|perdón|lamentablemente|desafortunadamente)[^.\n]{0,30}"
    r"\bno (?:puedo|me es posible|estoy en condiciones)\b",
    r"(?:desculpe|sinto muito|lamento|infelizmente)[^.\n]{0,30}\bnão (?:posso|consigo)\b",
    r"(?:mi dispiace|purtroppo|spiacente)[^.\n]{0,30}\bnon (?:posso|sono in grado)\b",
    r"(?:извините|простите|к сожалению|мне жаль)[^.\n]{0,30}\bя не (?:могу|в состоянии)",
    r"(?:متأسفم|متاسفم|متأسفانه|متاسفانه|ببخشید|عذر می‌خواهم|با عرض پوزش|شرمنده)[^.\n]{0,60}"
    r"(?:نمی‌توانم|نمی‌تونم|قادر نیستم|امکان‌پذیر نیست)",
    r"(?:آسف|أنا آسف|عذرا|أعتذر|للأسف|معذرة)[^.\n]{0,40}(?:لا أستطيع|لا يمكنني|لا أقدر|لست قادر|غير قادر)",
    r"(?:很?抱歉|对不起|對不起|不好意思)[^。\n]{0,20}(?:无法|不能|没法|無法)|我(?:无法|不能)(?:提供|回答|协助|帮助|完成|满足)",
    r"(?:申し訳(?:ありません|ございません)|すみません)[^。\n]{0,40}(?:できません|できかねます)",
)
# What refuses, or at least speaks of itself, at the beginning of any sentence near the beginning.
_AS_A_MODEL = _either(
    r"(?:^|[.!?] )as an? (?:ai|a\.i\.|artificial intelligence|(?:large )?language model|virtual assistant)\b[^.\n]{0,60}\bi\b",
    r"(?:^|[.!?] )als (?:eine? )?(?:ki|künstliche intelligenz|sprachmodell|ki-\w+)\b[^.\n]{0,60}\b(?:ich|mir)\b",
    r"(?:^|[.!?] )en tant qu(?:e |')(?:ia|intelligence artificielle|modèle de langage|assistant (?:ia|virtuel))\b",
    r"(?:^|[.!?] )como (?:una? |um |uma )?(?:modelo de (?:lenguaje|linguagem)|ia\b|inteligencia artificial"
    r"|inteligência artificial)",
    r"(?:^|[.!?] )come (?:un )?modello linguistico",
    r"(?:^|[.!?] )как (?:языковая модель|ии\b|искусственный интеллект)",
    r"(?:^|[.!؟] )(?:من )?به ?عنوان (?:یک )?(?:مدل زبانی|هوش مصنوعی|دستیار هوش|مدل هوش)",
    r"(?:^|[.!؟] )(?:بصفتي|كوني|كنموذج|باعتباري) ?(?:نموذج|ذكاء|لغوي|مساعد)",
    r"(?:^|[。！？!?])作为(?:一个|一名|一款)?(?:ai|人工智能|大?语言模型|大型语言模型)",
    r"(?:^|。)(?:ai|言語モデル|ai言語モデル)として",
)
_MODEL_MARKS = tuple(
    map(
        normal_form,
        (
            *(
                " ai",
                "a.i.",
                "artificial",
                "language model",
                "virtual assistant",
                "als ki",
                "als eine ki",
                "künstliche",
                "sprachmodell",
            ),
            *(
                "qu'ia",
                "que ia",
                "artificielle",
                "langage",
                "virtuel",
                "lenguaje",
                "linguagem",
                "como ia",
                "artificial",
                "linguistico",
            ),
            *("модель", "как ии", "интеллект", "مدل", "هوش", "نموذج", "ذكاء", "مساعد", "作为", "として"),
        ),
    )
)
_REFUSES_WITHIN = 600


def _refusal(normal: str) -> Finding | None:
    """A refusal speaks in the first person and at the beginning; a text about refusals quotes or reports them."""
    opening = " ".join(normal[:_REFUSES_WITHIN].split())
    found = _REFUSES.match(opening)
    if not found and _any(_MODEL_MARKS, opening):
        found = _AS_A_MODEL.search(opening)
    return Finding("refusal", _quoted(found), False) if found else None


# Talk about a text that the reader does not see -----------------------------------------------------------------------

_TEXT = (
    "(?:texts?|passages?|contexts?|documents?|excerpts?|snippets?|paragraphs?|articles?|sources?|search results?|quotes?|evidence"
    "|material)"
)
_GIVEN = "(?:provided|given|supplied|retrieved|above|aforementioned|preceding)"
_REFERENCES = _either(
    rf"\bthe {_GIVEN} {_TEXT}\b(?! code)",
    rf"\b(?:the|these|those) {_TEXT} (?:above|(?:that (?:was|were) |you )?(?:provided|given|supplied))\b",
    r"\b(?:provided|given|supplied|shown) (?:in|by) the (?:context|passage|excerpt|quote|snippet)s?\b",
    r"\baccording to (?:the|this|these) (?:text|passage|context|excerpt|snippet|quote|document)s?\b(?! of)",
    r"\bbased (?:solely |only )?on (?:the|this|these) (?:passage|excerpt|snippet|quote|text)s?\b(?! of)",
    r"\bas (?:stated|mentioned|described|noted|shown|explained|indicated)(?: above)? (?:in|by) the"
    r" (?:text|passage|context|excerpt|snippet|quote)s?\b(?! of)",
    r"\b(?:the|this) (?:passage|excerpt|snippet)s? (?:above )?(?:states?|mentions?|says?|does not|doesn't|do not|describes?"
    r"|explains?"
    r"|provides?|notes?|indicates?)\b|\bthe (?:context|quotes?|texts?|documents?) (?:mentions?|(?:does not|doesn't|do not|don't)"
    r" (?:mention|say|state|provide|specify|contain|give))\b",
    r"\bquotes? (?:no\.? ?|number |#)?\[?\d{1,2}\b(?! ?%)",
    r"\b(?:obigen|obenstehenden|vorliegenden|gegebenen|bereitgestellten|angegebenen) (?:text|textes|kontext|abschnitt|dokument"
    r"|auszug|passage|quellen)\b|\b(?:laut|gemäß|nach) (?:dem|diesem) (?:text|kontext|abschnitt|auszug)\b",
    r"\b(?:d'après|selon) (?:le|ce) (?:texte|passage|contexte|document|extrait)\b"
    r"|\b(?:texte|passage|contexte|document|extrait)s? (?:fournis?|donnés?|ci-dessus)\b",
    r"\b(?:según|de acuerdo con) (?:el|este) (?:texto|pasaje|contexto|documento|fragmento)\b"
    r"|\b(?:texto|pasaje|contexto|documento|fragmento)s? (?:proporcionados?|anterior|dados?)\b",
    r"(?:متن|سند|پاراگراف|اسناد|متون) (?:بالا|فوق|داده ?شده|ارائه ?شده|مذکور)|(?:طبق|بر اساس|براساس|با توجه به) "
    r"(?:این )?(?:متن|متون)(?!\w)",
    r"(?:النص|المقطع|السياق|المستند|الوثيقة|النصوص) (?:أعلاه|المقدم|المقدمة|المعطى|السابق|المذكور|المرفق)"
    r"|(?:وفقا|بناء|استنادا) (?:لل|ل|على ال|إلى ال)(?:نص|سياق|مقطع)(?!\w)",
    r"(?:根据|依据|按照|基于)(?:所?提供|给定|上面|以上|上述|给出|这段|该)的?(?:文本|文章|资料|内容|信息|段落|文档|上下文|材料|引文)"
    r"|上述(?:文本|文章|段落|引文)|文中(?:提到|指出|说)|引文 ?\d",
)
# Each reference is about one of these; only what stands around them is searched.
_NOUNS = _either(
    "text|passag|context|document|excerpt|snippet|paragraph|articl|source|search result|quote|evidence|material",
    "kontext|abschnitt|dokument|auszug|quellen|contexte|extrait|pasaje|fragmento|متن|متون|سند|اسناد|پاراگراف|نص|مقطع|سياق|المستند|الوثيقة",
    "文本|文章|资料|内容|信息|段落|文档|上下文|材料|引文|文中",
)
_AROUND = 70
_FOLLOWS = (
    "(?:texts?|passages?|contexts?|documents?|excerpts?|snippets?|paragraphs?|articles?|sentences?|code|lists?|words?|data|table"
    "|story|conversation|poem|question|statements?|numbers?|facts?)"
)
_TEXT_NEEDED = _either(
    r"\bthis (?:text|passage|excerpt|snippet|paragraph|sentence|article|quote)\b",
    r"\bthe (?:text|passage|excerpt|paragraph|document|article|sentence) (?:above|below)\b",
    rf"\bthe (?:following|{_GIVEN}) {_FOLLOWS}\b",
    r"\b(?:folgende[nrms]?|obige[nrms]?|untenstehende[nrms]?) (?:text|textes|abschnitt|satz|passage|liste|artikel)\b"
    r"|\bdiese[rnsm]? (?:text|textes|abschnitt|artikel|satz)\b",
    r"\b(?:texte|passage|paragraphe|extrait|document) (?:suivant|ci-dessus|ci-dessous|fourni|donné)\b"
    r"|\bce (?:texte|passage|paragraphe)\b",
    r"\b(?:texto|pasaje|párrafo|fragmento|documento) (?:siguiente|anterior|proporcionado|dado)\b"
    r"|\b(?:siguiente|este) (?:texto|pasaje|párrafo|fragmento)\b",
    r"(?:متن|جمله|پاراگراف|بخش) (?:زیر|بالا|فوق|داده ?شده)|این (?:متن|پاراگراف|جمله)(?!\w)",
    r"(?:النص|الجملة|الفقرة) (?:التالي|التالية|أعلاه|أدناه|السابق|السابقة|المعطى)|هذا النص|هذه الفقرة",
    r"(?:以下|下面|下列|上述|上面)的?(?:文本|文章|段落|句子|内容|文字)|这(?:段|篇)(?:文字|文章|话|文本)",
)
_TEXT_MARKS = tuple(
    map(
        normal_form,
        (
            *(
                "this ",
                "above",
                "below",
                "following",
                "given",
                "provided",
                "supplied",
                "retrieved",
                "preceding",
                "folgende",
                "obige",
            ),
            *(
                "untenstehende",
                "diese",
                "suivant",
                "ci-des",
                "fourni",
                "donné",
                "ce ",
                "siguiente",
                "anterior",
                "dado",
                "este ",
            ),
            *("زیر", "بالا", "فوق", "شده", "این", "التالي", "أعلاه", "أدناه", "السابق", "المعطى", "هذا", "هذه"),
            *("以下", "下面", "下列", "上述", "上面", "这"),
        ),
    )
)
# Around a reference, this much of the text's own words is the text that is spoken of.
_ATTACHED = 25


def _reference(normal: str) -> re.Match[str] | None:
    end = 0
    for noun in _NOUNS.finditer(normal):
        # A long text names them over and over; what one search has seen is not searched again.
        if noun.start() >= end:
            end = noun.end() + _AROUND
            if found := _REFERENCES.search(normal, max(0, noun.start() - _AROUND), end + _AROUND):
                return found
    return None


def _leaked_reference(normal: str, instruction: str) -> Finding | None:
    """An answer that speaks of the quotes it was written from; where the instruction brought a text along, it may."""
    found = _reference(normal)
    if not found or (_TEXT_NEEDED.search(asked := normal_form(instruction)) or _reference(asked)):
        return None
    return Finding("leaked_prompt", _quoted(found), False)


_ATTACHMENT = re.compile(
    rf"[:\n][\"'“«「\s]*\S.{{{_ATTACHED},}}|\n\s*\S|[\"“«「『][^\"”»」』]{{{_ATTACHED},}}[\"”»」』]|：.{{8,}}|「.{{8,}}」|“.{{8,}}”",
    re.DOTALL,
)


def _missing_text(text: str, normal: str) -> Finding | None:
    """An instruction about a text that is not there."""
    found = _TEXT_NEEDED.search(normal) if _any(_TEXT_MARKS, normal) else None
    found = found or _reference(normal)
    if not found or _ATTACHMENT.search(text[:4_000].strip()):
        return None
    return Finding("leaked_prompt", f"speaks of a text that is not there: {_quoted(found)}", False)


# Instructions that do not stand alone ---------------------------------------------------------------------------------

_AUX = "(?:is|was|are|were|did|does|do|has|have|had|can|could|will|would|should)"
_ASK = "(?:what|when|where|why|how|who|which)"
_THING = (
    "(?:place|city|town|village|building|site|monument|region|area|country|event|festival|person|man|woman|topic|subject|company"
    "|product"
    "|book|film|movie|study|method|technique|approach|concept|theory|author|case|process|disease|condition|treatment|tradition|dish"
    "|trip|tour|phenomenon|technology|system|law|project|organization|team|species)"
)
# All of these stand at the beginning.
_DANGLES = _either(
    rf"(?:{_ASK}(?: \w+)? {_AUX} |{_AUX} )(?:he|she)\b|(?:he|she|they)\b(?! (?:say|pronouns?))",
    rf"{_ASK}(?: \w+)? {_AUX} it (?:work|works|mean|built|founded|located|cost|made|created|invented|written|published|released"
    r"|discovered|differ|affect|used|start|end|begin|important|significant|famous|popular)\b\s*\??$",
    rf"(?:\w+ ){{0,6}}?(?:this|that|these|those) {_THING}s?\b(?! (?:that|which|who|where|of|in which)\b)",
    rf"{_ASK}(?: \w+)? {_AUX} (?:this|that|these|those)\b(?: \w+)?\s*\??$",
    r"(?:as|like) (?:mentioned|stated|described|noted) (?:above|earlier|before)|the (?:above|aforementioned|former|latter)\b"
    r"|(?:and|but|so) (?:he|she|it|they)\b",
    r"(?:\w+ ){0,5}?diese[rnsm]? (?:ort|stadt|gebäude|region|ereignis|person|film|buch|methode|thema|land|museum)\b",
    r"(?:[\w'-]+ ){0,5}?(?:cet endroit|ce lieu|cette ville|ce bâtiment|cette région|cet événement|ce livre|ce film)\b",
    r"[¿¡]?(?:\w+ ){0,5}?(?:este lugar|este sitio|esta ciudad|este edificio|esta región|este evento|este libro|esta persona)\b",
    r"(?:\w+ ){0,5}?(?:این|اون|آن) (?:مکان|شهر|منطقه|بنا|محل|روستا|موضوع|جا|کتاب|فیلم|شخص|جشنواره|رویداد|اثر)(?:ها)?\b(?! که)",
    r"(?:\w+ ){0,5}?(?:هذا المكان|هذه المدينة|هذه المنطقة|هذا المبنى|هذا الكتاب|هذا الحدث|هذا الموضوع)\b",
    r"[^，。？]{0,8}(?:这个地方|这座城市|此地|这座建筑|这本书|这部电影|这个人|该地区)",
)


def _dangling(normal: str) -> Finding | None:
    """An instruction that begins by pointing at what only its writer saw."""
    opening = " ".join(normal[:160].split())
    found = _DANGLES.match(opening)
    return Finding("dangling", f"does not stand alone: {_quoted(found)}", False) if found else None


_UNSPACED_LETTER = re.compile(f"[{UNSPACED}]")
_LETTERS = re.compile(r"[^\W\d_]+")
_CUT_END = re.compile(r"\w-$|[,،、]$|\b(?:the|an|and|or|because|und|oder|der|das|et|les|des|y|los|و|که|یا)$")
_LIST_MARK = re.compile(r"(?:^|\s)\w{1,3}$|[:;=8xX]'?-?$")
_INCHES = re.compile(r"\d\"")
_SMILE = re.compile(r"[:;=]")
_BRACKETS = re.compile(r"[][(){}“”«»「」『』《》（）„\"]")
# A text that came along has its own ways.
_ONE_SENTENCE = 600
_OPENS = dict(zip(")]}”»」』》）", "([{“«「『《（", strict=True))
_SYMBOLS = re.compile(r"[{}<>;=\\|~^$#@&*_`]")


def _not_a_question(text: str) -> Finding | None:
    words = text.split()
    letters = sum(map(len, _LETTERS.findall(text[:2_000])))
    unspaced = bool(_UNSPACED_LETTER.search(text))
    digits = sum(ch.isdigit() for ch in text) if letters < 10 else 0
    fault = ""
    if letters + digits < (3 if unspaced else 5) or (letters < 8 and not digits and len(words) < 2 and not unspaced):
        fault = "too short to ask anything"
    elif not unspaced and len(words) == 1 and (len(text) >= 20 or not text.isalpha()):
        fault = "no words"
    elif len(_SYMBOLS.findall(text[:2_000])) > max(6, letters * 0.5):
        fault = "code or symbols rather than words"
    elif len(words) >= 10 and len({word.lower() for word in words}) < len(words) * 0.2:
        fault = "the same words over and over"
    elif "\ufffd" in text:
        fault = "a damaged character"
    elif found := _CUT_END.search(text.rstrip()[-20:]):
        fault = f"cut off: it ends with {found.group()!r}"
    elif "\n" not in text and len(text) <= _ONE_SENTENCE and (mark := _unbalanced(text)):
        fault = f"unbalanced {mark}"
    return Finding("not_a_question", fault, False) if fault else None


def _unbalanced(text: str) -> str:
    """The bracket or quotation mark without its other half; smileys, `a)`, inches and half-open intervals go without."""
    open_marks: list[str] = []
    straight = 0
    for found in _BRACKETS.finditer(text):
        mark = found.group()
        if mark == '"':
            straight += 1
        elif mark not in _OPENS:
            # German closes with the mark that English opens with.
            if mark == "“" and "„" in open_marks:
                open_marks.remove("„")
            elif not (mark in "([" and _SMILE.match(text, found.start() - 1)):
                open_marks.append(mark)
        elif open_marks and (open_marks[-1] == _OPENS[mark] or (mark in ")]" and open_marks[-1] in "([")):
            open_marks.pop()
        elif mark == "”" and "„" in open_marks:
            open_marks.remove("„")
        elif not (mark in ")]" and _LIST_MARK.search(text[max(0, found.start() - 5) : found.start()])):
            return mark
    if open_marks:
        return open_marks[0]
    return '"' if straight % 2 and not _INCHES.search(text) else ""


# Language -------------------------------------------------------------------------------------------------------------

# The words that a text of some length can hardly do without, and that the neighbours do without.
_COMMON = {
    language: frozenset(listed.split())
    for language, listed in {
        "en": "the of and are what how with that from by this is to for",
        "de": "der das und ist nicht wie ein eine für von mit den dem sind auf",
        "fr": "le les des est une dans pour qui du et sur par au aux ce",
        "es": "el los las una es por para del se en que con su como",
        "it": "il di che della per sono gli con nel una è come dei le",
        "pt": "o os uma não que para do da em com por na no como",
        "nl": "de het een van is niet en op dat met voor zijn",
        "fa": "که از این را است به با در می برای چه تا رو های یک و",
        "ar": "في من على إلى أن هذا التي هو عن ما هي أو كان ذلك",
    }.items()
}
_SCRIPT_OF = {
    "latin": "[a-zA-Z\u00aa\u00b5\u00ba-\u024f\u1e00-\u1eff]+",
    "arabic": "[\u0620-\u064a\u066e-\u06d3\u06fa-\u06ff\u0750-\u077f]+",
    "cjk": "[\u3005\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+",
    "hangul": "[\uac00-\ud7a3]+",
    "cyrillic": "[\u0400-\u052f]+",
    "greek": "[\u0370-\u03ff\u1f00-\u1fff]+",
    "hebrew": "[\u05d0-\u05ea]+",
    "indic": "[\u0900-\u0dff]+",
}
_SCRIPT_RUNS = {name: re.compile(pattern) for name, pattern in _SCRIPT_OF.items()}
_WRITTEN_IN = {
    **dict.fromkeys("fa ar ur ps ug sd ckb".split(), "arabic"),
    **dict.fromkeys("zh ja".split(), "cjk"),
    **dict.fromkeys("ru uk bg be mk".split(), "cyrillic"),
    **dict.fromkeys("hi bn mr ne ta te gu pa kn ml si".split(), "indic"),
    **dict.fromkeys(
        "en de fr es it pt nl sv da no nb nn fi pl cs sk hu ro tr id ms vi ca hr sl et lv lt sq is ga cy eu gl af sw".split(),
        "latin",
    ),
    "ko": "hangul",
    "el": "greek",
    "he": "hebrew",
}
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+", re.DOTALL)
_PERSIAN_ONLY = re.compile("[پچژگ]")
_PERSIAN_FORMS = re.compile("[پچژگکی]")
_KANA = re.compile("[\u3041-\u30ff]")
_SHORTEST_SCRIPT = 24
_LEAST_OWN = 0.5
_SHORTEST_DETECTED = 80


def _language(text: str, language: str | None) -> Finding | None:
    """Script first; within a script only texts long enough are judged, and only when their common words do not settle it."""
    if language is None or language == "und":
        return None
    if "`" in text or "://" in text:
        text = _CODE.sub(" ", text)
    sample = text[:2_000]
    length = len(sample) if sample.isascii() else sum(map(len, _LETTERS.findall(sample)))
    wanted = _WRITTEN_IN.get(language)
    if wanted and not (sample.isascii() and wanted == "latin"):
        held = sum(map(len, _SCRIPT_RUNS[wanted].findall(sample)))
        letters = sum(map(len, _LETTERS.findall(sample)))
        # A Chinese or Korean character says as much as three letters, and names from elsewhere keep theirs.
        weight = 3 if wanted in ("cjk", "hangul") else 1
        foreign = (letters - held) * (1 if sample.isascii() or wanted != "latin" else _weight(sample))
        if held * weight < foreign * _LEAST_OWN and foreign >= _SHORTEST_SCRIPT:
            return Finding("language", f"{script(sample[:500])} script where {language} is written in {wanted}", False)
    if length < _SHORTEST_DETECTED and wanted != "cjk":
        return None
    other = _other_language(sample, language, length)
    return Finding("language", f"{other} where {language} was asked for", False) if other else None


def _weight(sample: str) -> int:
    return 3 if _SCRIPT_RUNS["cjk"].search(sample) or _SCRIPT_RUNS["hangul"].search(sample) else 1


def _other_language(sample: str, language: str, length: int) -> str | None:
    if language in ("zh", "ja"):
        kana = len(_KANA.findall(sample))
        if language == "zh":
            return "ja" if kana > max(3, length * 0.15) else None
        return "zh" if not kana and length >= 40 else None
    if language == "fa" and _PERSIAN_FORMS.search(sample):
        return None
    if language == "ar" and len(_PERSIAN_ONLY.findall(sample)) > length * 0.02:
        return "fa"
    tokens = sample.lower().split()
    common = _COMMON.get(language)
    if common and sum(token in common for token in tokens) >= max(2, len(tokens) * 0.05):
        return None
    from searchinstruct_graph.tools.corpus.language import detect

    found = detect([sample])
    if found in (language, "und") or _WRITTEN_IN.get(found) != _WRITTEN_IN.get(language):
        return None
    # Lists of names look like any language; a text in another language holds that one's common words.
    theirs = _COMMON.get(found)
    if theirs is not None:
        return found if sum(token in theirs for token in tokens) >= max(2, len(tokens) * 0.08) else None
    half = len(sample) // 2
    return found if length >= 160 and detect([sample[:half]]) == detect([sample[half:]]) == found else None


# Personal data --------------------------------------------------------------------------------------------------------

_EMAIL = re.compile(r"(?<![\w.%+-])([\w.%+-]{1,64})@([a-z\d-]{1,63}(?:\.[a-z\d-]{1,63}){1,4})", re.IGNORECASE)
# RFC 2606 and RFC 6761: names that belong to nobody; then addresses of offices, not of people.
_NOBODYS = re.compile(
    r"(?:^|\.)(?:example(?:\.(?:com|org|net|edu))?|test|invalid|localhost|local|domain\.com)$", re.IGNORECASE
)
_OFFICES = frozenset(
    "info contact support help helpdesk office press sales admin administrator webmaster noreply no-reply donotreply enquiries"
    " inquiries hello service feedback media editor editors privacy abuse postmaster hostmaster security team git mail email list"
    " root user username you your.name yourname name someone".split()
)
_PHONE = re.compile(
    r"\+\d[\d\s().-]{7,20}\d|\(?\d{3}\)?[-. ]\d{3}[-.]\d{4}|\(\d{3}\) ?\d{3}[-. ]\d{4}|09\d{2}[- ]?\d{3}[- ]?\d{4}"
)
_SAID = re.compile(
    r"\b(?:tel|phone|telephone|call|mobile|cell|telefon|handy|téléphone|teléfono|تلفن|موبایل|شماره تماس|هاتف|جوال|电话|手机)"
    r"[^\w+(]{1,4}"
    r"(?:(?:number|nummer|no|at|is|号码|شماره)[^\w+(]{1,3})?(?P<said>[+(]?\d[\d\s()./-]{6,18}\d)(?!\w)",
    re.IGNORECASE,
)
# Digits that stand close together; a text without such a run has no number of a person.
_DIGIT_RUN = re.compile(r"(?<![\w.+-])(?:[+(]{1,2})?\d(?:[ ().-]{0,3}\d){7,24}(?![\w-])")
_TOLL_FREE = frozenset("800 833 844 855 866 877 888 900".split())
_CARD = re.compile(r"(?:\d{4}[ -]){3}\d{1,4}|3[47]\d{2}[ -]?\d{6}[ -]?\d{5}|\d{15,16}")
_CARD_START = re.compile(r"4|5[1-5]|2[2-7]|3[47]|35|6011|65|62|603799|6219|6037|6104|5022")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z\d]{4}){2,7}(?: ?[A-Z\d]{1,4})?\b")
_IBAN_START = re.compile(r"\b[A-Z]{2}\d{2} ?[A-Z\d]{4}")
_IBAN_LENGTHS = {
    country: int(length)
    for country, length in re.findall(
        r"([A-Z]{2})(\d\d)",
        "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BR29BY28CH21CR22CY28CZ24DE22DK18DO28EE20EG29ES24FI18FO18FR27GB22GE22GI23GL18GR27GT28"
        "HR21HU28IE22IL23IQ23IR26IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MR27MT31MU30NL18NO15PK24PL28PS29"
        "PT25QA29RO24RS22SA24SC31SE24SI19SK24SM27ST25SV28TL23TN24TR26UA29VA22VG24XK20",
    )
}


def _personal(text: str) -> Finding | None:
    for kind, found in _personal_places(text):
        return Finding("pii", f"{kind} {_place(found)}", True)
    return None


def _personal_places(text: str) -> Iterator[tuple[str, re.Match[str]]]:
    if "@" in text:
        for found in _EMAIL.finditer(text):
            name, domain = found.groups()
            if not (_NOBODYS.search(domain) or name.lower() in _OFFICES or domain.rpartition(".")[2].isdigit()):
                yield "an e-mail address", found
    runs = list(_DIGIT_RUN.finditer(text))
    for found in runs:
        plain = "".join(str(int(ch)) if ch.isdecimal() else ch for ch in found.group())
        digits = _digits(plain)
        if _PHONE.fullmatch(plain) and _is_phone(digits):
            yield "a phone number", found
        elif _CARD.fullmatch(plain) and _CARD_START.match(digits) and _luhn(digits):
            yield "a payment card number", found
    for found in _SAID.finditer(text) if runs or "/" in text else ():
        if _is_phone(_digits(found["said"])):
            yield "a phone number", found
    for found in _IBAN.finditer(text) if runs or _IBAN_START.search(text) else ():
        if _is_iban(found.group().replace(" ", "")):
            yield "a bank account number (IBAN)", found


def _digits(text: str) -> str:
    return "".join(str(int(ch)) for ch in text if ch.isdecimal())


def _is_phone(digits: str) -> bool:
    """Whether so many digits may be a person's line, not one of fiction (555) or of a call centre."""
    national = digits[-10:]
    fiction = "555" in (national[:3], national[3:6], digits[:3])
    return 8 <= len(digits) <= 15 and not fiction and not (len(digits) in (10, 11) and national[:3] in _TOLL_FREE)


def _luhn(digits: str) -> bool:
    """The check digit of ISO/IEC 7812."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return len(set(digits)) > 1 and sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _is_iban(account: str) -> bool:
    """The check digits of ISO 13616; what follows the account in the text may have been taken with it."""
    length = _IBAN_LENGTHS.get(account[:2], 0)
    account = account[:length]
    if not length or len(account) < length:
        return False
    return int("".join(str(int(ch, 36)) for ch in account[4:] + account[:4])) % 97 == 1


# Markup, links, scripts, orders ---------------------------------------------------------------------------------------

# What is active, by what it cannot do without.
_ACTIVE = tuple(
    (mark, re.compile(pattern, re.IGNORECASE | re.MULTILINE))
    for mark, pattern in {
        "<": r"<\s*/?\s*(?:script|iframe|object|embed|applet|base|meta|svg|form)\b|<!--\s*#|<\?php|<%[=@\s]",
        "script": r"\b(?:javascript|vbscript|livescript)\s*:\s*[\w.(%\"'/\\]",
        "data:": r"\bdata:(?:text/html|image/svg)",
        "=": r"\bon(?:error|load|click|focus|blur|mouse\w{2,8}|key\w{2,6}|toggle|submit|change|input|start|begin|pointer\w{2,8}"
        r"|animation\w{3,9}|wheel|copy|paste|drag\w{0,6}|drop)\s*=\s*[\"'\w(\[`\\]",
        "document": r"\bdocument\s*\.\s*(?:cookie|write|location)",
        "window": r"\bwindow\s*\.\s*(?:onerror|location)",
        "alert": r"(?:^|[^\w`])alert\s*\(\s*(?:\d|['\"`]|document)",
        "eicar": r"EICAR-STANDARD",
    }.items()
)
_HTML = re.compile(
    r"</?(?:a|img|div|span|p|br|hr|b|i|u|em|strong|ul|ol|li|table|tr|td|th|h[1-6]"
    r"|html|head|body|style|link|input|button|video|audio|source|font"
    r"|center|sup|sub|pre|code|blockquote|section|article|nav|footer|header|textarea|select|option|label|marquee|details|summary)\b(?:\s[^<>]{0,500})?/?>",
    re.IGNORECASE,
)
_LINK = re.compile(
    r"\b(?:https?|ftp|file)://[^\s<>\"'`)\]}»，。]{1,2000}|\bwww\.[a-z\d-]{1,63}\.[^\s<>\"'`)\]}]{2,2000}",
    re.IGNORECASE,
)
_MARKDOWN_LINK = re.compile(r"!?\[[^\[\]\n]{0,300}\]\(\s*([^()\s]{1,2000})[^()\n]{0,200}\)")
_DOMAIN_END = re.compile(
    r"\.(?:com|org|net|biz|info|io|ru|cn|xyz|top|co|site|online|club|tk)\b(?![\w(]|\.\w)", re.IGNORECASE
)
_DOMAIN_START = re.compile(r"(?<![\w@./-])[a-z\d-]{1,63}(?:\.[a-z\d-]{1,63}){0,3}\Z", re.IGNORECASE)
_FORMULA = re.compile(r"\s*(?:=\s*[\w(+\-\"'@]|[+\-@](?:\s*cmd\b|\w{2,30}\(|\s*\d+\s*[+*/-]\s*cmd\b)|\t\s*=)")
_FENCED = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
# Letters that nobody sees but a model reads (Unicode tags; flags of regions use them rightly), and forced direction.
_HIDDEN = re.compile("(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0001-\U000e007f]")


def _markup(text: str, evidence: Sequence[str], *, names: bool = False) -> Finding | None:
    """With `names`, a bare domain passes: people ask about sites by it."""
    if _FORMULA.match(text):
        return Finding("markup", "opens like a formula of a spreadsheet", False)
    if not text.isascii() and (found := _HIDDEN.search(text)):
        return Finding("markup", f"hidden characters {_place(found)}", False)
    bare = _FENCED.sub(lambda code: " " * len(code.group()), text) if "`" in text else text
    lower = bare.lower()
    for mark, pattern in _ACTIVE:
        if mark in lower and (active := pattern.search(bare)):
            return Finding("markup", f"a script or active content {_place(active)}", False)
    if "<" in bare:
        for found in _HTML.finditer(bare):
            if not _held(found.group(), evidence):
                return Finding("markup", f"HTML {_place(found)}", False)
    if "](" in bare:
        for found in _MARKDOWN_LINK.finditer(bare):
            if not _held(found[1], evidence):
                kind = "an image" if found.group().startswith("!") else "a link"
                return Finding("markup", f"{kind} that is not in the evidence {_place(found)}", False)
    if "://" in text or "www." in lower:
        for found in _LINK.finditer(text):
            if not _own(found.group(), evidence):
                return Finding("markup", f"a link that is not in the evidence {_place(found)}", False)
    for found in () if names else _DOMAIN_END.finditer(bare):
        start = _DOMAIN_START.search(bare, max(0, found.start() - 120), found.start())
        if start and not _own(start.group() + found.group(), evidence):
            return Finding(
                "markup", f"a web address that is not in the evidence at character {start.start() + 1}", True
            )
    return None


def _held(piece: str, evidence: Sequence[str]) -> bool:
    return any(piece in text for text in evidence)


def _own(link: str, evidence: Sequence[str]) -> bool:
    """Whether a link is the evidence's own, or leads nowhere (RFC 2606)."""
    plain = link.rstrip(".,;:!?'\"*_").lower()
    host = re.sub(r"^[a-z]+://|[/?#].*$", "", plain)
    return bool(_NOBODYS.search(host)) or any(plain in text.lower() for text in evidence)


def _orders(text: str) -> Finding | None:
    return Finding("orders", "gives orders to a language model", True) if orders(text) else None
