"""MMLU: exam questions in 57 subjects. Hendrycks et al., https://arxiv.org/abs/2009.03300"""

from __future__ import annotations

from howgood.benchmarks.knowledge.mmlu_labels import Labels, relabelled, sources
from howgood.benchmarks.knowledge.mmlu_subjects import SUBJECTS
from howgood.calls.choices import Choices, Method, subject_header
from howgood.core.errors import UnknownName
from howgood.core.registry import benchmark
from howgood.core.types import Instance
from howgood.inputs.base import Inputs, Row
from howgood.inputs.fewshot import Shots
from howgood.interpret.estimate import Mean
from howgood.outputs.choice import ChoiceAccuracy
from howgood.runs.benchmark import Benchmark

WORDINGS = (
    "Question: {input}",
    "Choose the right answer to this question.\n{input}",
    "{input}\nWhich of the options below is correct?",
)


@benchmark(
    "mmlu",
    purpose="capability",
    cite="https://arxiv.org/abs/2009.03300",
    random=0.25,
    human=0.898,
    human_source="Hendrycks et al.: experts, estimated from exam results; unspecialised crowd workers reach 0.345",
    flaws=(
        "An estimated 6.49 % of the questions have errors, 57 % of virology's (https://arxiv.org/abs/2406.04127).",
        "105 questions occur twice, with the same choices; 27 of them within one subject.",
    ),
    deviations=(
        "One space stands before the subject, as in lm-evaluation-harness; the authors' code writes two.",
        "-P labels=redux: MMLU-Redux 2.0, up to 100 questions a subject with labels that people looked over; those "
        "found faulty are left out unless the right choice is named. Not yet run on the real files.",
        "-P labels=platinum: the high-school mathematics of PlatinumBench. Not yet run on the real files.",
    ),
    data="mmlu/test.jsonl.gz, mmlu/dev.jsonl: question, subject, choices (a list), answer (its index, from 0); "
    "mmlu_redux/SUBJECT.jsonl, mmlu_platinum/mmlu_math.jsonl: the columns of the data sets on the Hub",
)
def mmlu(subjects: str = "all", shots: int = 5, method: Method = "auto", labels: Labels = "original") -> Benchmark:
    """Massive Multitask Language Understanding: 14,042 questions in 57 subjects, four choices."""
    wanted = SUBJECTS if subjects == "all" else tuple(name.strip() for name in subjects.split(","))
    for name in wanted:
        if name not in SUBJECTS:
            raise UnknownName("MMLU subject", name, SUBJECTS, "-P subjects=all takes all 57.")

    def to_instance(row: Row, index: int) -> Instance | tuple[()]:
        subject, choices, gold = row["subject"], tuple(row["choices"]), relabelled(row)
        if subject not in wanted or not gold:
            return ()
        id = f"{subject}/{row.get('place', index)}"
        return Instance(id, row["question"].strip(), choices=choices, gold=gold, stratum=subject)

    return Benchmark(
        inputs=Inputs(to_instance, sources(labels, wanted), wordings=WORDINGS),
        call=Choices(header=subject_header, shots=Shots(shots, how="first", same_stratum=True), method=method),
        outputs=ChoiceAccuracy(),
        interpret=Mean(by="stratum"),  # the subjects are the benchmark, not a sample of subjects: strata, not clusters
    )
