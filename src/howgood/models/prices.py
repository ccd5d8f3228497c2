"""What a trial cost, in US dollars: from its tokens and a price list. The list is genai-prices' table, which comes with
the package (https://github.com/pydantic/genai-prices), unless the user's own file has a price for the model.

The own file is what HOWGOOD_PRICES names, or `howgood/prices.json` in the user's configuration folder (~/.config): an
object from patterns of a model's name, with or without its kind (`*` and `?` match anything; the first pattern that
fits counts), to dollars per million tokens. For a machine that is paid for by time it is dollars an hour, and a trial
then bears its share of the run's time:

    {"openai/gpt-5*": {"input": 1.25, "cached": 0.125, "output": 10}, "gguf/*": {"per_hour": 0.40}}
"""

from __future__ import annotations

import math
import os
import time
from bisect import bisect_left
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from howgood.core.errors import HowgoodError
from howgood.core.types import Usage
from howgood.models.base import Model

LOCAL = "local"
"""The provider of models on one's own machine: no money is paid for a token, unless the user's file says so."""
VARIABLE = "HOWGOOD_PRICES"
QUARTER = 900
"""Seconds for which a price that was looked up holds: some providers are cheaper at night."""
MILLION = 1_000_000


class OwnPrice(Struct, frozen=True, forbid_unknown_fields=True):
    """A price of the user's file: US dollars per million tokens of `input`, of input served from the provider's cache
    (`cached`) or put into it (`cache_write`; both as `input` where left out) and of `output`; or `per_hour`."""

    input: float | None = None
    output: float | None = None
    cached: float | None = None
    cache_write: float | None = None
    per_hour: float | None = None

    def cost(self, usage: Usage) -> float | None:
        """What so many tokens cost, in US dollars; None for a price per hour, or no token counts."""
        if self.per_hour is not None or not (usage.input or usage.output):
            return None
        rates = Rates(self.input, self.output, self.cached, self.cache_write)
        return rates.cost(usage)


class Rates(Struct, frozen=True):
    """US dollars per million tokens (None: not known), and per million requests (`request`). Tokens of a kind that has
    no price of its own cost what input or output costs."""

    input: float | None = None
    output: float | None = None
    cached: float | None = None
    cache_write: float | None = None
    reasoning: float | None = None
    request: float = 0.0

    def cost(self, usage: Usage) -> float | None:
        """What one request of so many tokens costs, in US dollars. None where a price that it needs is missing."""
        if (usage.input and self.input is None) or (usage.output and self.output is None):
            return None
        price_in, price_out = self.input or 0.0, self.output or 0.0
        cached = min(usage.cached, usage.input)
        written = min(usage.cache_writes, usage.input - cached)
        thought = min(usage.reasoning, usage.output)
        return (
            price_in * (usage.input - cached - written)
            + (price_in if self.cached is None else self.cached) * cached
            + (price_in if self.cache_write is None else self.cache_write) * written
            + price_out * (usage.output - thought)
            + (price_out if self.reasoning is None else self.reasoning) * thought
            + self.request
        ) / MILLION


class PriceList(Struct, frozen=True):
    """The rates of a model: those of `rates[i + 1]` hold for all tokens of a request that reads more than `steps[i]`,
    those of `rates[0]` below."""

    steps: tuple[int, ...]
    rates: tuple[Rates, ...]


def known(model: str, provider: str | None) -> bool:
    """Whether the model has a price for tokens read and written."""
    return cost(model, provider, Usage(input=1, output=1)) is not None


def cost(model: str, provider: str | None, usage: Usage) -> float | None:
    """The price in US dollars of one request to a provider's model. None where it is not known: an unknown provider or
    model, or no token counts.

    Prices are the user's own or else the provider's list prices at the time of the call; a negotiated price or a
    discount for batches is not known here. Raises `HowgoodError` if the user's file is wrong.
    """
    return pricing(model, provider)(usage)


def pricing(model: str, provider: str | None) -> Callable[[Usage], float | None]:
    """`cost` of a provider's model, for many requests: the user's file is looked up once."""
    own = own_price(f"{provider}/{model}", model)
    if own is not None and own.per_hour is None:
        return own.cost
    if provider == LOCAL:
        return lambda usage: 0.0

    def listed(usage: Usage) -> float | None:
        if provider is None or not (usage.input or usage.output):
            return None
        listed = _listed(model, provider, int(time.time()) // QUARTER)
        return listed.rates[bisect_left(listed.steps, usage.input)].cost(usage) if listed else None

    return listed


def cost_of(model: Model, usage: Usage) -> float | None:
    """The price in US dollars of so many tokens with this model, by the user's file or else as the model knows it. None
    where it is not known. A price per hour makes tokens free: what it is paid for is time."""
    own = own_price(plain_name(model))
    if own is None:
        return model.price(usage)
    if own.per_hour is not None:
        return 0.0
    cost = own.cost(usage)
    return None if cost is None else model.share * cost


def plain_name(model: Model) -> str:
    """The model's name without its options."""
    return model.name.partition(",")[0]


def own_price(*names: str) -> OwnPrice | None:
    """The price in the user's file whose pattern is the first to match one of a model's names. Raises `HowgoodError`
    if there is anything wrong in the file."""
    return _matching(own_file(), names)


def own_file() -> str:
    """Where the user's own prices are, or would be."""
    return os.environ.get(VARIABLE) or _usual_file(os.environ.get("XDG_CONFIG_HOME"))


@lru_cache
def _usual_file(settings: str | None) -> str:
    return os.path.join(settings or os.path.expanduser("~/.config"), "howgood", "prices.json")


@lru_cache
def _matching(path: str, names: tuple[str, ...]) -> OwnPrice | None:
    for pattern, price in _read(path).items():
        if any(fnmatchcase(name, pattern) for name in names):
            return price
    return None


@lru_cache
def _read(path: str) -> dict[str, OwnPrice]:
    try:
        prices = msgspec.json.decode(Path(path).read_bytes(), type=dict[str, OwnPrice])
    except FileNotFoundError:
        if os.environ.get(VARIABLE):
            raise HowgoodError(f"there is no file {path}, which {VARIABLE} names") from None
        return {}
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HowgoodError(
            f"{path} cannot be read as prices: {error}; it takes "
            '{"MODEL": {"input": 1.25, "output": 10}} in dollars per million tokens, or {"MODEL": {"per_hour": 0.4}}'
        ) from error
    for pattern, price in prices.items():
        if fault := _fault(price):
            raise HowgoodError(f"{path}: the price of '{pattern}' {fault}")
    return prices


def _fault(price: OwnPrice) -> str | None:
    given = {name: value for name, value in msgspec.structs.asdict(price).items() if value is not None}
    for name, value in given.items():
        if not (math.isfinite(value) and value >= 0):
            return f"has {name} {value}, which is no amount of dollars"
    if "per_hour" in given:
        return "is both per hour and per token; give one" if len(given) > 1 else None
    missing = [name for name in ("input", "output") if name not in given]
    return f"lacks {' and '.join(missing)} (dollars per million tokens), or per_hour" if missing else None


@lru_cache
def _listed(model: str, provider: str, quarter: int) -> PriceList | None:
    """What the table has for a model, as plain numbers: its own arithmetic takes some 80 us a request, ours under 1.
    `quarter` is the time, so that a price that depends on it is looked up again.
    """
    import genai_prices

    one = genai_prices.Usage(input_tokens=1, output_tokens=1)
    try:
        price = genai_prices.calc_price(one, model_ref=model, provider_id=provider).model_price
    except LookupError:
        return None
    columns = {
        "input": price.input_mtok,
        "output": price.output_mtok,
        "cached": price.cache_read_mtok,
        "cache_write": price.cache_write_mtok,
        "reasoning": price.output_reasoning_mtok,
    }
    steps = sorted({tier.start for column in columns.values() for tier in getattr(column, "tiers", ())})
    request = (_at(price.requests_kcount, 0) or 0.0) * MILLION / 1000
    rates = [Rates(**{k: _at(v, n) for k, v in columns.items()}, request=request) for n in (0, *(s + 1 for s in steps))]
    return PriceList(tuple(steps), tuple(rates))


def _at(price: Any, tokens: int) -> float | None:
    """A column of the table, for a request that reads so many tokens: those above a tier's start pay its price."""
    for tier in reversed(getattr(price, "tiers", ())):
        if tokens > tier.start:
            return float(tier.price)
    price = getattr(price, "base", price)
    return None if price is None else float(price)
