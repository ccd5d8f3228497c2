"""Following instructions: checks by program, judges, preferences."""
