"""The 22 tasks of CORE (DataComp-LM), in the form of llm-foundry."""
