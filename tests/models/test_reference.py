"""Reference models have closed forms; the baselines are functions of the request and nothing else."""

from __future__ import annotations

import asyncio
import math
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from howgood.core.errors import ModelError, RequestError, Unsupported
from howgood.core.types import Generate, Loglikelihood, Message, Request, Rolling
from howgood.models.reference import Constant, Echo, FittedNgram, NgramSource, Random, Reference, Uniform

HELLO = (Message("system", "Be brief."), Message("user", "Hello?"))


@pytest.fixture
def prose(tmp_path: Path) -> Path:
    draw = random.Random(0)
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "ate", "naïve", "fish."]
    path = tmp_path / "prose.txt"
    path.write_text(" ".join(draw.choice(words) for _ in range(5000)), encoding="utf-8")
    return path


class TestUniform:
    @given(st.text(min_size=1), st.sampled_from([256, 1000, 50257]))
    @settings(deadline=None)
    def test_perplexity_is_the_vocabulary(self, text: str, vocabulary: int) -> None:
        model = Uniform(vocabulary=vocabulary)
        (whole,) = asyncio.run(model.loglikelihood_rolling(Rolling(text))).likelihoods
        assert whole.tokens == len(text.encode())
        assert math.exp(-whole.logprob / whole.tokens) == pytest.approx(vocabulary, rel=1e-12)
        assert model.entropy == math.log(vocabulary)

    async def test_continuations(self) -> None:
        got = await Uniform().loglikelihood(Loglikelihood("whatever", (" A", "é", "")))
        assert [x.logprob for x in got.likelihoods] == [-2 * math.log(256), -2 * math.log(256), 0.0]
        assert not got.likelihoods[0].greedy
        assert got.cost == 0.0

    async def test_it_writes_every_byte_equally_often(self) -> None:
        got = await Uniform().generate(Generate("x", max_tokens=100_000))
        assert got.text is not None
        ascii_ = [c for c in got.text if c < "\x80"]
        counts = np.bincount([ord(c) for c in ascii_], minlength=128)
        expected = 100_000 / 256
        # a byte below 128 is its own character wherever it stands; chi-square over 128 cells, mean 128, sd 16
        assert abs(((counts - expected) ** 2 / expected).sum() - 128) < 5 * 16
        assert (got.stop_reason, got.usage.output) == ("length", 100_000)

    def test_bytes_must_fit(self) -> None:
        with pytest.raises(ModelError, match="256"):
            Uniform(vocabulary=255)


class TestNgramSource:
    @pytest.mark.parametrize("order", [1, 2, 3])
    def test_probabilities_sum_to_one(self, order: int) -> None:
        source = NgramSource("s", alphabet="abc", order=order, seed=5)
        assert len(source._distributions) == sum(3**length for length in range(order))
        for history, distribution in source._distributions.items():
            assert math.fsum(distribution) == pytest.approx(1.0, abs=1e-14)
            assert math.fsum(source.probability(history, b) for b in b"abc") == pytest.approx(1.0, abs=1e-14)

    @pytest.mark.parametrize("order", [1, 2, 3])
    async def test_probabilities_of_all_texts_of_a_length_sum_to_one(self, order: int) -> None:
        source = NgramSource("s", alphabet="ab", order=order, seed=2)
        texts = tuple("".join("ab"[i >> k & 1] for k in range(6)) for i in range(64))
        got = await source.loglikelihood(Loglikelihood("", texts))
        assert math.fsum(math.exp(x.logprob) for x in got.likelihoods) == pytest.approx(1.0, abs=1e-12)

    def test_entropy_of_a_two_state_chain(self) -> None:
        """Cover and Thomas (2006), equation 4.28: H = b/(a+b) h(a) + a/(a+b) h(b)."""
        source = NgramSource("s", alphabet="ab", order=2, seed=7)
        a, b = source.probability(b"a", ord("b")), source.probability(b"b", ord("a"))
        h = [-p * math.log(p) - (1 - p) * math.log(1 - p) for p in (a, b)]
        assert source.entropy == pytest.approx((b * h[0] + a * h[1]) / (a + b), rel=1e-12)
        assert source.probability(b"", ord("a")) == pytest.approx(b / (a + b), rel=1e-12)

    def test_entropy_without_memory(self) -> None:
        source = NgramSource("s", alphabet="abcd", order=1, seed=7)
        p = source.distribution(b"")
        assert source.entropy == pytest.approx(-sum(x * math.log(x) for x in p), rel=1e-12)

    @pytest.mark.parametrize(("order", "alphabet"), [(1, "abcd"), (2, "abcd"), (4, "xyz"), (3, "01")])
    async def test_stationary(self, order: int, alphabet: str) -> None:
        """The second character of a text has the same distribution as the first."""
        source = NgramSource("s", alphabet=alphabet, order=order, seed=3)
        texts = tuple(first + second for first in alphabet for second in alphabet)
        got = await source.loglikelihood(Loglikelihood("", texts))
        joint = np.exp([x.logprob for x in got.likelihoods]).reshape(len(alphabet), -1)
        np.testing.assert_allclose(joint.sum(axis=1), source.distribution(b""), atol=1e-12)
        np.testing.assert_allclose(joint.sum(axis=0), source.distribution(b""), atol=1e-12)

    @pytest.mark.parametrize(("order", "seed"), [(1, 0), (2, 0), (2, 1), (3, 2)])
    async def test_perplexity_of_its_own_text_tends_to_the_exponential_of_its_entropy(
        self, order: int, seed: int
    ) -> None:
        source = NgramSource("s", order=order, seed=seed)
        n = 200_000
        sample = await source.generate(Generate("", max_tokens=n, temperature=1.0))
        assert sample.text is not None
        (whole,) = (await source.loglikelihood_rolling(Rolling(sample.text))).likelihoods
        assert whole.tokens == n
        # The standard error of a mean over a chain: batch means, batches far longer than the chain's memory.
        batches = -np.array(whole.token_logprobs).reshape(200, -1).mean(axis=1)
        error = batches.std(ddof=1) / math.sqrt(len(batches))
        assert 0 < error < 0.01
        assert abs(-whole.logprob / n - source.entropy) < 3 * error
        assert math.exp(-whole.logprob / n) == pytest.approx(math.exp(source.entropy), rel=0.02)

    async def test_greedy(self) -> None:
        source = NgramSource("s", order=3, seed=4)
        written = (await source.generate(Generate("ab", max_tokens=12))).text
        assert written is not None
        other = next(c for c in "abcd" if c != written[0])
        got = await source.loglikelihood(Loglikelihood("ab", (written, other)))
        assert [x.greedy for x in got.likelihoods] == [True, False]

    async def test_short_windows_see_less(self) -> None:
        source = NgramSource("s", order=3, seed=4)
        (got,) = (await source.loglikelihood_rolling(Rolling("abcd", max_length=1))).likelihoods
        pairs = [("", "a"), ("a", "b"), ("b", "c"), ("c", "d")]
        assert got.token_logprobs == tuple(math.log(source.probability(h.encode(), ord(t))) for h, t in pairs)

    async def test_temperature(self) -> None:
        source = NgramSource("s", alphabet="ab", order=1, seed=9)
        p = source.probability(b"", ord("a"))
        text = (await source.generate(Generate("", max_tokens=20_000, temperature=2.0))).text
        assert text is not None
        expected = math.sqrt(p) / (math.sqrt(p) + math.sqrt(1 - p))
        assert text.count("a") / 20_000 == pytest.approx(expected, abs=4 * 0.5 / math.sqrt(20_000))

    async def test_what_it_cannot_do(self) -> None:
        source = NgramSource("s")
        with pytest.raises(RequestError, match="probability is zero"):
            await source.loglikelihood(Loglikelihood("abc", ("abx",)))
        with pytest.raises(Unsupported, match="top_p"):
            await source.generate(Generate("abc", top_p=0.9))
        for options in ({"alphabet": "aa"}, {"alphabet": "a"}, {"alphabet": "aé"}, {"order": 0}, {"order": 8}):
            with pytest.raises(ModelError):
                NgramSource("s", **options)


class TestFittedNgram:
    async def test_probabilities_sum_to_one_after_any_history(self, prose: Path) -> None:
        model = FittedNgram(file=str(prose), order=4)
        for history in (b"", b"t", b"the", b"q", b"\xff\x00t", "ï".encode(), b"he "):
            distribution = model.distribution(history)
            assert math.fsum(distribution) == pytest.approx(1.0, abs=1e-12)
            assert min(distribution) > 0
            assert [model.probability(history, b) for b in range(256)] == pytest.approx(list(distribution), rel=1e-12)

    def test_witten_bell_by_hand(self, tmp_path: Path) -> None:
        path = tmp_path / "abab.txt"
        path.write_bytes(b"abac")
        model = FittedNgram(file=str(path), order=2)
        # After nothing: a twice, b and c once, so 4 bytes of 3 kinds. After a: b and c once each.
        b_alone = (1 + 3 / 256) / (4 + 3)
        assert model.probability(b"", ord("b")) == pytest.approx(b_alone, rel=1e-12)
        assert model.probability(b"a", ord("b")) == pytest.approx((1 + 2 * b_alone) / (2 + 2), rel=1e-12)
        assert model.probability(b"c", ord("b")) == pytest.approx(b_alone, rel=1e-12)  # nothing ever followed c

    async def test_it_is_a_real_baseline(self, prose: Path) -> None:
        text = prose.read_text(encoding="utf-8")[:2000]
        bits = []
        for order in (1, 2, 4):
            model = FittedNgram(file=str(prose), order=order)
            (whole,) = (await model.loglikelihood_rolling(Rolling(text))).likelihoods
            bits.append(-whole.logprob / whole.tokens / math.log(2))
        assert 8 > bits[0] > bits[1] > bits[2]
        # ten words of 3.1 bytes and a space on average: log2(10) bits a word
        assert bits[2] == pytest.approx(math.log2(10) / 4.1, rel=0.35)

    async def test_it_writes_words(self, prose: Path) -> None:
        got = await FittedNgram(file=str(prose), order=6).generate(Generate("the ", max_tokens=400, temperature=1.0))
        assert got.text is not None
        words = got.text.split()[:-1]
        assert sum(w in prose.read_text(encoding="utf-8").split() for w in words) / len(words) > 0.7

    def test_the_file_must_be_there(self) -> None:
        with pytest.raises(ModelError, match="no file"):
            FittedNgram(file="nowhere.txt")


class TestBaselines:
    async def test_constant(self) -> None:
        got = await Constant(text="B").generate(Generate(HELLO))
        assert (got.text, got.stop_reason, got.usage.output) == ("B", "stop", 1)

    async def test_echo(self) -> None:
        assert (await Echo().generate(Generate(HELLO))).text == "Hello?"
        assert (await Echo().generate(Generate("raw text"))).text == "raw text"

    async def test_limits_hold_for_them_too(self) -> None:
        got = await Echo().generate(Generate("naïve question", max_tokens=3))
        assert (got.text, got.stop_reason) == ("na", "length")  # the third byte is half a character
        got = await Echo().generate(Generate("one\ntwo", stop=("\n",)))
        assert (got.text, got.stop_reason) == ("one", "stop")

    async def test_random_guesses_are_uniform(self) -> None:
        n, right = 8000, [0, 0, 0, 0]
        model = Random(seed=1)
        for i in range(n):
            request = Loglikelihood(f"question {i}", (" A", " B", " C", " a much longer choice"))
            logprobs = [x.logprob for x in (await model.loglikelihood(request)).likelihoods]
            assert max(logprobs) <= 0
            right[logprobs.index(max(logprobs))] += 1
        for count in right:
            assert abs(count / n - 0.25) < 4 * math.sqrt(0.25 * 0.75 / n)

    async def test_random_depends_on_seed_prompt_and_continuation(self) -> None:
        async def draw(seed: int, prompt: str, continuation: str) -> float:
            got = await Random(seed=seed).loglikelihood(Loglikelihood(prompt, ("x", continuation)))
            return got.likelihoods[1].logprob

        values = [await draw(0, "p", "c"), await draw(1, "p", "c"), await draw(0, "q", "c"), await draw(0, "p", "d")]
        assert len(set(values)) == 4
        assert values[0] == await draw(0, "p", "c")


@pytest.mark.parametrize("make", [Uniform, Constant, Echo, Random, NgramSource])
async def test_answers_are_functions_of_the_request(make: type[Reference]) -> None:
    requests: list[Request] = [
        Generate("abc", max_tokens=20, temperature=1.0, seed=1),
        Generate("abc", max_tokens=20, temperature=1.0, seed=2),
        Loglikelihood("abc", ("a", "b")),
        Rolling("abcabc"),
    ]

    async def answers(order: list[int]) -> dict[int, object]:
        model = make("m")
        out: dict[int, object] = {}
        for i in order:
            try:
                out[i] = await model.send(requests[i])
            except Unsupported:
                out[i] = None
        return out

    assert await answers([0, 1, 2, 3]) == await answers([3, 2, 1, 0, 0, 2])
    if make in (Uniform, NgramSource):
        assert (await make("m").send(requests[0])).text != (await make("m").send(requests[1])).text


@pytest.mark.parametrize("make", [Uniform, Constant, Echo, Random, NgramSource])
async def test_they_do_what_they_say(make: type[Reference]) -> None:
    model = make("m")
    can = model.capabilities
    for able, request in (
        (can.generate, Generate("abc", max_tokens=3)),
        (can.loglikelihood, Loglikelihood("abc", ("a",))),
        (can.loglikelihood_rolling, Rolling("abc")),
    ):
        if able:
            got = await model.send(request)
            assert (got.text is None) == (not isinstance(request, Generate))
            assert got.cost == 0.0
        else:
            with pytest.raises(Unsupported):
                await model.send(request)
