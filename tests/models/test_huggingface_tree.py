"""The walk over the trie: whatever the order, the company, the budget and the memory, a sequence gets the numbers it
gets alone; and each distinct beginning is forwarded once."""

from __future__ import annotations

import asyncio
import random
from functools import cache
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `local`")
pytest.importorskip("transformers", reason="needs the extra `local`")

from howgood.core.errors import RequestError  # noqa: E402
from howgood.core.types import Prediction  # noqa: E402
from howgood.models.huggingface import kernel, network, plan, scoring, tree  # noqa: E402
from howgood.models.huggingface.network import Network, shareable  # noqa: E402
from howgood.models.huggingface.scoring import ScoreJob, Scorer  # noqa: E402

VOCABULARY = 60
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", SIZES),
    "gpt2": ("GPT2", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512}),
    "mistral": ("Mistral", SIZES | {"sliding_window": 24}),
    "mamba": ("Mamba", {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4}),
}
HEADS: dict[str, tuple[str, dict[str, Any]]] = {
    "gemma2": ("Gemma2", SIZES | {"head_dim": 8, "query_pre_attn_scalar": 8, "final_logit_softcapping": 1.0}),
    "cohere": ("Cohere", SIZES | {"logit_scale": 0.1}),
    "granite": ("Granite", SIZES | {"logits_scaling": 8.0}),
}
"""Models whose logits are capped or scaled."""


@cache
def weights(kind: str) -> Any:
    import transformers

    name, options = (KINDS | HEADS)[kind]
    config = getattr(transformers, f"{name}Config")(
        vocab_size=VOCABULARY, bos_token_id=1, eos_token_id=2, pad_token_id=2, **options
    )
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data += 0.3 * torch.randn_like(parameter)
    return model


@cache
def made(kind: str) -> Network:
    with torch.inference_mode():
        return Network(weights(kind))


def requests() -> list[list[plan.Scored]]:
    """Requests of several benchmarks: two long headers with questions below, of which some share a passage and all
    ask for four letters; contexts with endings; the same again; a text; single tokens."""
    draw = random.Random(0)

    def some(n: int) -> list[int]:
        return [draw.randrange(3, VOCABULARY) for _ in range(n)]

    found: list[list[plan.Scored]] = []
    for _ in range(2):
        header = some(70)
        passage = [*header, *some(30)]
        for number in range(8):
            question = (passage if number % 3 == 0 else header) + some(draw.randrange(5, 20))
            found.append([plan.Scored(question, [letter]) for letter in (10, 11, 12, 13)])
    for _ in range(6):
        context, n = some(20), draw.randrange(4, 9)
        endings = [some(n) for _ in range(4)]
        found.append([plan.Scored(context + ending[:-1], ending) for ending in endings])
    found.append(found[0])
    text = some(150)
    found.append([plan.Scored([1, *text[:-1]], text)])
    found.append([plan.Scored([1], [5]), plan.Scored([1, 5], [5, 6])])
    return found


REQUESTS = requests()


@cache
def alone(kind: str) -> list[list[list[float]]]:
    """The log-probabilities of each request's items, each forwarded whole by itself, in the plainest way."""
    model, found = weights(kind), []
    with torch.inference_mode():
        for items in REQUESTS:
            found.append([])
            for item in items:
                logits = model(torch.tensor([list(item.inputs)])).logits[0].double()
                targets = torch.tensor(item.targets)[:, None]
                found[-1].append(logits[item.first :].log_softmax(-1).gather(1, targets)[:, 0].tolist())
    return found


def score(scorer: Scorer, items: list[list[plan.Scored]], at_once: int = 10**6) -> list[Prediction]:
    """What a scorer answers, where at most so many requests are in flight and each answer lets a new one in."""

    async def run() -> list[Prediction]:
        jobs = []
        for each in items:
            while sum(not job.done for job in jobs) >= at_once:
                scorer.step()
            jobs.append(ScoreJob(each, whole=False))
            scorer.add(jobs[-1])
        for _ in range(10_000):
            if all(job.done for job in jobs):
                break
            scorer.step()
        return await asyncio.gather(*(job.future for job in jobs))

    with torch.inference_mode():
        return asyncio.run(run())


def worst(predictions: list[Prediction], expected: list[list[list[float]]]) -> float:
    return max(
        abs(a - b)
        for prediction, items in zip(predictions, expected, strict=True)
        for likelihood, values in zip(prediction.likelihoods, items, strict=True)
        for a, b in zip(likelihood.token_logprobs, values, strict=True)
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("budget", "at_once", "seed"), [(1024, 10**6, 0), (100, 5, 1), (40, 10**6, 2), (7, 3, 3)])
def test_order_company_and_budget_never_change_a_number(kind: str, budget: int, at_once: int, seed: int) -> None:
    order = list(range(len(REQUESTS)))
    random.Random(seed).shuffle(order)
    found = score(Scorer(made(kind), budget), [REQUESTS[i] for i in order], at_once)
    assert worst(found, [alone(kind)[i] for i in order]) < 1e-4


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_nor_does_what_computes_attention(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In parts, as where there is no compiler."""
    monkeypatch.setattr(kernel, "_library", lambda: None)
    for budget in (1024, 40):
        assert worst(score(Scorer(made(kind), budget), REQUESTS), alone(kind)) < 1e-4


def test_each_beginning_is_forwarded_once() -> None:
    """Within 5 % of the trie's nodes, also where only a few requests are in flight and where a step holds little."""
    nodes = len(
        {tuple(item.inputs[:n]) for items in REQUESTS for item in items for n in range(1, len(item.inputs) + 1)}
    )
    whole = sum(len(item.inputs) for items in REQUESTS for item in items)
    assert whole > 8 * nodes
    for budget, at_once in ((10_000, 10**6), (200, 10**6), (200, 12)):
        scorer = Scorer(made("llama"), budget)
        predictions = score(scorer, REQUESTS, at_once)
        assert nodes <= scorer.forwarded <= 1.05 * nodes
        usage = [prediction.usage for prediction in predictions]
        assert 0.95 * scorer.forwarded <= sum(u.input - u.cached for u in usage) <= scorer.forwarded
        assert [u.input for u in usage] == [
            len({tuple(i.inputs[:n]) for i in items for n in range(1, len(i.inputs) + 1)}) for items in REQUESTS
        ]


def test_only_scored_places_are_projected_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 0
    usual = Network.logits

    def counted(self: Network, states: Any) -> Any:
        nonlocal rows
        rows += len(states)
        return usual(self, states)

    scorer = Scorer(made("llama"), 10_000)
    monkeypatch.setattr(Network, "logits", counted)
    score(scorer, REQUESTS)
    read = {tuple(i.inputs[:n]) for items in REQUESTS for i in items for n in range(i.first + 1, len(i.inputs) + 1)}
    assert rows == len(read)


@pytest.mark.parametrize("kind", HEADS)
def test_heads_that_cap_or_scale_are_given_only_what_is_read(kind: str) -> None:
    tokens = torch.arange(3, 13)[None]
    with torch.inference_mode():
        states = made(kind).states(tokens, torch.arange(10)[None])
        assert states.shape == (1, 10, SIZES["hidden_size"])
        expected = weights(kind)(tokens).logits[0]
        assert torch.allclose(made(kind).logits(states[0]), expected, atol=1e-5)
        plain = weights(kind).get_output_embeddings()(states[0])
    assert not torch.allclose(plain, expected, atol=1e-2)


def test_the_projection_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made("llama"), "logits_at_once", 3)
    assert worst(score(Scorer(made("llama"), 1024), REQUESTS), alone("llama")) < 1e-4


def test_a_budget_that_does_not_fit_halves_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Network.states

    def short(self: Network, tokens: Any, *rest: Any) -> Any:
        if tokens.numel() > 60:
            raise torch.OutOfMemoryError("out of memory")
        return usual(self, tokens, *rest)

    monkeypatch.setattr(Network, "states", short)
    scorer = Scorer(made("llama"), 1000)
    assert worst(score(scorer, REQUESTS), alone("llama")) < 1e-4
    assert scorer.budget < 60
    with pytest.raises(RequestError, match=r"not enough memory to read 1.. tokens"):
        score(Scorer(made("mamba"), 1000), REQUESTS)  # what cannot be shared cannot be taken in pieces


def test_results_come_as_branches_finish() -> None:
    async def run() -> list[int]:
        scorer = Scorer(made("llama"), 100)
        jobs = [ScoreJob(items, whole=False) for items in REQUESTS]
        for job in jobs:
            scorer.add(job)
        done = []
        while not all(job.done for job in jobs):
            scorer.step()
            done.append(sum(job.done for job in jobs))
        return done

    with torch.inference_mode():
        done = asyncio.run(run())
    assert len(done) > 5
    assert done == sorted(done)
    assert 0 < done[2] < len(REQUESTS) / 2


def test_the_store_keeps_what_was_used_last() -> None:
    store = tree.Store(room=10)
    for tokens in ((1, 2, 3, 4), (5, 6, 7, 8)):
        store.add(tree.Kept(tokens, []))
    assert store.find((1, 2, 3, 9), 4)[1] == 3
    assert store.find((1, 2, 3, 9), 2)[1] == 2
    store.add(tree.Kept((7, 7, 7, 7), []))
    assert store.find((5, 6), 2) == (None, 0)  # used longest ago
    store.add(tree.Kept((1, 2, 3, 4, 5), []))  # holds what the shorter one does
    assert store.find((1, 2, 3, 4, 5), 5)[1] == 5
    assert store.find((7, 7), 2)[1] == 2
    store.add(tree.Kept(tuple(range(20)), []))  # the last one stays, however long
    assert store.find(range(20), 20)[1] == 20
    assert store.find((7, 7), 2) == (None, 0)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("at_once", [2**27, 60, 1])
def test_plain_operations_do_what_the_kernel_does(masked: bool, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "SCORES_AT_ONCE", at_once)
    torch.manual_seed(0)
    q, k, v = torch.randn(1, 6, 5, 16), torch.randn(1, 2, 5, 16), torch.randn(1, 2, 5, 16)
    mask = torch.zeros(5, 5).masked_fill(torch.ones(5, 5).triu(1).bool(), -torch.inf) if masked else None
    ours = tree.plainly(q, k, v, 0.3, mask, causal=not masked)
    for a, b in zip(ours, tree.attend_to(q, k, v, 0.3, mask, causal=not masked), strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_what_can_be_shared_is_known_from_the_config() -> None:
    import transformers

    def told(kind: str, **options: Any) -> tuple[int, str]:
        config = getattr(transformers, f"{kind}Config")(**options)
        return shareable(config, transformers.AutoModelForCausalLM._model_mapping[type(config)])

    assert told("Llama")[1] == "shared beginnings once"
    assert told("Mistral", sliding_window=4096)[0] == 4096
    assert told("Mistral", sliding_window=None)[1] == "shared beginnings once"
    assert told("Gemma2", sliding_window=512)[0] == 512
    assert "up to 512 tokens" in told("Gemma2", sliding_window=512)[1]
    assert told("Qwen2", use_sliding_window=False)[1] == "shared beginnings once"
    longrope = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}
    for kind, options, words in (
        ("Mamba", {}, "keep a state"),
        ("Jamba", {}, "keep a state"),
        ("Bloom", {}, "no other attention"),
        ("Llama", {"rope_parameters": longrope}, "length of the sequence"),
    ):
        reach, why = told(kind, **options)
        assert reach == 0
        assert why.startswith("by length")
        assert words in why
    assert (made("llama").reach, made("mistral").reach, made("mamba").reach) == (network.sys.maxsize, 24, 0)


def test_the_way_to_what_comes_next_is_kept() -> None:
    """At a header's last question too: more like it may come. Of endings of one context nothing is, but the way."""
    a, b = tuple(range(20)), tuple(range(30, 50))
    texts = [(*a, 1), (*a, 2), (*a, 3), (*b, 1), (*b, 2), (*b, 3)]

    async def run(jobs: list[int], count: int, known: int = 0) -> list[tuple[int, int]]:
        items = [plan.Scored(text, (5,)) for text in texts]
        made = [ScoreJob(items, whole=False) for _ in range(6)]
        order = [scoring.Waiting(made[j], 0, i, tuple(i.inputs)) for i, j in zip(items, jobs, strict=True)]
        row = plan.fold(items[:count], texts[0][:known])
        found = scoring._worth_keeping(order, count, row)
        for job in made:
            job.future.cancel()
        return found

    apart, one_each = [0, 1, 2, 3, 4, 5], [0, 0, 0, 1, 1, 1]
    assert asyncio.run(run(apart, 2)) == [(1, 20)]  # what the next one shares
    assert asyncio.run(run(apart, 3)) == [(2, 20)]  # what came before shared
    assert asyncio.run(run(apart, 6)) == [(2, 20), (5, 20)]
    assert asyncio.run(run(one_each, 5)) == [(4, 20)]
    assert asyncio.run(run(one_each, 6)) == []
    assert asyncio.run(run(apart, 3, known=20)) == []
