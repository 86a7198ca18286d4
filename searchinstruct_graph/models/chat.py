def resolve_model(n): return n or "offline"
