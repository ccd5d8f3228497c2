"""A task of CORE as a benchmark."""

from __future__ import annotations

import re
from functools import partial

from howgood.benchmarks.core.call import InContext, Kind, LikeliestPerToken
from howgood.benchmarks.core.data import LlmFoundry
from howgood.benchmarks.perplexity import hellaswag
from howgood.core.text import digest
from howgood.core.types import Instance
from howgood.inputs.base import Inputs, Row
from howgood.inputs.fewshot import Shots
from howgood.inputs.local import Local
from howgood.interpret.core_score import TASKS
from howgood.interpret.estimate import Mean
from howgood.outputs.likelihood import ContinuationScore
from howgood.runs.benchmark import Benchmark

DEVIATIONS = (
    "Worked examples are drawn for each question by our seed, not by llm-foundry's, and never from its own cluster.",
    "A prompt may be as long as the model's context; DataComp-LM cuts it to 2,048 tokens.",
)


def task(
    name: str,
    kind: Kind,
    path: str,
    delimiter: str = " ",
    passage: str = "",
    also: str = "",
    macro: bool = False,
) -> Benchmark:
    """The task `name` of `TASKS` on llm-foundry's file `path`.

    Questions on one passage (the text before the first match of the pattern `passage`) are a cluster, and so are the
    sentences of a schema with the same contexts. `also` is another file of a data folder with these questions; with
    `macro` every category counts alike."""
    shots = next(one.shots for one in TASKS if one.name == name)
    local = [Local(test=name) for name in (f"dclm_core/{path}*", also) if name]
    return Benchmark(
        inputs=Inputs(partial(to_instance, passage=passage), (*local, LlmFoundry(path))),
        call=InContext(kind, delimiter, Shots(shots)),
        outputs=ContinuationScore() if kind == "text" else LikeliestPerToken(),
        interpret=Mean("acc", macro=macro, others=False),
    )


def to_instance(row: Row, index: int, passage: str = "") -> Instance:
    if "context_options" in row:
        contexts = tuple(context.strip() for context in row["context_options"])
        target, gold = row["continuation"].strip(), (int(row["gold"]),)
        return Instance(str(index), "", (target,), contexts, gold, cluster=digest(sorted(contexts)))
    if "endings" in row:
        return hellaswag.to_instance(row, index)
    question = row["query" if "choices" in row else "context"].strip()
    cluster = digest(re.split(passage, question, maxsplit=1)[0]) if passage else None
    if "choices" not in row:
        target = row["continuation"].strip()
        return Instance(str(index), question, (target,), stratum=row.get("category"), cluster=cluster)
    return Instance(str(index), question, choices=tuple(row["choices"]), gold=(int(row["gold"]),), cluster=cluster)
