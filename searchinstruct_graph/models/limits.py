"""shim"""
from __future__ import annotations
from typing_extensions import TypedDict
class Allowance(TypedDict):
    model_calls: int
    tokens: int
    cost_usd: float | None
    searches: int
    pages: int
    seconds: float
def remaining(l, u):
    return Allowance(model_calls=max(0,l["model_calls"]-u["model_calls"]),tokens=max(0,l["tokens"]-u["input_tokens"]-u["output_tokens"]),cost_usd=None if l["cost_usd"] is None else max(0,l["cost_usd"]-(u["cost_usd"] or 0)),searches=max(0,l["searches"]-u["searches"]),pages=max(0,l["pages"]-u["pages"]),seconds=max(0,l["seconds"]-u["seconds"]))
def share(a,n):
    return Allowance(model_calls=a["model_calls"]//n,tokens=a["tokens"]//n,cost_usd=None if a["cost_usd"] is None else a["cost_usd"]/n,searches=a["searches"]//n,pages=a["pages"]//n,seconds=a["seconds"])
def reserve(a, *, model_calls=0):
    return {**a,"model_calls":max(0,a["model_calls"]-model_calls)}
def spent(a):
    return next((k for k in ("model_calls","tokens","searches","pages","seconds") if a[k]<=0),None)
