"""The page's style sheet: light, dark, paper and narrow screens, without a font or picture from anywhere."""

from __future__ import annotations

from searchinstruct_graph.datasets.report.charts import COLOURS, SHADES, WORTHS

LIGHT = {
    "page": "#f7f6f3",
    "card": "#ffffff",
    "ink": "#1d2430",
    "quiet": "#59626f",
    "line": "#d8dce2",
    "accent": "#2457a6",
    "good": "#2e7d4f",
    "over": "#b3541e",
    "marked": "#ffef9e",
    "shade-0": "#ffffff",
    "shade-1": "#e6effa",
    "shade-2": "#c9def4",
    "shade-3": "#a6caed",
    "shade-4": "#7fb1e2",
    "shade-5": "#2f6fb3",
    "shade-6": "#17498a",
    "deep": "#ffffff",
    "colour-0": "#2563eb",
    "colour-1": "#d4550f",
    "colour-2": "#15803d",
    "colour-3": "#7c3aed",
    "colour-4": "#be123c",
    "colour-5": "#0e8080",
    "colour-6": "#7a5230",
    "colour-7": "#d1379b",
    "colour-8": "#6b7a0f",
    "colour-none": "#7b8490",
}
"""Colours by name; `deep` is the ink on the two darkest shades."""

DARK = {
    "page": "#12161c",
    "card": "#1b212a",
    "ink": "#e8ebf0",
    "quiet": "#a6b0bd",
    "line": "#39424f",
    "accent": "#86b4ff",
    "good": "#69c48c",
    "over": "#f0995c",
    "marked": "#5a4b00",
    "shade-0": "#1b212a",
    "shade-1": "#1f3048",
    "shade-2": "#233c60",
    "shade-3": "#284a7a",
    "shade-4": "#2d5996",
    "shade-5": "#86b4ee",
    "shade-6": "#bcd8fa",
    "deep": "#10151c",
    "colour-0": "#7aa8ff",
    "colour-1": "#ff9d5c",
    "colour-2": "#5fcf86",
    "colour-3": "#b79bff",
    "colour-4": "#ff7a90",
    "colour-5": "#4fd0d0",
    "colour-6": "#c9a27a",
    "colour-7": "#ff8fd0",
    "colour-8": "#c3d24f",
    "colour-none": "#8b95a3",
}

_RULES = """
*{box-sizing:border-box}
html{color-scheme:light dark;scroll-behavior:smooth}
body{margin:0;background:var(--page);color:var(--ink);overflow-wrap:anywhere;
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:.5rem;background:var(--card);padding:.5rem}
header,nav,main,body>footer{max-width:72rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2rem}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .3rem;letter-spacing:-.01em}
h2{font-size:1.3rem;line-height:1.3;margin:0 0 .8rem}
h3{font-size:1.05rem;margin:1.6rem 0 .5rem}
p{margin:.5rem 0}
a{color:var(--accent)}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.quiet{color:var(--quiet);font-size:.92rem}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;list-style:none;padding:0;margin:1rem 0}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1.3rem 1.4rem;margin:1.2rem 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.8rem;margin:1.2rem 0 0;padding:0}
.tiles>div{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:.7rem .9rem}
.tiles dt{color:var(--quiet);font-size:.85rem}
.tiles dd{margin:0;font-size:1.5rem;line-height:1.3;font-weight:600;font-variant-numeric:tabular-nums}
.tiles dd small{display:block;font-size:.82rem;font-weight:400;color:var(--quiet)}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,25rem),1fr));gap:.4rem 2rem;align-items:start}
.grid>*{min-width:0}
.wide{overflow-x:auto;margin:.9rem 0}
table{border-collapse:collapse;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums;overflow-wrap:normal}
caption{text-align:start;font-weight:600;padding:0 0 .4rem}
th,td{padding:.28rem .6rem .28rem 0;text-align:start;vertical-align:top;border-bottom:1px solid var(--line)}
tbody th{font-weight:400;overflow-wrap:anywhere;min-width:7rem}
thead th,tfoot th{font-weight:600;color:var(--quiet);font-size:.85rem}
tfoot td{color:var(--quiet)}
.number,thead .number{text-align:end;white-space:nowrap}
td:has(>.bar){width:32%;min-width:4.5rem;vertical-align:middle}
td:last-child,th:last-child{padding-inline-end:0}
.bar{display:block;width:100%;height:.7rem}
.bar rect{fill:var(--accent)}.bar.good rect{fill:var(--good)}.bar.over rect{fill:var(--over)}
.heavy{color:var(--over);font-weight:700}
.heat{width:auto;min-width:min(100%,42rem)}
.heat th,.heat td{border:1px solid var(--line);padding:.25rem .5rem}
.heat thead th:not(:first-child){text-align:end}
figure{margin:.9rem 0}
figcaption{margin:0 0 .4rem;font-size:.92rem;color:var(--quiet)}
figcaption b{color:var(--ink)}
.chart{display:block;width:100%;max-width:32rem;height:auto}
.chart text{font-size:11.5px;fill:var(--quiet)}
.grid line,.chart .grid{stroke:var(--line);stroke-width:1}
.column{fill:var(--accent)}
.points{max-width:52rem;border:1px solid var(--line);border-radius:8px}
.points circle{stroke:var(--card);stroke-width:.8;fill-opacity:.85}
.points circle:hover{stroke:var(--ink);stroke-width:2}
.discs{max-width:52rem}.lines{max-width:38rem}
.line{fill:none;stroke-width:2.2;stroke-linejoin:round;stroke:var(--accent)}
.line-1{stroke:var(--good)}.line-2{stroke:var(--quiet);stroke-dasharray:6 4}.line-3{stroke:var(--over)}
.sample{width:1.4rem;height:.65rem;vertical-align:0;overflow:visible}
.bar .at-random{fill:var(--quiet)}
.chart.discs{border:1px solid var(--line);border-radius:8px}
.discs circle{stroke:var(--quiet);stroke-width:.9;fill-opacity:.88}
.discs .worth-none{fill:var(--card);stroke-dasharray:2.5 2}
.discs .ringed{stroke:var(--over);stroke-width:2.6;stroke-dasharray:none}
.legend .discs{width:.95rem;height:.95rem;vertical-align:-.15rem}
.discs circle:hover{stroke:var(--ink)}
.cross path{stroke:var(--ink);stroke-width:2.4;fill:none}.cross .under{stroke:var(--card);stroke-width:6}
.choice{border:0;padding:0;margin:.3rem 0 .5rem;display:flex;gap:.3rem;flex-wrap:wrap;align-items:center;font-size:.92rem}
.choice legend{float:inline-start;padding:0;margin-inline-end:.6rem}
.choice label{margin-inline-end:.9rem;cursor:pointer}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;list-style:none;padding:0;margin:.5rem 0;font-size:.9rem}
.swatch{width:.75rem;height:.75rem;vertical-align:-.05rem}
.legend-b,.map:has(#colour-b:checked) .legend-a{display:none}
.map:has(#colour-b:checked) .legend-b{display:flex}
details{margin:.5rem 0}
summary{cursor:pointer;padding:.2rem 0}
.card{border:1px solid var(--line);border-radius:8px;padding:.35rem .9rem;margin:.6rem 0}
.card[open]{padding-bottom:.8rem}
.card>summary .title{font-weight:600}
.chips{display:flex;flex-wrap:wrap;gap:.3rem;list-style:none;padding:0;margin:.5rem 0}
.chips li{border:1px solid var(--line);border-radius:99px;padding:0 .6rem;font-size:.82rem;color:var(--quiet)}
.own{white-space:pre-wrap}
.statements{padding-inline-start:1.4rem}.statements li{margin:.3rem 0}
.statements a{text-decoration:none}
blockquote{margin:.4rem 0 .8rem;padding:.1rem .9rem;border-inline-start:3px solid var(--line);font-size:.94rem}
.source .cited{margin:.7rem 0 0}.source .cited+p{margin:0}
.gap{color:var(--quiet);margin:.1rem 0}
mark{background:var(--marked);color:inherit;border-radius:2px}
a:target+mark,a:target+a+mark{outline:2px solid var(--accent);outline-offset:1px}
.rejected{border-top:1px solid var(--line);padding:.4rem 0}
.rejected:first-of-type{border-top:0}
.asked{font-weight:600}
.columns{columns:14rem;font-size:.92rem}
.pairs li{margin:.5rem 0}
body>footer{padding-bottom:2rem}
@media(max-width:40rem){
body{font-size:15px}header{padding-top:1.2rem}header,nav,main,body>footer{padding-left:.8rem;padding-right:.8rem}
section{padding:1rem .9rem}.tiles{grid-template-columns:1fr 1fr}h1{font-size:1.5rem}.tiles dd{font-size:1.25rem}
tbody th{min-width:5rem}td:has(>.bar){min-width:3rem}
}
@media print{
html{color-scheme:light}body{background:none;font-size:10pt}nav,.choice,.skip{display:none}
section{border:0;padding:0;margin:0 0 1rem}
.card,figure,tr,.tiles{break-inside:avoid}.card{break-inside:auto}h2,caption,summary{break-after:avoid}
details::details-content{content-visibility:visible;block-size:auto;display:block}summary{list-style:none}
.wide{overflow:visible}mark,[class*=shade-]{print-color-adjust:exact;-webkit-print-color-adjust:exact}
}
"""


def _variables(colours: dict[str, str]) -> str:
    return ":root{" + "".join(f"--{name}:{value};" for name, value in colours.items()) + "}"


def _classes() -> str:
    shades = "".join(f".shade-{at}{{background:var(--shade-{at})}}" for at in range(SHADES))
    deep = ",".join(f".heat .shade-{at}" for at in (SHADES - 2, SHADES - 1)) + "{color:var(--deep)}"
    worths = "".join(f".discs .worth-{at}{{fill:var(--shade-{at + 1})}}" for at in range(WORTHS))
    colours = []
    for at in [*map(str, range(COLOURS)), "none"]:
        key = "n" if at == "none" else at
        colours.append(
            f".colour-{at},.points .a{key},.map:has(#colour-b:checked) .points .b{key}{{fill:var(--colour-{at})}}"
        )
    return shades + deep + worths + "".join(colours)


def style_sheet() -> str:
    """All of it, as the inside of a `style` element."""
    dark = f"@media screen and (prefers-color-scheme:dark){{{_variables(DARK)}}}"
    return _variables(LIGHT) + dark + _RULES + _classes()
