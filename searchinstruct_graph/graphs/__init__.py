"""The state machines that LangGraph Studio shows. `research` answers one question."""
