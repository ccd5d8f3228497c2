"""Methods: a model and how it is used, together a system. Each wraps the call of any benchmark, and says so in its
rules."""
