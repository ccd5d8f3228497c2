"""Runs, instances, comparisons and benchmarks for a terminal, as rich renderables; 80 columns are enough for each.

Nothing here is markup: every text from data or a model goes through `safe.visible` into a `Text`, which rich prints
as it is.
"""
