"""The funnel of a run as lines for a terminal, and numbers as people read them."""

from __future__ import annotations

import re

from searchinstruct_graph.datasets.report.facts import ReportUsage
from searchinstruct_graph.datasets.rows import Funnel

_WIDTH = 24
_REASONS = 6


def percent(part: float, whole: float) -> str:
    """`part` of `whole` in per cent; a dash without a whole."""
    if not whole:
        return "–"
    share = 100 * part / whole
    return f"{share:.1f}%" if 0 < share < 9.95 or 99 < share < 100 else f"{share:.0f}%"


def money(dollars: float | None) -> str:
    """US dollars; what is not known is `unknown`, never 0."""
    if dollars is None:
        return "unknown"
    return f"${dollars:,.2f}" if dollars >= 1 or dollars == 0 else f"${dollars:.2g}"


def duration(seconds: float | None) -> str:
    """A length of time in its two largest units."""
    if seconds is None:
        return "unknown"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60:,} h {minutes % 60:02d} min"


def a_row(amount: float | None, rows: int, digits: int = 1) -> str:
    """`amount` for each accepted row; a dash without rows, `unknown` without the amount."""
    if amount is None:
        return "unknown"
    return f"{amount / rows:,.{digits}f}" if rows else "–"


def text_summary(
    funnel: Funnel, target: int | None = None, usage: ReportUsage | None = None, *, extracted: bool = False
) -> str:
    """The funnel as lines without a final line break, a bar for each stage; every line is under 100 columns.

    The yield is told as it is: accepted rows of those answered, and of everything proposed. `extracted`: what was proposed
    are the pairs that an extraction has found, which come with their answers.
    """
    proposed, accepted = funnel["proposed"], funnel["accepted"]
    longest = max(proposed, funnel["admitted"], funnel["answered"], accepted, 1)
    digits = len(f"{longest:,}")

    def line(name: str, count: int, note: str = "", drawn: bool = True) -> str:
        filled = max(round(_WIDTH * count / longest), 1 if count else 0) if drawn else 0
        return f"{name:<12}{count:>{digits},}  {'█' * filled:<{_WIDTH}}  {note}".rstrip()

    wanted = f"of {target:,} wanted; " if target is not None else ""
    admitted = percent(funnel["admitted"], proposed)
    if extracted:
        lines = [
            line("pairs found", proposed),
            line("admitted", funnel["admitted"], f"{admitted} of the pairs found"),
            line("accepted", accepted, f"{wanted}{percent(accepted, proposed)} of the pairs found"),
            line("refused", funnel["refused"], "they do not hold, lie off target, or repeat another", drawn=False),
            line("rejected", funnel["rejected"], "when they stood before the rows", drawn=False),
        ]
    else:
        lines = [
            line("proposed", proposed),
            line("admitted", funnel["admitted"], f"{admitted} of proposed"),
            line("answered", funnel["answered"], f"{percent(funnel['answered'], funnel['admitted'])} of admitted"),
            line(
                "accepted",
                accepted,
                f"{wanted}{percent(accepted, funnel['answered'])} of answered, {percent(accepted, proposed)} of proposed",
            ),
            line("refused", funnel["refused"], "before they were answered", drawn=False),
            line("rejected", funnel["rejected"], "after they were answered", drawn=False),
        ]
    if funnel["quarantined"]:
        lines.append(line("quarantined", funnel["quarantined"], "of these wait for a person", drawn=False))
    if funnel["surplus"]:
        lines.append(
            line(
                "surplus",
                funnel["surplus"],
                "good, but beyond the target"
                if extracted
                else "good, but beyond the target or the share of a file or level",
                drawn=False,
            )
        )
    reasons = sorted(funnel["reasons"].items(), key=lambda item: (-item[1], item[0]))
    lines += [f"  {count:>{digits},} {_plain(reason)}" for reason, count in reasons[:_REASONS]]
    if reasons[_REASONS:]:
        rest = sum(count for _, count in reasons[_REASONS:])
        lines.append(f"  {rest:>{digits},} for {len(reasons) - _REASONS} other reasons")
    if usage is not None:
        lines += cost_lines(usage, accepted, "an accepted row")
    return "\n".join(lines)


def cost_lines(usage: ReportUsage, made: int, each: str) -> list[str]:
    """What a run has cost, in two lines; `each` names one of the `made` ones that it was for."""
    return [
        f"{usage['model_calls']:,} model calls ({a_row(usage['model_calls'], made)} {each}), "
        f"{usage['searches']:,} searches, {usage['pages']:,} pages",
        f"{usage['input_tokens']:,} tokens in, {usage['output_tokens']:,} out; cost {money(usage['cost_usd'])}; "
        f"time {duration(usage['seconds'])}",
    ]


def _plain(text: str) -> str:
    """A reason without what could drive a terminal."""
    return re.sub(r"[^\w .,:;()'/-]", "?", text)[:60]
