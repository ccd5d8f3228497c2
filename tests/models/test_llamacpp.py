"""SmolLM2 run by llama.cpp: answers, slots, stops, sampling, streams, and the process behind it."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from howgood.core.errors import MissingExtra, ModelError, RequestError, Unsupported
from howgood.core.types import Generate, Image, Message, Prediction, Tool
from howgood.models import embedded, transport
from howgood.models.llamacpp import LlamaCpp, thinking
from howgood.models.registry import load_model

pytestmark = pytest.mark.xdist_group("llamacpp")
pytest.importorskip("xllamacpp", reason="needs the extra `llamacpp`")

CONTEXT = 512
QUESTIONS = [
    "Name three animals that live on a farm.",
    "Why is the sky blue?",
    "Write a sentence about the sea.",
    "What is the capital of Italy?",
    "How many legs has a spider?",
    "Explain what a verb is.",
    "Give me a rhyme with 'house'.",
    "What do bees make?",
]
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def ask(text: str, **settings: Any) -> Generate:
    return Generate((Message("user", text),), **settings)


@pytest.fixture(scope="session")
def gguf() -> Path:
    try:
        return embedded.smollm2_path()
    except ModelError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def model(gguf: Path) -> Iterator[LlamaCpp]:
    made = LlamaCpp("smollm2", gguf, context=CONTEXT)
    yield made
    asyncio.run(made.close())


def process_of(model: LlamaCpp) -> Any:
    return model._start()[0].process


async def test_a_greedy_answer_is_the_same_again_and_whatever_else_is_asked(model: LlamaCpp) -> None:
    requests = [ask(question, max_tokens=24) for question in QUESTIONS]
    alone = [(await model.generate(request)).text for request in requests]
    together = await asyncio.gather(*(model.generate(request) for request in requests))
    again = await asyncio.gather(*(model.generate(request) for request in reversed(requests)))
    assert len({*alone}) == len(QUESTIONS)
    assert [p.text for p in together] == alone
    assert [p.text for p in reversed(again)] == alone


async def test_an_answer_ends_by_itself_at_a_stop_string_or_at_its_length(model: LlamaCpp) -> None:
    counting = "one, two, three, four, five, six,"
    stopped = await model.generate(Generate(counting, max_tokens=40, stop=("x", "z", "q", "j", " and")))
    assert (stopped.text, stopped.stop_reason) == (" seven, eight,", "stop")
    cut = await model.generate(Generate(counting, max_tokens=3))
    assert (cut.text, cut.stop_reason, cut.usage.output) == (" seven, eight", "length", 3)
    ended = await model.generate(ask("Say yes.", max_tokens=200))
    assert ended.stop_reason == "stop"
    assert ended.usage.output < 200
    assert (ended.cost, ended.retries) == (0.0, 0)


async def test_tokens_that_were_read_before_are_told(model: LlamaCpp) -> None:
    text = "The quick brown fox jumps over the lazy dog and runs into the deep dark wood. " * 4
    first = await model.generate(Generate(text + "There", max_tokens=1))
    second = await model.generate(Generate(text + "There", max_tokens=1))
    assert first.usage.input == second.usage.input > 60
    assert second.usage.cached == second.usage.input - 1


async def test_a_prompt_longer_than_the_context_fails_and_is_never_cut(model: LlamaCpp) -> None:
    with pytest.raises(RequestError, match=rf"^the prompt has 601 tokens and smollm2 reads {CONTEXT}: use fewer shots"):
        await model.generate(Generate("word " * 600, max_tokens=1))
    with pytest.raises(RequestError, match=rf"tokens and smollm2 reads {CONTEXT}"):
        await model.generate(ask("word " * 600, max_tokens=1))
    almost = await model.generate(Generate("word " * 499 + "word", max_tokens=100))
    assert (almost.stop_reason, almost.usage.input, almost.usage.output) == ("length", 500, CONTEXT - 500)


async def test_an_answer_follows_a_schema(model: LlamaCpp) -> None:
    answer = await model.generate(ask("Invent a person.", max_tokens=64, schema=PERSON))
    assert answer.stop_reason == "stop"
    person = json.loads(answer.text or "")
    assert isinstance(person["name"], str)
    assert isinstance(person["age"], int)
    assert person.keys() == {"name", "age"}


async def test_a_stream_brings_the_answer_in_pieces(model: LlamaCpp) -> None:
    for request in (
        ask(QUESTIONS[0], max_tokens=16, stop=("zebra",)),
        Generate("one, two, three, four,", max_tokens=20, stop=(" eight",)),
    ):
        *pieces, last = [piece async for piece in model.stream(request)]
        assert isinstance(last, Prediction)
        assert len(pieces) > 3
        assert "".join(piece for piece in pieces if isinstance(piece, str)) == last.text
        whole = await model.generate(request)
        assert (last.text, last.stop_reason, last.usage.output) == (whole.text, whole.stop_reason, whole.usage.output)
        assert last.first_token is not None
        assert 0 < last.first_token < last.latency


async def test_a_seed_gives_the_same_sample(model: LlamaCpp) -> None:
    def sample(seed: int) -> Generate:
        return Generate("Once upon a time there was", max_tokens=12, temperature=1.0, seed=seed)

    once = [(await model.generate(sample(seed))).text for seed in range(6)]
    again = await asyncio.gather(*(model.generate(sample(seed)) for seed in range(6)))
    assert [p.text for p in again] == once
    assert len({*once}) == 6


async def test_samples_follow_the_distribution_and_nothing_cuts_its_tail(model: LlamaCpp) -> None:
    prompt, n = "My favourite colour is", 400
    seen = await model.generate(Generate(prompt, max_tokens=1, logprobs=100))
    likely = {text: math.exp(p) for text, p in seen.tokens[0].alternatives.items()}
    drawn = await asyncio.gather(
        *(model.generate(Generate(prompt, max_tokens=1, temperature=1.0, seed=seed)) for seed in range(n))
    )
    counts = Counter(p.text for p in drawn)
    for text, p in sorted(likely.items(), key=lambda item: -item[1])[:3]:
        assert abs(counts[text] - n * p) < 4 * math.sqrt(n * p * (1 - p))
    # llama.cpp's own defaults are to drop what is less than a twentieth as likely as the likeliest, and all but 40.
    best = max(likely.values())
    tail = 1 - sum(p for p in likely.values() if p >= 0.05 * best)
    beyond = sum(count for text, count in counts.items() if likely.get(str(text), 0.0) < 0.05 * best)
    assert tail > 0.1
    assert abs(beyond - n * tail) < 4 * math.sqrt(n * tail * (1 - tail))


async def test_top_p_is_applied_after_the_temperature(model: LlamaCpp) -> None:
    prompt = "The capital of France is"
    seen = await model.generate(Generate(prompt, max_tokens=1, logprobs=50))
    best, p = max(seen.tokens[0].alternatives.items(), key=lambda item: item[1])
    assert math.exp(p) > 0.7

    async def drawn(temperature: float) -> set[str | None]:
        requests = [Generate(prompt, max_tokens=1, temperature=temperature, top_p=0.5, seed=seed) for seed in range(12)]
        return {p.text for p in await asyncio.gather(*map(model.generate, requests))}

    assert await drawn(1.0) == {best}
    assert len(await drawn(4.0)) > 6  # before the temperature, half of the probability is one token's


async def test_log_probabilities_of_what_was_written(model: LlamaCpp) -> None:
    for request in (
        Generate("The capital of France is", max_tokens=8, logprobs=3),
        ask("What do cows drink?", max_tokens=8, logprobs=3),
    ):
        answer = await model.generate(request)
        assert "".join(token.text for token in answer.tokens) == answer.text
        assert len(answer.tokens) == answer.usage.output == 8
        for token in answer.tokens:
            assert len(token.alternatives) == 3
            assert token.logprob == max(token.alternatives.values()) < 0
            assert sum(map(math.exp, token.alternatives.values())) < 1


async def test_the_rendered_prompt_is_what_is_sent(model: LlamaCpp) -> None:
    turns = (Message("system", "You are terse."), Message("user", "Hi"))
    text = model.render(turns)
    assert text == (
        "<|im_start|>system\nYou are terse.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
    assert model.render("raw") == "raw"
    chat, raw = await model.generate(Generate(turns, max_tokens=8)), await model.generate(Generate(text, max_tokens=8))
    assert (chat.text, chat.usage.input) == (raw.text, raw.usage.input)
    begun = (*turns, Message("assistant", "Hello,"))
    assert model.render(begun) == text + "Hello,"


async def test_an_empty_text_is_continued_after_the_token_that_begins_one(model: LlamaCpp) -> None:
    empty, explicit = [await model.generate(Generate(text, max_tokens=4)) for text in ("", "<|im_start|>")]
    assert empty.text == explicit.text != ""
    assert empty.usage.input == 1


async def test_what_it_cannot_do_is_unsupported(model: LlamaCpp) -> None:
    assert not model.capabilities.tools  # SmolLM2's template knows of none, and llama.cpp would leave them out
    picture = Generate((Message("user", (Image(b"png"),)),))
    for request in (ask("Hi", tools=(Tool("f", "", {}),)), picture, Generate("Hi", schema=PERSON)):
        with pytest.raises(Unsupported, match=r"^smollm2 "):
            await model.generate(request)


def test_a_model_says_what_it_is(model: LlamaCpp) -> None:
    told = model.describe()
    assert (told["sha256"], told["quantisation"]) == (embedded.FILE_SHA256, "Q4_1")
    assert (told["context"], told["slots"], told["source"]) == (CONTEXT, 8, embedded.FILE)
    assert told["xllamacpp"].startswith("20")
    assert LlamaCpp("m", model.path).context == 4096  # of 8,192 that it was trained on


async def test_our_http_path_drives_llama_cpps_own_server(model: LlamaCpp, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = await model.generate(ask("Why is the sky blue?", max_tokens=10, logprobs=2))
    server = process_of(model).server
    monkeypatch.setenv("HOWGOOD_API_KEY", server.token)
    client = load_model(f"{server.url}#smollm2,completion=true")
    try:
        answer = await client.generate(ask("Why is the sky blue?", max_tokens=10, logprobs=2))
        assert (answer.text, answer.stop_reason) == (expected.text, "length")
        assert [t.text for t in answer.tokens] == [t.text for t in expected.tokens]
        assert answer.usage.cached > 0
        *pieces, last = [p async for p in client.stream(ask("Why is the sky blue?", max_tokens=10, logprobs=2))]
        assert isinstance(last, Prediction)
        assert "".join(p for p in pieces if isinstance(p, str)) == last.text == expected.text
        assert [t.text for t in last.tokens] == [t.text for t in expected.tokens]
        raw = await client.generate(Generate("one, two, three,", max_tokens=9, stop=(" five",), logprobs=1))
        assert (raw.text, raw.stop_reason, [t.text for t in raw.tokens]) == (" four,", "stop", [" four", ","])
    finally:
        await client.close()


def test_nobody_else_may_ask_the_process(model: LlamaCpp) -> None:
    asyncio.run(model.generate(Generate("a", max_tokens=1)))
    url = process_of(model).server.url
    assert url.startswith("http://127.0.0.1:")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(urllib.request.Request(f"{url}/completions", b'{"prompt": "a"}'))
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(url.removesuffix("/v1") + "/slots")


async def test_closing_ends_the_process_and_asking_starts_another(
    gguf: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = LlamaCpp("smollm2", gguf, slots=1, context=64)
    first = await model.generate(Generate("one, two,", max_tokens=2))
    pid = process_of(model)._process.pid
    await model.close()
    assert not Path(f"/proc/{pid}").exists() or sys.platform != "linux"
    assert (await model.generate(Generate("one, two,", max_tokens=2))).text == first.text
    await model.close()
    await model.close()
    assert capfd.readouterr() == ("", "")  # llama.cpp's log does not reach the terminal


async def test_a_process_that_dies_fails_its_requests_for_good(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "FIRST_WAIT", 0.01)
    model = LlamaCpp("smollm2", gguf, slots=1, context=256)
    started = asyncio.ensure_future(model.generate(Generate("Once upon a time", max_tokens=250)))
    while not (model._workers and model._workers[0].busy):
        await asyncio.sleep(0.01)
    process_of(model)._process.kill()
    with pytest.raises(RequestError, match=r"llama.cpp died in the middle of its work \(signal 9; no error") as caught:
        await started
    assert caught.value.fatal
    with pytest.raises(RequestError, match="died"):
        await model.generate(Generate("again", max_tokens=1))
    await model.close()


def test_the_process_ends_with_howgood_however_that_ends(gguf: Path) -> None:
    code = (
        "import sys, asyncio; from pathlib import Path; from howgood.models.llamacpp import LlamaCpp\n"
        "m = LlamaCpp('m', Path(sys.argv[1]), slots=1, context=64)\n"
        "print(m._start()[0].process._process.pid, flush=True); input()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(gguf)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert runs(child)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    until = time.monotonic() + 20
    while runs(child) and time.monotonic() < until:
        time.sleep(0.02)
    assert not runs(child)


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def changed(gguf: Path, to: Path, old: bytes, new: bytes) -> Path:
    """A copy of the file with the first `old` replaced by as many bytes."""
    assert len(old) == len(new)
    data = gguf.read_bytes()
    at = data.index(old)
    to.write_bytes(data[:at] + new + data[at + len(old) :])
    return to


async def test_a_file_that_cannot_be_loaded_says_why(gguf: Path, tmp_path: Path) -> None:
    at = gguf.read_bytes().index(b"general.architecture")
    architecture = gguf.read_bytes()[at : at + len("general.architecture") + 4 + 8 + len("llama")]
    assert architecture.endswith(b"llama")
    strange = changed(gguf, tmp_path / "strange.gguf", architecture, architecture[:-5] + b"spoon")
    with pytest.raises(
        ModelError, match=r"m: llama.cpp cannot load strange.gguf .*unknown model architecture: 'spoon'"
    ):
        await LlamaCpp("m", strange).generate(Generate("x"))
    huge = LlamaCpp("m", gguf, slots=1, context=12_000_000)  # 260 GB
    with pytest.raises(ModelError, match=r"room for 12000000 tokens.*use fewer slots or a smaller context"):
        await huge.generate(Generate("x"))


async def test_a_file_without_a_template_takes_no_messages(gguf: Path, tmp_path: Path) -> None:
    base = LlamaCpp("base", changed(gguf, tmp_path / "b.gguf", b"tokenizer.chat_template", b"tokenizer.chat_templat_"))
    assert base.capabilities.completion
    assert (base.capabilities.chat, base.capabilities.schema) == (False, False)
    assert base.describe()["chat_template"] is None
    with pytest.raises(Unsupported, match="base takes raw text, no messages"):
        await base.generate(ask("Hi"))
    await base.close()


def with_template(gguf: Path, to: Path, turn: bytes) -> Path:
    """A copy of the file whose chat template writes each message `m` as `turn` and begins the answer with <think>."""
    data, end = gguf.read_bytes(), b"{{ '<|im_start|>assistant\n' }}{% endif %}"
    start = data.index(b"{% for message in messages %}")
    old = data[start : data.index(end) + len(end)]
    new = b"{% for m in messages %}" + turn + b"{% endfor %}{{ '<|im_start|>assistant\n<think>\n' }}"
    return changed(gguf, to, old, new + b"{#" + b"." * (len(old) - len(new) - 4) + b"#}")


@pytest.mark.parametrize(
    "turn",
    [
        # as DeepSeek-R1's, which llama.cpp does not know for a thinking one
        b"<|im_start|>{{ m.role }}\n{{ m.content.split('</think>')[-1] }}<|im_end|>\n",
        # as Qwen3's, which it does
        b"<|im_start|>{{ m.role }}\n{% if m.reasoning_content %}<think>\n{{ m.reasoning_content }}\n</think>\n"
        b"{% endif %}{{ m.content }}<|im_end|>\n",
    ],
)
async def test_thinking_that_the_template_begins_is_kept_apart(gguf: Path, tmp_path: Path, turn: bytes) -> None:
    """SmolLM2 does not think, so all that it writes after such a prompt is thinking that never ends."""
    thinker = LlamaCpp("thinker", with_template(gguf, tmp_path / "t.gguf", turn), slots=1, context=128)
    question = ask("Tell me a long story.", max_tokens=12, stop=("e",))
    assert thinker.render(question.prompt).endswith("<|im_start|>assistant\n<think>\n")
    answer = await thinker.generate(question)
    assert (answer.text, answer.stop_reason, answer.usage.output) == ("", "length", 12)
    assert "e" in (answer.reasoning or "")
    *pieces, last = [piece async for piece in thinker.stream(question)]
    assert pieces == []
    assert isinstance(last, Prediction)
    assert (last.text, last.reasoning) == ("", answer.reasoning)
    await thinker.close()


async def test_an_answer_after_unmarked_thinking_is_cut_at_its_stop_strings() -> None:
    whole = Prediction(text="I add. The sum is 4. So", stop_reason="stop")

    async def written() -> AsyncIterator[str | Prediction]:
        for piece in ("I add. 4", "</thi", "nk>\n\nThe ", "sum is", " 4. So"):
            yield piece
        yield replace(whole, text="The sum is 4. So", reasoning="I add. 4")

    pieces = [piece async for piece in thinking.stream_apart(written(), (". S", "add"))]
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == "The sum is 4"
    assert pieces[-1] == replace(whole, text="The sum is 4", reasoning="I add. 4")


def test_without_the_extra_the_error_says_how_to_get_it(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'howgood\[llamacpp\]'"):
        LlamaCpp("m", gguf)


@pytest.mark.parametrize("options", [{"slots": 0}, {"context": 0}, {"threads": -1}])
def test_numbers_that_mean_nothing_are_refused(gguf: Path, options: dict[str, int]) -> None:
    with pytest.raises(ModelError, match="must be at least 1"):
        LlamaCpp("m", gguf, **options)
