"""How far llama.cpp and transformers agree on one GGUF file: greedy answers, and the log-probability of their text.

SmolLM2 answers the 30 instructions of quickstart and questions of GSM8K by either engine; what llama.cpp wrote is then
scored by transformers. Needs the extras `llamacpp` and `local`, and the folder ../shared/data.

    python tests/agreement/engines.py [--prompts 50] [--tokens 64]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from importlib import resources
from itertools import takewhile
from pathlib import Path

from howgood.core.types import Generate, Loglikelihood, Message, Prediction
from howgood.models.base import Model
from howgood.models.huggingface import HuggingFaceModel
from howgood.models.registry import load_model

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
INSTRUCTIONS = resources.files("howgood") / "benchmarks/quickstart/data/instructions.jsonl"


def prompts(most: int) -> list[tuple[Message, ...]]:
    texts = [json.loads(line)["instruction"] for line in INSTRUCTIONS.read_text().splitlines()]
    with (DATA / "gsm8k" / "test.jsonl").open() as questions:
        texts += [json.loads(line)["question"] for line, _ in zip(questions, range(most), strict=False)]
    return [(Message("user", text),) for text in texts[:most]]


async def answers(model: Model, asked: list[tuple[Message, ...]], tokens: int) -> list[Prediction]:
    await model.generate(Generate(asked[0], max_tokens=1))
    began = time.perf_counter()
    found = await asyncio.gather(*(model.generate(Generate(one, max_tokens=tokens, logprobs=1)) for one in asked))
    written = sum(one.usage.output for one in found)
    print(f"{model.name}: {written} tokens in {time.perf_counter() - began:.1f} s")
    return found


def in_common(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


async def gaps(scorer: HuggingFaceModel, asked: list[tuple[Message, ...]], written: list[Prediction]) -> list[float]:
    """The log-probability of each token that was written less that by the scorer, of texts that both cut alike."""
    texts = [one.text or "" for one in written]
    requests = [Loglikelihood(scorer.render(p), (text,)) for p, text in zip(asked, texts, strict=True)]
    found = []
    for one, text, scored in zip(
        written, texts, await asyncio.gather(*(scorer.loglikelihood(r) for r in requests)), strict=True
    ):
        n = len(scorer.tokenize(text))
        if n and "".join(token.text for token in one.tokens[:n]) == text:  # what follows is the end of the answer
            # The template's last newline counts as the continuation's, so the text's tokens are the last n.
            last = scored.likelihoods[0].token_logprobs[-n:]
            found += [token.logprob - exact for token, exact in zip(one.tokens, last, strict=False)]
    return found


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=50)
    parser.add_argument("--tokens", type=int, default=64)
    options = parser.parse_args()
    asked = prompts(options.prompts)
    one, other = load_model("smollm2,engine=llamacpp"), load_model("smollm2,engine=transformers")
    assert isinstance(other, HuggingFaceModel)
    try:
        left = await answers(one, asked, options.tokens)
        right = [p.text or "" for p in await answers(other, asked, options.tokens)]
        common = [in_common(a.text or "", b) for a, b in zip(left, right, strict=True)]
        differ = [n for n, a, b in zip(common, left, right, strict=True) if a.text != b]
        print(f"{len(asked) - len(differ)} of {len(asked)} answers are identical")
        if differ:
            median = statistics.median(differ)
            print(f"the others begin with {median:g} characters in common (median; {differ.count(0)} with none)")
        found = await gaps(other, asked, left)
        sizes = [abs(gap) for gap in found]
        print(
            f"log-probability of {len(found)} tokens, llama.cpp less transformers: mean {statistics.mean(found):.4f}, "
            f"mean size {statistics.mean(sizes):.4f}, 95% below {statistics.quantiles(sizes, n=20)[-1]:.4f}, "
            f"largest {max(sizes):.4f}"
        )
    finally:
        await one.close()
        await other.close()


if __name__ == "__main__":
    asyncio.run(main())
