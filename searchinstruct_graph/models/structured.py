from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from .usage import no_usage
T=TypeVar("T")
@dataclass(frozen=True)
class Reply(Generic[T]):
    value: T
    usage: Any
@dataclass(frozen=True)
class Failure:
    kind: str
    detail: str
    usage: Any
async def structured(schema, messages, *, model, role, allowance, temperature=None, seed=None):
    from .offline import OfflineChatModel
    import json
    r=await OfflineChatModel().bind(reply_schema=schema.__name__,temperature=temperature,seed=seed).ainvoke(messages)
    return Reply(schema.model_validate_json(r.text), {**no_usage(),"model_calls":1})
