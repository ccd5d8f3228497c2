"""Runs, instances, comparisons and benchmarks for a terminal, as rich renderables; 80 columns are enough for each.

Nothing here is markup: every text from data or a model goes through `safe.visible` into a `Text`, which rich prints
as it is.
"""

from howgood.report.terminal.benchmarks import benchmarks_table, card_view, suite_view
from howgood.report.terminal.comparisons import comparison_view, front_view
from howgood.report.terminal.instances import instance_view, instances_table
from howgood.report.terminal.runs import estimates_table, run_view, runs_table

__all__ = [
    "benchmarks_table",
    "card_view",
    "comparison_view",
    "estimates_table",
    "front_view",
    "instance_view",
    "instances_table",
    "run_view",
    "runs_table",
    "suite_view",
]
