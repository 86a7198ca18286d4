"""Words that do not tell what a question is about, in ten languages: function words, requests, kinds of question."""

from __future__ import annotations

import re

from searchinstruct_graph.text.words import normal_form

# Words that may go without changing what is asked.
_DROPPED = {
    "en": (
        "a an the this that these those of in on at to for by as into with about between is are was were be been being am do "
        "does did done has have had having will would can could should may might must shall and or if then than so it its he "
        "she they them his her their i you we our your my me us one someone anyone who whom whose what which there here some "
        "any also just very get got please explain describe tell give show list name provide discuss outline state define "
        "definition know main major primary exactly actually really simply basically properly correctly kindly briefly "
        "detail details detailed"
    ),
    "de": (
        "der die das dem den des ein eine einen einem einer eines und oder in im an am auf bei mit von vom zu zum zur für ist "
        "sind war waren sein wird werden wurde wurden hat haben hatte als auch es er sie ihr ihre seine sich ich du wir man "
        "mir mich was wer welche welcher welches welchen kann können könnte soll bitte erkläre erklären erklär "
        "beschreibe beschreiben nenne nennen gib sag gibt"
    ),
    "fr": (
        "le la les l un une des du de d et ou dans à au aux par avec est sont était été être a ont avoir il elle ils elles on "
        "je tu nous vous me moi qui que qu quoi quel quelle quels quelles ce c cette ces se s sa son ses leur leurs t y en "
        "est-ce peut peux puis peut-on explique expliquez expliquer décris décrivez donne donnez cite citez svp"
    ),
    "es": (
        "el la los las un una unos unas y o e u en por para con de del al a es son fue fueron era ser ha han se su sus que qué "
        "quién cuál cuáles lo le me te yo tú usted tiene tienen tener puedo puede pueden explica explique explícame describe "
        "describa dime da enumera favor hay"
    ),
    "it": (
        "il lo la i gli le l un uno una di del dello della dei degli delle e o ed in nel nella a al alla per con su da dal è "
        "sono era ha hanno ho avere essere si mi ti che chi cosa cos quale quali qual posso può spiega spiegami descrivi "
        "elenca dimmi ci"
    ),
    "pt": (
        "o a os as um uma de do da dos das e ou em no na nos nas por para com ao à é são foi era ser tem têm ter se me eu você "
        "que quê quem qual quais posso pode explique explica descreva descreve diga liste há"
    ),
    "ru": (
        "и или в во на с со к ко по о об от у за для ли это этот эта эти является являются быть был была есть я мы вы он она "
        "они мне что кто какой какая какое какие каков какова каковы который можно объясни объясните опиши опишите расскажи "
        "расскажите назови назовите перечисли пожалуйста"
    ),
    "fa": (
        "و در به از که این آن را با برای است هست هستند بود شد های ها تا یک بر هم نیز چه چیست چی کدام کدامند آیا باید شود دارد "
        "دارند داره من ما شما او می میشود میتوان میتوانم میتوانید میتوانیم توان لطفا لطفاً توضیح بده دهید بدهید بگو بگویید"
    ),
    "ar": (
        "في على إلى عن مع هو هي هم هذا هذه ذلك التي الذي الذين كان كانت أن إن ما ماذا ماهي ماهو من هل و أو ثم قد أنا أنت نحن "
        "يمكن يمكنني اشرح وضح اذكر صف فضلك أخبرني لي"
    ),
}

# A word for each kind of question, and words taken for one another.
_SAME = {
    "en": (
        "#why:why reason reasons|#how:how way ways method methods step steps procedure|#when:when|#where:where|"
        "#not:not no never cannot n't|differ:difference differences differ differs different compare contrast distinguish vs "
        "versus|benefit:benefits benefit advantage advantages pros upsides|drawback:drawbacks drawback disadvantage "
        "disadvantages cons downsides|delete:remove erase delete|buy:purchase buy|start:begin start commence|"
        "fix:repair fix|big:large big|calculate:compute calculate|"
        "2:two|3:three|4:four|5:five|6:six|7:seven|8:eight|9:nine|10:ten|"
        "write:wrote written|fall:fell fallen|begin:began begun|make:made|take:took taken|give:gave given|find:found|"
        "build:built|go:went gone|grow:grew grown|know:knew known|see:saw seen|speak:spoke spoken|win:won|lose:lost|"
        "think:thought|teach:taught|buy:bought|bring:brought|say:said|sell:sold|hold:held|lead:led|run:ran|break:broke broken|"
        "choose:chose chosen|draw:drew drawn|drive:drove driven|eat:ate eaten|fly:flew flown|freeze:froze frozen|"
        "become:became|woman:women|man:men|child:children|foot:feet|tooth:teeth|mouse:mice"
    ),
    "de": "#why:warum wieso weshalb|#how:wie|#when:wann|#where:wo|#not:nicht kein keine keinen|differ:unterschied unterschiede "
    "unterscheiden unterscheidet",
    "fr": "#why:pourquoi|#how:comment|#when:quand|#where:où|#not:ne n pas|differ:différence différences diffèrent",
    "es": "#why:porqué|#how:cómo|#when:cuándo|#where:dónde|#not:no|differ:diferencia diferencias diferencian difieren",
    "it": "#why:perché|#how:come|#when:quando|#where:dove|#not:non|differ:differenza differenze",
    "pt": "#why:porquê porque|#how:como|#when:quando|#where:onde|#not:não|differ:diferença diferenças",
    "ru": "#why:почему зачем отчего|#how:как|#when:когда|#where:где|#not:не|differ:разница различие различия отличаются",
    "fa": "#why:چرا|#how:چگونه چطور چجوری|#when:کی|#where:کجا کجاست|differ:تفاوت تفاوت‌های فرق",
    "ar": "#why:لماذا|#how:كيف|#when:متى|#where:أين|#not:لا لم لن ليس|differ:الفرق فرق",
}

PHRASES = {
    "en": (
        (re.compile(r"\b(?:(?:for|in|at|on) )?what (?:year|date)\b"), "when"),
        (re.compile(r"\b(?:(?:i )?(?:would like|want|need) to know|what s|can you|could you)\b"), " "),
        (re.compile(r"\bto do\b"), "todo"),
        (re.compile(r"\b(?:how come|what (?:is|was|are|were) the reasons? (?:that|for|why|behind))\b"), "why"),
    ),
    "es": ((re.compile(r"\bpor qué\b"), "porqué"),),
    "pt": ((re.compile(r"\bpor qu[eê]\b"), "porquê"),),
}

# Chinese and Japanese, longest first: what each string between content words stands for.
_HAN = {
    "zh": "#why:为什么 为何 為什麼 为啥|#when:什么时候 何时 甚麼時候|"
    "#where:哪里 哪儿 何处 什么地方|#how:如何 怎样 怎么样 怎么 怎麼|"
    ":请问 请给出 请解释 请说明 请介绍 请描述 请列出 请 解释 说明 介绍 描述 列出 告诉我 一下 "
    "是什么 什么是 什么 哪些 哪个 谁 吗 呢 的 了 是 有 在 里 中 和 与 我 你 您 可以 能够 应该 个",
    "ja": "#why:なぜ どうして|#when:いつ|#where:どこ|#how:どうすれば どうやって どのように|"
    ":ください 教えて 説明して について とは ですか ますか でしょうか よいですか いいですか 何ですか "
    "何 です ます いい よい か は が を に で の と も へ",
}


def _canon(listed: str) -> dict[str, str]:
    pairs = (group.split(":") for group in listed.split("|"))
    return {normal_form(word): name for name, held in pairs for word in held.split()}


CANON = {
    language: {**dict.fromkeys(map(normal_form, dropped.split()), ""), **_canon(_SAME[language])}
    for language, dropped in _DROPPED.items()
}
"""By language: normal form of a word to what stands for it, empty for a word that says nothing."""

LATIN = {
    word: tuple(language for language in ("en", "de", "fr", "es", "it", "pt") if word in CANON[language])
    for canon in CANON.values()
    for word in canon
}
"""The languages in Latin script of which a word is a function word."""

ALL_DROPPED = frozenset(word for canon in CANON.values() for word, name in canon.items() if not name)
HAN_CANON = {language: _canon(listed) for language, listed in _HAN.items()}
HAN_PATTERN = {
    language: re.compile("|".join(sorted(map(re.escape, canon), key=len, reverse=True)))
    for language, canon in HAN_CANON.items()
}
EVEN = frozenset("and or vs versus und oder et ou y o e и или و او يا 和 与 跟 或 と や".split())
"""Connectors whose two sides may change places."""
