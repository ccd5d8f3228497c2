"""The local model: log-likelihoods against known and plainly computed ones, generation, and the thread behind it."""

from __future__ import annotations

import asyncio
import math
import random
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from howgood.core.errors import RequestError, Unsupported
from howgood.core.types import Generate, Image, Loglikelihood, Message, Prediction, Rolling, Text
from howgood.models.huggingface import HuggingFaceModel

pytestmark = pytest.mark.xdist_group("smollm2")  # one process loads the weights

GETTYSBURG = (
    "Four score and seven years ago our fathers brought forth on this continent, a new nation, conceived in Liberty, "
    "and dedicated to the proposition that all men are created equal."
)
UMBRELLAS = (
    "The committee purchased eleven orange umbrellas from a warehouse in Tromso before the parade was moved indoors."
)
QUESTION = "Question: What is the capital of France?\nAnswer:"
CITIES = (" Paris", " London is the capital", " Berlin is the capital", " Paris, of course", " Rome")
MIXED = [
    Loglikelihood(QUESTION, CITIES),
    Loglikelihood("Two plus two is", (" three", " four", " five")),
    Loglikelihood(GETTYSBURG, (" Now we are engaged in a great civil war", " Now we rest")),
    Loglikelihood("", ("Once upon a time", "Colorless green ideas")),
    *(Loglikelihood(f"Number {n}" * (n + 1), (" one", " two three")) for n in range(6)),
]


@pytest.fixture(scope="module")
def plain(smollm2: HuggingFaceModel) -> Any:
    """The same weights, asked in the plainest way: one sequence, all logits."""
    import torch

    from howgood.models.huggingface import load

    model = load.load_weights(smollm2._checkpoint, torch.float32, torch.device("cpu"))

    def logprobs(tokens: list[int]) -> list[float]:
        """Of each token but the first, given all before it."""
        with torch.inference_mode():
            logits = model(torch.tensor([tokens])).logits[0].double()
        return logits[:-1].log_softmax(-1).gather(1, torch.tensor(tokens[1:])[:, None])[:, 0].tolist()  # type: ignore[no-any-return]

    return logprobs


def with_options(model: HuggingFaceModel, **options: Any) -> HuggingFaceModel:
    assert model._checkpoint.gguf is not None
    return HuggingFaceModel("smollm2", str(model._checkpoint.gguf), **options)


async def ask(model: HuggingFaceModel, requests: list[Any]) -> list[Prediction]:
    return await asyncio.gather(*(model.send(request) for request in requests))


def sums(predictions: list[Prediction]) -> list[float]:
    return [likelihood.logprob for prediction in predictions for likelihood in prediction.likelihoods]


# Log-likelihoods


@pytest.mark.parametrize(
    ("text", "tokens", "bos", "end_of_text"),
    [(GETTYSBURG, 34, 125.8308, 94.8922), (UMBRELLAS, 22, 135.7705, 114.9871)],
)
async def test_rolling_gives_the_known_values(
    smollm2: HuggingFaceModel, text: str, tokens: int, bos: float, end_of_text: float
) -> None:
    # Golden values of the research notes (SmolLM2-135M-Instruct, float32), by prefix token.
    default, other = smollm2, with_options(smollm2, prefix=0)
    for model, expected in ((default, bos), (other, end_of_text)):
        [likelihood] = (await model.loglikelihood_rolling(Rolling(text))).likelihoods
        assert likelihood.logprob == pytest.approx(-expected, rel=1e-5)
        assert likelihood.tokens == len(likelihood.token_logprobs) == tokens
        assert math.fsum(likelihood.token_logprobs) == likelihood.logprob
    await other.close()


async def test_loglikelihood_without_a_prefix_gives_the_known_value(smollm2: HuggingFaceModel) -> None:
    for text, expected in ((GETTYSBURG, 98.1744), (UMBRELLAS, 114.0975)):
        first, rest = text[: text.index(" ")], text[text.index(" ") :]
        [likelihood] = (await smollm2.loglikelihood(Loglikelihood(first, (rest,)))).likelihoods
        assert likelihood.logprob == pytest.approx(-expected, rel=1e-5)


@pytest.mark.parametrize(("length", "context"), [(16, 1), (16, 8), (26, 26)])
async def test_rolling_windows_are_read_like_any_other_text(
    smollm2: HuggingFaceModel, plain: Any, length: int, context: int
) -> None:
    [tokens] = smollm2._encoder.encode([GETTYSBURG])
    whole = [1, *tokens]
    expected, start = [], 0
    while start < len(tokens):
        stop = min(start + (length - context + 1 if start else length), len(tokens))
        window = whole[max(0, stop - length) : stop + 1]
        expected += plain(window)[start - stop :]
        start = stop
    request = Rolling(GETTYSBURG, max_length=length, context=context)
    [likelihood] = (await smollm2.loglikelihood_rolling(request)).likelihoods
    assert likelihood.token_logprobs == pytest.approx(expected, abs=1e-4)


async def test_a_whole_text_says_where_its_tokens_end(smollm2: HuggingFaceModel) -> None:
    text = "Hello, naïve 😀 日本"
    [likelihood] = (await smollm2.loglikelihood_rolling(Rolling(text))).likelihoods
    assert len(likelihood.token_lengths) == likelihood.tokens == len(likelihood.token_logprobs)
    pieces, start = [], 0
    for length in likelihood.token_lengths:
        pieces.append(text[start : start + length])
        start += length
    assert pieces[:4] == ["Hello", ",", " na", "ïve"]
    assert "".join(pieces) == text
    assert pieces[-1] == "本"


async def test_an_empty_text_has_likelihood_one(smollm2: HuggingFaceModel) -> None:
    [likelihood] = (await smollm2.loglikelihood_rolling(Rolling(""))).likelihoods
    assert (likelihood.logprob, likelihood.tokens) == (0.0, 0)


async def test_continuations_are_scored_as_if_each_were_alone(smollm2: HuggingFaceModel, plain: Any) -> None:
    prediction = await smollm2.loglikelihood(Loglikelihood(QUESTION, CITIES))
    [context, *wholes] = smollm2._encoder.encode([QUESTION, *(QUESTION + city for city in CITIES)])
    for likelihood, whole in zip(prediction.likelihoods, wholes, strict=True):
        expected = plain(whole)[len(context) - 1 :]
        assert likelihood.token_logprobs == pytest.approx(expected, abs=1e-4)
        assert likelihood.tokens == len(whole) - len(context)
    # Each token went through the model once: the question, and the continuations but for their last tokens.
    branches = {tuple(whole[:n]) for whole in wholes for n in range(1, len(whole))}
    assert prediction.usage.input == len(branches)


async def test_order_and_company_do_not_matter(smollm2: HuggingFaceModel) -> None:
    alone = [sums([await smollm2.loglikelihood(request)]) for request in MIXED]
    order = list(range(len(MIXED)))
    random.Random(0).shuffle(order)
    small = with_options(smollm2, tokens_per_batch=64)
    for model in (smollm2, small):
        together = await ask(model, [MIXED[i] for i in order])
        for i, prediction in zip(order, together, strict=True):
            assert sums([prediction]) == pytest.approx(alone[i], abs=1e-4)
    await small.close()


async def test_chain_rule(smollm2: HuggingFaceModel) -> None:
    a, b = " brought forth on this continent", ", a new nation, conceived in Liberty"
    context = "Four score and seven years ago our fathers"
    ab = await smollm2.loglikelihood(Loglikelihood(context, (a + b, a)))
    then = await smollm2.loglikelihood(Loglikelihood(context + a, (b,)))
    assert ab.likelihoods[0].logprob == pytest.approx(ab.likelihoods[1].logprob + then.likelihoods[0].logprob, abs=1e-4)


async def test_probabilities_of_all_next_tokens_sum_to_one(smollm2: HuggingFaceModel) -> None:
    import torch

    from howgood.models.huggingface.plan import Scored
    from howgood.models.huggingface.scoring import ScoreJob

    size = len(smollm2._encoder._tokenizer)
    job = ScoreJob([Scored([504, 253], [token]) for token in range(size)], whole=False)
    smollm2._workers[0].submit(job)
    found = torch.tensor(sums([await job.future]), dtype=torch.float64)
    assert float(found.exp().sum()) == pytest.approx(1, abs=1e-5)


async def test_white_space_at_the_end_of_the_prompt_belongs_to_the_continuation(smollm2: HuggingFaceModel) -> None:
    apart = await smollm2.loglikelihood(Loglikelihood("The capital of France is ", ("Paris",)))
    joined = await smollm2.loglikelihood(Loglikelihood("The capital of France is", (" Paris",)))
    assert apart.likelihoods == joined.likelihoods
    blank = await smollm2.loglikelihood(Loglikelihood(" ", ("Paris",)))
    empty = await smollm2.loglikelihood(Loglikelihood("", (" Paris",)))
    assert blank.likelihoods == empty.likelihoods


async def test_a_long_prompt_is_cut_from_the_left(smollm2: HuggingFaceModel) -> None:
    short = with_options(smollm2, max_length=8)
    cut = await short.loglikelihood(Loglikelihood(GETTYSBURG, (" Now we are",)))
    [tokens] = smollm2._encoder.encode([GETTYSBURG])
    rest = smollm2._encoder.decode(tokens[-6:])  # 6 of the prompt and 2 of the 3 scored are fed
    whole = await smollm2.loglikelihood(Loglikelihood(rest, (" Now we are",)))
    assert sums([cut]) == pytest.approx(sums([whole]), abs=1e-4)
    await short.close()


async def test_messages_are_scored_by_the_chat_template(smollm2: HuggingFaceModel) -> None:
    messages = (Message("user", "What is the capital of France?"),)
    rendered = smollm2.render(messages)
    assert rendered.endswith("<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n")
    by_messages = await smollm2.loglikelihood(Loglikelihood(messages, ("Paris", "Rome")))
    by_text = await smollm2.loglikelihood(Loglikelihood(rendered, ("Paris", "Rome")))
    assert by_messages.likelihoods == by_text.likelihoods
    begun = smollm2.render((*messages, Message("assistant", "The capital is")))
    assert begun == rendered + "The capital is"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Loglikelihood("The", ("",)), "no tokens of its own"),
        (Loglikelihood("a", (" b" * 9000,)), "reads 8192"),
        (Generate(" a" * 9000), "fewer shots"),
    ],
)
async def test_a_request_that_cannot_be_answered_says_why(smollm2: HuggingFaceModel, request_: Any, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        await smollm2.send(request_)


async def test_what_the_model_cannot_take_is_said(smollm2: HuggingFaceModel) -> None:
    image = Message("user", (Text("What is this?"), Image(b"png")))
    with pytest.raises(Unsupported, match="message 1 holds an image"):
        await smollm2.generate(Generate((image,)))
    with pytest.raises(Unsupported, match="at most 8192 tokens"):
        await smollm2.loglikelihood_rolling(Rolling("text", max_length=9000))


# Generation


async def greedy(model: HuggingFaceModel, prompts: list[Any], **options: Any) -> list[Prediction]:
    return await ask(model, [Generate(prompt, **options) for prompt in prompts])


PROMPTS = [
    "The capital of France is",
    QUESTION,
    GETTYSBURG,
    "1, 2, 3, 4, 5,",
    "def add(a, b):\n    return",
    UMBRELLAS + " After that,",
]


async def test_a_batch_of_answers_is_what_each_would_be_alone(smollm2: HuggingFaceModel, plain: Any) -> None:
    import torch

    from howgood.models.huggingface import load

    weights = load.load_weights(smollm2._checkpoint, torch.float32, torch.device("cpu"))
    places = with_options(smollm2, answers_at_once=3)  # so that prompts join answers under way
    together = await greedy(places, PROMPTS, max_tokens=8)
    await places.close()
    for prompt, prediction in zip(PROMPTS, together, strict=True):
        [tokens] = smollm2._encoder.encode([prompt])
        with torch.inference_mode():
            whole = weights.generate(torch.tensor([tokens]), max_new_tokens=8, do_sample=False)[0].tolist()
        assert prediction.text == smollm2._encoder.decode(whole[len(tokens) :])
        assert prediction.usage.input == len(tokens)
        assert prediction.usage.output == len(whole) - len(tokens)
        assert prediction.stop_reason == ("stop" if whole[-1] == 2 else "length")


async def test_greedy_answers_are_their_own_likeliest_continuation(smollm2: HuggingFaceModel) -> None:
    [prediction] = await greedy(smollm2, ["1, 2, 3, 4, 5,"], max_tokens=8)
    assert prediction.text == " 6, 7, 8"
    scored = await smollm2.loglikelihood(Loglikelihood("1, 2, 3, 4, 5,", (" 6, 7,", " 6, 8,")))
    assert [likelihood.greedy for likelihood in scored.likelihoods] == [True, False]


async def test_an_answer_ends_before_its_first_stop_string(smollm2: HuggingFaceModel) -> None:
    [free] = await greedy(smollm2, ["1, 2, 3, 4, 5,"], max_tokens=24)
    assert free.text is not None
    assert ", 9, 1" in free.text
    [stopped] = await greedy(smollm2, ["1, 2, 3, 4, 5,"], max_tokens=24, stop=("zebra", ", 9", "9, 10"))
    assert stopped.text == free.text[: free.text.index(", 9")]
    assert stopped.stop_reason == "stop"
    assert stopped.usage.output < free.usage.output
    [at_once] = await greedy(smollm2, ["1, 2, 3, 4, 5,"], max_tokens=24, stop=(" ",))
    assert (at_once.text, at_once.usage.output) == ("", 1)


async def test_an_answer_ends_with_the_turn(smollm2: HuggingFaceModel) -> None:
    message = Message("user", "Say only the word yes.")
    [prediction] = await greedy(smollm2, [(message,)], max_tokens=200)
    assert prediction.stop_reason == "stop"
    assert prediction.text
    assert "<|im_end|>" not in prediction.text
    assert prediction.usage.output < 200


async def test_a_seed_gives_the_same_sample_in_any_company(smollm2: HuggingFaceModel) -> None:
    def request(seed: int | None, **options: Any) -> Generate:
        return Generate("Once upon a time", max_tokens=12, temperature=1.0, seed=seed, **options)

    alone = await smollm2.generate(request(1))
    together = await ask(smollm2, [request(2), request(1), Generate(QUESTION, max_tokens=5), request(3)])
    assert together[1].text == alone.text
    assert len({together[0].text, together[1].text, together[3].text}) == 3
    narrow = await smollm2.generate(request(5, top_p=1e-6))
    [likeliest] = await greedy(smollm2, ["Once upon a time"], max_tokens=12)
    assert narrow.text == likeliest.text
    unseeded = await ask(smollm2, [request(None), request(None)])
    assert unseeded[0].text != unseeded[1].text


async def test_samples_follow_the_probabilities(smollm2: HuggingFaceModel) -> None:
    """Over many draws each token comes as often as its probability says (a chi-square of the race of exponentials)."""
    import torch

    from howgood.models.huggingface.generation import GenerateJob

    job = GenerateJob(Generate("", temperature=0.5, seed=0), [1])
    job.begin()
    logits = torch.tensor([0.0, 0.5, 1.0, -1.0])
    expected = torch.softmax(logits / 0.5, -1)
    counts = torch.bincount(torch.tensor([job.choose(logits) for _ in range(20000)]), minlength=4)
    chi_square = ((counts - 20000 * expected) ** 2 / (20000 * expected)).sum()
    assert float(chi_square) < 16.3  # the 0.999 quantile with 3 degrees of freedom
    job.future.cancel()


# The thread


def test_the_model_serves_one_event_loop_after_another(smollm2: HuggingFaceModel) -> None:
    request = Loglikelihood("Two plus two is", (" four",))
    first, second = (asyncio.run(smollm2.loglikelihood(request)) for _ in range(2))
    asyncio.run(smollm2.close())
    third = asyncio.run(smollm2.loglikelihood(request))
    assert first.likelihoods == second.likelihoods == third.likelihoods


async def test_cancelled_requests_do_no_harm(smollm2: HuggingFaceModel) -> None:
    tasks = [asyncio.create_task(smollm2.generate(Generate(prompt, max_tokens=4000))) for prompt in PROMPTS]
    await asyncio.sleep(0.3)
    for task in tasks:
        task.cancel()
    assert all(isinstance(r, asyncio.CancelledError) for r in await asyncio.gather(*tasks, return_exceptions=True))
    started = time.perf_counter()
    [likelihood] = (await smollm2.loglikelihood(Loglikelihood("Two plus two is", (" four",)))).likelihoods
    assert likelihood.tokens == 1
    assert time.perf_counter() - started < 30  # to their end, the cancelled answers would take minutes


async def test_closing_fails_what_is_under_way(smollm2: HuggingFaceModel) -> None:
    other = with_options(smollm2)
    await other.loglikelihood(Loglikelihood("a", (" b",)))
    task = asyncio.create_task(other.generate(Generate("The", max_tokens=8000)))
    await asyncio.sleep(0.3)
    await other.close()
    with pytest.raises(RequestError, match="closed"):
        await task


async def test_several_devices_share_the_requests(smollm2: HuggingFaceModel) -> None:
    """Two engines on the CPU stand for two GPUs."""
    model = with_options(smollm2, device="cpu+cpu", max_length=512)
    assert model.describe()["device"] == "cpu+cpu"
    expected = await ask(smollm2, MIXED)
    for prediction, alone in zip(await ask(model, MIXED), expected, strict=True):
        assert sums([prediction]) == pytest.approx(sums([alone]), abs=1e-4)
    assert all(worker._thread is not None for worker in model._workers)
    assert set(model._busy.values()) == {0}
    await model.close()
    assert all(worker._thread is None for worker in model._workers)


async def test_one_bad_batch_fails_its_requests_alone(smollm2: HuggingFaceModel) -> None:
    from howgood.models.huggingface.plan import Scored
    from howgood.models.huggingface.scoring import ScoreJob

    bad = ScoreJob([Scored([10**6], [1])], whole=False)  # no such token
    smollm2._workers[0].submit(bad)
    with pytest.raises(RequestError, match="the model failed on this request"):
        await bad.future
    [likelihood] = (await smollm2.loglikelihood(Loglikelihood("Two plus two is", (" four",)))).likelihoods
    assert likelihood.tokens == 1


async def test_too_little_memory_makes_smaller_batches(smollm2: HuggingFaceModel) -> None:
    """The device says that it is out of memory for more than 100 tokens, or more than 2 answers, at once."""
    import torch

    from howgood.models.huggingface import engine, load
    from howgood.models.huggingface.network import Network

    class Small(Network):
        def states(self, tokens: torch.Tensor, *rest: Any) -> torch.Tensor:
            if tokens.numel() > 100 or (tokens.shape[1] == 1 and len(tokens) > 2):
                raise torch.OutOfMemoryError("out of memory")
            return super().states(tokens, *rest)

    def make() -> engine.LocalEngine:
        network = Small(load.load_weights(model._checkpoint, torch.float32, torch.device("cpu")))
        scorer = engine.Scorer(network, 1024)
        return engine.LocalEngine(scorer, engine.Decoder(network, model._encoder, 16, 1024))

    model = with_options(smollm2)
    model._workers[0]._make_engine = make
    expected = [sums([await smollm2.loglikelihood(request)]) for request in MIXED]
    found = await ask(model, MIXED)
    for prediction, values in zip(found, expected, strict=True):
        assert sums([prediction]) == pytest.approx(values, abs=1e-4)
    answers = await greedy(model, PROMPTS[:5], max_tokens=4)
    assert [a.text for a in answers] == [a.text for a in await greedy(smollm2, PROMPTS[:5], max_tokens=4)]
    # A sequence that is longer than what fits is forwarded piece by piece.
    long = Loglikelihood(GETTYSBURG * 6, (" The",))
    expected_long = sums([await smollm2.loglikelihood(long)])
    assert sums([await model.loglikelihood(long)]) == pytest.approx(expected_long, abs=1e-4)
    await model.close()


def test_ctrl_c_does_not_wait_for_the_model(smollm2: HuggingFaceModel) -> None:
    program = f"""
import asyncio
from howgood.core.types import Generate
from howgood.models.huggingface import HuggingFaceModel
async def main():
    model = HuggingFaceModel("m", {str(smollm2._checkpoint.gguf)!r})
    await model.generate(Generate("The", max_tokens=1))
    print("ready", flush=True)
    await model.generate(Generate("The", max_tokens=8000))  # repeats itself, so it does not end early
asyncio.run(main())
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)  # 8,000 tokens take minutes, also on a machine with nothing else to do
    assert b"KeyboardInterrupt" in errors
    assert process.returncode in (1, 130, -signal.SIGINT)
