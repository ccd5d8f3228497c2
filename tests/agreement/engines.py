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


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=50)
    parser.add_argument("--tokens", type=int, default=64)
    options = parser.parse_args()
    asked = prompts(options.prompts)
    one, other = load_model("smollm2,engine=llamacpp"), load_model("smollm2,engine=transformers")
    try:
        left = await answers(one, asked, options.tokens)
        right = [p.text or "" for p in await answers(other, asked, options.tokens)]
        common = [in_common(a.text or "", b) for a, b in zip(left, right, strict=True)]
        differ = [n for n, a, b in zip(common, left, right, strict=True) if a.text != b]
        print(f"{len(asked) - len(differ)} of {len(asked)} answers are identical")
        if differ:
            median = statistics.median(differ)
            print(f"the others begin with {median:g} characters in common (median; {differ.count(0)} with none)")
        scored = await asyncio.gather(
            *(
                other.loglikelihood(Loglikelihood(other.render(p), (a.text or "",)))
                for p, a in zip(asked, left, strict=True)
            )
        )
        gaps = []
        for a, b in zip(left, scored, strict=True):
            told, found = [token.logprob for token in a.tokens], b.likelihoods[0]
            if len(told) == found.tokens:  # else the engines cut the text into other tokens
                gaps.append((sum(told) - found.logprob) / len(told))
        sizes = [abs(gap) for gap in gaps]
        print(
            f"log-probability of {len(gaps)} answers, nats a token, llama.cpp less transformers: mean "
            f"{statistics.mean(gaps):.4f}, mean size {statistics.mean(sizes):.4f}, largest {max(sizes):.4f}"
        )
    finally:
        await one.close()
        await other.close()


if __name__ == "__main__":
    asyncio.run(main())
