"""shim"""
from __future__ import annotations
from collections.abc import Sequence
from typing_extensions import TypedDict
class RoleUsage(TypedDict):
    model_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
class Usage(TypedDict):
    model_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    searches: int
    pages: int
    seconds: float
    roles: dict[str, RoleUsage]
def no_usage() -> Usage:
    return Usage(model_calls=0,input_tokens=0,output_tokens=0,cost_usd=0.0,searches=0,pages=0,seconds=0.0,roles={})
def _c(a,b): return None if a is None or b is None else a+b
def add_usage(a: Usage, b: Usage) -> Usage:
    a = a or no_usage(); b = b or no_usage()
    out = {k:a[k]+b[k] for k in ("model_calls","input_tokens","output_tokens","searches","pages","seconds")}
    out["cost_usd"]=_c(a["cost_usd"],b["cost_usd"]); out["roles"]={**a["roles"],**b["roles"]}
    return out
def join_usage(parts: Sequence[Usage]) -> Usage:
    t=no_usage()
    for p in parts: t=add_usage(t,p)
    t["seconds"]=max([p["seconds"] for p in parts],default=0.0)
    return t
