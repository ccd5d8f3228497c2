"""Judging by models: grades, comparisons, juries."""

from howgood.outputs.judge.base import Judged, Question
from howgood.outputs.judge.graded import Graded
from howgood.outputs.judge.pairwise import Pairwise
from howgood.outputs.judge.template import Template

__all__ = ["Graded", "Judged", "Pairwise", "Question", "Template"]
