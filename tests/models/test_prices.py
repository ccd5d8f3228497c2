"""Costs: list prices, nothing for a model of one's own, and unknown where it is unknown."""

from __future__ import annotations

from pathlib import Path

import genai_prices
import pytest

from howgood.core.errors import HowgoodError
from howgood.core.types import Usage
from howgood.models.base import Model
from howgood.models.prices import LOCAL, OwnPrice, _listed, cost, cost_of, known, own_price, plain_name


def test_list_prices() -> None:
    # gpt-4: $30 a million tokens in, $60 out; gpt-4o: $2.50, $1.25 cached, $10 (https://openai.com/api/pricing)
    assert cost("gpt-4", "openai", Usage(input=1000, output=100)) == pytest.approx(0.036)
    assert cost("gpt-4o", "openai", Usage(input=2000, cached=1000, output=100)) == pytest.approx(0.00475)


def test_thinking_is_part_of_the_output() -> None:
    plain, thought = Usage(input=10, output=500), Usage(input=10, output=500, reasoning=400)
    assert cost("o3", "openai", plain) == cost("o3", "openai", thought)


def test_other_providers() -> None:
    assert cost("openai/gpt-4o", "openrouter", Usage(input=1000, output=100)) == pytest.approx(0.0035)


def test_unknown_is_not_free() -> None:
    used = Usage(input=1000, output=100)
    assert cost("no-such-model", "openai", used) is None
    assert cost("gpt-4o", "no-such-provider", used) is None
    assert cost("gpt-4o", None, used) is None
    assert cost("gpt-4o", "openai", Usage()) is None  # the server did not say what was used
    assert cost("text-embedding-3-large", "azure", used) is None  # it has no price for output


def test_local_costs_no_money() -> None:
    assert cost("anything", LOCAL, Usage(input=10**9)) == 0.0


def test_what_has_a_price() -> None:
    assert known("gpt-4o", "openai")
    assert known("anything", LOCAL)
    assert not known("no-such-model", "openai")
    assert not known("gpt-4o", None)


def test_what_is_put_into_the_providers_cache_has_its_own_price() -> None:
    # Claude Sonnet 4.5: $3 in, $3.75 cache write (5 min), $0.30 cache read, $15 out; above 200k tokens of prompt $6,
    # $7.50, $0.60 and $22.50 (https://docs.claude.com/en/docs/about-claude/pricing)
    usage = Usage(input=10_000, cached=4_000, cache_writes=1_000, output=100)
    assert cost("claude-sonnet-4-5", "anthropic", usage) == pytest.approx((5 * 3 + 4 * 0.3 + 3.75 + 0.1 * 15) / 1000)
    long = Usage(input=300_000, cached=100_000, cache_writes=50_000, output=1_000)
    assert cost("claude-sonnet-4-5", "anthropic", long) == pytest.approx((150 * 6 + 100 * 0.6 + 50 * 7.5 + 22.5) / 1000)


@pytest.mark.parametrize("read", [1, 5_000, 128_001, 200_000, 200_001, 272_001, 900_000])
@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-5-mini", "openai"),
        ("o3", "openai"),
        ("claude-sonnet-4-5", "anthropic"),
        ("gemini-2.5-pro", "google"),
        ("deepseek-chat", "deepseek"),
        ("sonar-deep-research", "perplexity"),
        ("openai/gpt-4o", "openrouter"),
    ],
)
def test_the_sums_are_those_of_the_table(model: str, provider: str, read: int) -> None:
    usage = Usage(input=read, cached=read // 3, cache_writes=read // 5, output=700, reasoning=400)
    tokens = genai_prices.Usage(
        input_tokens=read,
        cache_read_tokens=read // 3,
        cache_write_tokens=read // 5,
        output_tokens=700,
        output_reasoning_tokens=400,
    )
    expected = genai_prices.calc_price(tokens, model_ref=model, provider_id=provider).total_price
    assert cost(model, provider, usage) == pytest.approx(float(expected), rel=1e-12)


def test_prices_that_are_looked_up_again_cost_no_look_up() -> None:
    cost("gpt-5-mini", "openai", Usage(1, 1))
    before = _listed.cache_info().misses
    for tokens in range(1, 1000):
        cost("gpt-5-mini", "openai", Usage(tokens, tokens))
    assert _listed.cache_info().misses - before <= 1  # one more where a quarter of an hour has just passed


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "prices.json"
    path.write_text(
        '{"openai/gpt-5*": {"input": 1, "cached": 0.5, "output": 4}, "gpt-5-nano": {"input": 9, "output": 9},'
        ' "mine": {"input": 2, "cache_write": 3, "output": 0}, "gguf/*": {"per_hour": 0.4}}'
    )
    monkeypatch.setenv("HOWGOOD_PRICES", str(path))
    return path


def test_own_prices_come_first(own: Path) -> None:
    usage = Usage(input=1_000_000, cached=400_000, output=500_000)
    assert cost("gpt-5-mini", "openai", usage) == pytest.approx(0.6 + 0.2 + 2)
    assert cost("gpt-5-nano", "openai", usage) == pytest.approx(0.6 + 0.2 + 2)  # the first pattern that fits
    assert cost("gpt-5-nano", None, usage) == pytest.approx(9 * 1.5)
    assert cost("mine", LOCAL, Usage(1_000_000, 7, cache_writes=100_000)) == pytest.approx(1.8 + 0.3)
    assert cost("mine", LOCAL, Usage()) is None
    assert cost("gpt-4", "openai", Usage(1000, 100)) == pytest.approx(0.036)
    assert known("mine", None)


def test_a_price_by_the_hour_makes_tokens_free(own: Path) -> None:
    model = Priceless("gguf/model.gguf,threads=2")
    assert own_price(plain_name(model)) == OwnPrice(per_hour=0.4)
    assert cost_of(model, Usage(1000, 1000)) == 0.0


class Priceless(Model):
    """A model that knows no price."""

    paid = True

    def __init__(self, name: str) -> None:
        self.name = name


def test_the_price_of_a_model(own: Path) -> None:
    assert cost_of(Priceless("mine,concurrency=3"), Usage(1_000_000)) == pytest.approx(2.0)
    assert cost_of(Priceless("other"), Usage(1_000_000)) is None
    free = Priceless("other")
    free.paid = False
    assert cost_of(free, Usage(1_000_000)) == 0.0


def test_own_prices_in_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOWGOOD_PRICES", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "empty"))
    assert own_price("mine") is None
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "howgood").mkdir()
    (tmp_path / "howgood" / "prices.json").write_text('{"m*": {"per_hour": 2}}')
    assert own_price("mine") == OwnPrice(per_hour=2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as prices"),
        ('{"m": {"inptu": 1, "output": 2}}', "cannot be read as prices: .*inptu"),
        ('{"m": {"input": "1", "output": 2}}', "cannot be read as prices: .*input"),
        ('{"m": {"input": 1}}', "the price of 'm' lacks output"),
        ('{"m": {}}', "the price of 'm' lacks input and output .*or per_hour"),
        ('{"m": {"input": 1, "output": 2, "per_hour": 3}}', "the price of 'm' is both per hour and per token"),
        ('{"m": {"input": -1, "output": 2}}', "the price of 'm' has input -1"),
        ('{"ok": {"per_hour": 1}, "m": {"per_hour": 1e999}}', "prices.json"),
    ],
)
def test_a_wrong_file_is_a_clear_error(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prices.json").write_text(text)
    monkeypatch.setenv("HOWGOOD_PRICES", str(tmp_path / "prices.json"))
    with pytest.raises(HowgoodError, match=message):
        cost("anything", "openai", Usage(1, 1))


def test_a_file_that_is_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOWGOOD_PRICES", str(tmp_path / "none.json"))
    with pytest.raises(HowgoodError, match=r"there is no file .*none.json, which HOWGOOD_PRICES names"):
        own_price("mine")
