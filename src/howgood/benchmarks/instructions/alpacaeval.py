"""AlpacaEval 2: is the answer preferred to a baseline's, at equal length. Dubois et al., arXiv:2404.04475"""

from __future__ import annotations

import csv
import io
import random
import re
from functools import cache
from importlib.util import find_spec
from typing import Any, Literal

from howgood.calls.generation import Generation
from howgood.core.errors import DataError, HowgoodError
from howgood.core.registry import benchmark
from howgood.core.types import Instance
from howgood.inputs.base import Inputs, Row
from howgood.inputs.hub import Hub
from howgood.inputs.joined import Joined
from howgood.inputs.local import Local
from howgood.inputs.published import Published
from howgood.interpret.estimate import Mean, Several
from howgood.interpret.length_control import Anchors, LengthControlled
from howgood.outputs.judge import Pairwise, Template
from howgood.runs.benchmark import Benchmark

HUB = "https://huggingface.co/datasets/tatsu-lab/alpaca_eval/resolve/main"
CODE = "https://raw.githubusercontent.com/tatsu-lab/alpaca_eval/main/src/alpaca_eval/evaluators_configs"
PROMPT = Published(
    "alpacaeval/alpaca_eval_clf.txt",
    f"{CODE}/alpaca_eval_clf_gpt4_turbo/alpaca_eval_clf.txt",
    "784227e6dc2832fc08c43d2c8ea3a308e7523780187a1aaad2f85e30bac85f62",
)
DIFFICULTY = Published(
    "alpacaeval/instruction_difficulty.csv",
    f"{HUB}/instruction_difficulty.csv",
    "e28d875bb334f75e17acd1e4ed659b261860e3db379cf5de29060301bed0a18b",
)
ANCHORS = Published(
    "alpacaeval/df_gamed.csv",
    f"{HUB}/df_gamed.csv",
    "97aeec3f1c7de6dee6fd31fe66f1702623f4614c3efe1c6fc5f4927cd5fd674d",
)
BASELINE, JUDGE = "gpt4_1106_preview", "openai/gpt-4-1106-preview"
CHATML = re.compile(r"<\|im_start\|>(\w+)\n(.*?)\n?<\|im_end\|>", re.DOTALL)


@benchmark(
    "alpacaeval",
    purpose="preference",
    cite="https://arxiv.org/abs/2404.04475",
    human_source="no rate of people is published; two people agree on 66 % of such pairs "
    "(https://github.com/tatsu-lab/alpaca_eval, evaluators_leaderboard.csv)",
    flaws=(
        "One constant answer that speaks to the judge reaches 86.5 % under the published prompt, where answers stand "
        "bare (arXiv:2410.07137).",
        "Judge and baseline are one model, and it prefers what is shown second.",
        "The error that upstream gives for the length-controlled rate is two to six times too small.",
    ),
    deviations=(
        "Both orders are judged; -P compat=upstream shows one, drawn as upstream does.",
        "The regression on length has no penalty, which moves the rate by at most 0.15 points, and joins difficulties "
        "by instruction, not by place, which moves models with missing answers by up to 2.8; -P compat=upstream takes "
        "the penalty (and joins by instruction all the same).",
        "Where the published prompt is out of reach the judge is asked in our own words (the rules say which). In ours "
        "answers stand as data that cannot speak to the judge: -P prompt=howgood.",
        "Difficulties and the rows that anchor the slope of length were fitted for the judge GPT-4 Turbo against "
        "gpt4_1106_preview; with another baseline there are none.",
    ),
    data="alpacaeval/eval_set.jsonl.gz (index, instruction, dataset) and alpacaeval/baselines/NAME.jsonl.gz (index, "
    "output); for length control alpacaeval/instruction_difficulty.csv and df_gamed.csv; for -P prompt=official "
    "alpacaeval/alpaca_eval_clf.txt",
)
def alpacaeval(
    baseline: str = BASELINE,
    prompt: Literal["auto", "official", "howgood"] = "auto",
    verdict: Literal["logprobs", "json"] = "logprobs",
    compat: Literal["none", "upstream"] = "none",
) -> Benchmark:
    """AlpacaEval 2: 805 instructions, answered better than a baseline or not, by a judge, and at equal length."""
    if not re.fullmatch(r"[\w.-]{1,100}", baseline):
        raise DataError(f"-P baseline takes the name of a file in alpacaeval/baselines, not '{baseline}'")
    local = Joined(
        Local(test="alpacaeval/eval_set.jsonl.gz"), Local(test=f"alpacaeval/baselines/{baseline}.jsonl.gz"), "index"
    )
    hub = (Hub("tatsu-lab/alpaca_eval", test="alpaca_eval_gpt4_baseline.json"),) if baseline == BASELINE else ()
    upstream = compat == "upstream"
    template = None if prompt == "howgood" or verdict == "json" else read_template(needed=prompt == "official")
    official = template is not None
    if prompt == "official" and verdict == "json":
        raise DataError("-P prompt=official asks for one letter and is read by its probabilities; leave out -P verdict")
    own = baseline == BASELINE
    anchors = read_anchors() if own else None
    if upstream:
        need_upstream(own)
    outputs = Pairwise(
        judge=JUDGE,
        temperature=1.0 if official else 0.0,
        verdict_by=verdict,
        template=template,
        names=("m", "M") if official else ("A", "B"),
        orders=second_by_lot if upstream else "both",
        extra=difficulty if own and difficulties() is not None else None,
    )
    return Benchmark(
        inputs=Inputs(to_instance, (local, *hub)),
        call=Generation(max_tokens=2048),
        outputs=outputs,
        interpret=Several(
            LengthControlled(anchors, upstream),
            Mean("preference", others=False),
            *(() if upstream else (Mean("consistent", by=None, others=False),)),
        ),
    )


def need_upstream(own: bool) -> None:
    """Raises `HowgoodError` where the length control of upstream cannot be had."""
    if not own:
        raise DataError(f"-P compat=upstream goes with the baseline {BASELINE}, which its side files were fitted for")
    DIFFICULTY.needed()
    ANCHORS.needed()
    if find_spec("sklearn") is None:
        raise HowgoodError("-P compat=upstream needs scikit-learn: pip install scikit-learn")


def to_instance(row: Row, index: int) -> Instance:
    return Instance(
        str(row.get("index", index)),
        row["instruction"],
        targets=(row["output"],),
        stratum=row.get("dataset"),
        metadata={"index": int(row.get("index", index))},
    )


def second_by_lot(instance: Instance) -> bool:
    """Whether the model's answer is shown first: upstream draws by a seed of the instruction whether the two, of which
    the baseline's is the first, change places."""
    assert isinstance(instance.input, str)
    draw = random.Random(f"is_switched_outputs{instance.input}0")
    return draw.choices([False, True])[0]


def read_template(needed: bool) -> Template | None:
    """The published prompt, whose turns are marked as ChatML, and in which answers stand bare; None where it is out of
    reach, unless it is `needed`."""
    text = PROMPT.needed() if needed else PROMPT.text()
    if text is None:
        return None
    turns = dict(CHATML.findall(text))
    slots = (("{instruction}", "question"), ("{output_1}", "first"), ("{output_2}", "second"))
    return Template("AlpacaEval 2 (alpaca_eval_clf.txt)", turns["user"], turns["system"], slots)


@cache
def difficulties() -> tuple[float, ...] | None:
    """How hard the authors found each instruction, in order; None where the file is out of reach."""
    text = DIFFICULTY.text()
    if text is None:
        return None
    return tuple(float(row["instruction_difficulty"]) for row in csv.DictReader(io.StringIO(text)))


def difficulty(instance: Instance) -> dict[str, float]:
    known = difficulties()
    assert known is not None
    return {"difficulty": known[instance.metadata["index"]]}


def read_anchors() -> Anchors | None:
    """The preferences of the judge for the baseline when it was told to be short or long; None where out of reach."""
    import numpy as np

    text = ANCHORS.text()
    if text is None:
        return None
    rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(text)))

    def column(name: str) -> Any:
        return np.array([float(row[name]) for row in rows])

    return Anchors(column("preference"), column("std_delta_len"), column("instruction_difficulty"))
