"""Whether the text that is scored is the text that was given, from its first token on."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

from howgood.core.errors import RequestError, Unsupported
from howgood.core.text import one_line
from howgood.core.types import Message, Prompt
from howgood.models.inside import Tokenizes
from howgood.validity.trust.probe import PASSAGES, CannotBeTold, Found, Probe

AWKWARD = {
    "a space before and after": " leading and trailing ",
    "many spaces": "a  b   c    d        e",
    "newlines": "one\ntwo\n\nthree\r\nfour\n",
    "tabs": "\tif x:\n\t\treturn\t1\n",
    "code": 'def f(a, b=None):\n    return {"k": [a[0], not b]}  # why?\n',
    "punctuation": "Well , it 's \"so-called\" ... isn't it ?! (No.) $3.50/kg; 50% -- a_b#c@d\\e|f~`^",
    "numbers": "3.14159 1,000,000 007 1e-9 0x1F ½ ²",
    "capitals": "iPhone NASA McDonald SHOUTING",
    "accents": "naïve café Ångström Þórr Łódź",
    "combining marks": "e\u0301a\u0308 n\u0303 \u1e9b\u0323 fi ﬁ",
    "emoji": "ok 👍🏽 👩‍👩‍👧‍👦 🇳🇴 ✔️",
    "Chinese, Japanese, Korean": "中文字符，日本語のテキスト。한국어 문장",
    "right to left": "שלום עולם مرحبا بالعالم",
    "unseen characters": "a\u00a0b\u200bc\u00add\u2028e",
    "special tokens as text": "<|endoftext|> <|im_start|>user <s> </s> [INST] <unk> <pad>",
    "what byte pairs stand for": "Ġthe ▁the Ċ ## @@",
}
"""Texts on which tokenizers lose something."""

SPECIAL = ("<|endoftext|>", "<s>", "</s>", "<|begin_of_text|>", "<|end_of_text|>", "<bos>", "<eos>")
"""What models are trained to begin a text with, by the names that these tokens have."""
PATHOLOGICAL = 0.05
"""Bits a byte that a prefix may cost against another; our texts are short, and the first words cost the most."""


async def round_trip(probe: Probe) -> Found:
    """A text cut into tokens and put together again is the same text."""
    texts = AWKWARD | {f"passage {number}": text for number, text in enumerate(probe.passages, 1)}
    back = _decoded(probe.model) if isinstance(probe.model, Tokenizes) else _echoed(probe)
    lost, unknown, exact = [], [], 0
    for name, text in texts.items():
        try:
            again = await back(text)
        except (RequestError, Unsupported):
            again = None
        if again is None:
            unknown.append(name)
        elif again == text:
            exact += 1
        else:
            lost.append(name)
    if not exact and not lost:
        raise CannotBeTold("neither its tokenizer nor an echo of a text's tokens can be had")
    figure = f"{exact} of {len(texts)} awkward texts come back exactly"
    if lost:
        figure += f"; not: {', '.join(lost)}"
    if unknown:
        figure += f"; {len(unknown)} cannot be told"
    if control := _control(probe):
        figure += f"; {', '.join(control)} as text is read as a control token"
    return Found("wrong" if lost else "ok", figure, len(lost), 0.0)


def _decoded(model: Tokenizes) -> Callable[[str], Awaitable[str | None]]:
    async def back(text: str) -> str | None:
        return model.detokenize(model.tokenize(text))

    return back


def _echoed(probe: Probe) -> Callable[[str], Awaitable[str | None]]:
    async def back(text: str) -> str | None:
        tokens = await probe.echoed(text)
        if tokens is None:
            return None
        joined = "".join(tokens)
        # A character in several tokens has no text in any of them: they are told as U+FFFD, as bytes, or as nothing.
        whole = joined == text or not any(
            "\ufffd" in token or token.startswith("bytes:") or not token for token in tokens
        )
        return joined if whole else None

    return back


def _control(probe: Probe) -> list[str]:
    """The names of special tokens that become such when they stand in a text."""
    return [text for text in (*SPECIAL, "<|im_start|>") if _is_one_token(probe, text)]


def _is_one_token(probe: Probe, text: str) -> bool:
    try:
        return isinstance(probe.model, Tokenizes) and len(probe.model.tokenize(text)) == 1
    except RequestError:
        return False


async def begins_right(probe: Probe) -> Found:
    """Every token of a text is scored, the token before it stands there once, and does not make it less likely."""
    doubled = _doubled(probe)
    if doubled:
        return Found("wrong", f"{doubled} stands twice before {_kinds(probe)}", 2, 1)
    if not probe.able.loglikelihood:
        if isinstance(probe.model, Tokenizes):
            return Found("ok", "no token stands twice before a prompt")
        raise CannotBeTold("it scores no given text and does not show its tokens")
    missing = await _unscored(probe)
    if missing:
        return Found("wrong", f"{missing} of the tokens at the beginning of a text are not scored", missing, 0)
    return await _cost_of_prefix(probe)


def _doubled(probe: Probe) -> str:
    """The token that stands twice before a prompt; empty where none does."""
    model, prefix = probe.model, probe.prefix
    if not isinstance(model, Tokenizes):
        return ""
    prompts: list[Prompt] = []
    if probe.able.chat:
        prompts.append((Message("user", probe.beginnings[0]),))
    if probe.able.completion or not prompts:
        prompts += [probe.beginnings[0], *([prefix + probe.beginnings[0]] if prefix else [])]
    for prompt in prompts:
        tokens, text = model.prompt_tokens(prompt), probe.model.render(prompt)
        set_before = len(tokens) > len(model.tokenize(text)) or model.detokenize(tokens[:1]) == prefix
        if len(tokens) > 1 and tokens[0] == tokens[1] and set_before:
            return repr(model.detokenize(tokens[:1]))
    return ""


def _kinds(probe: Probe) -> str:
    return "a prompt (the chat template and the tokenizer both set it)" if probe.able.chat else "a prompt"


async def _unscored(probe: Probe) -> int:
    """How many tokens of a text have no log-probability. Raises `CannotBeTold` with the server's or model's reason."""
    text = probe.passages[-1]
    if not probe.able.loglikelihood_rolling:
        return 0
    try:
        scored = (await probe.score_text(text)).tokens
    except (RequestError, Unsupported) as error:
        raise CannotBeTold(f"the first token of a text is not scored: {one_line(str(error))}") from None
    pieces = await probe.pieces(text)
    return 0 if pieces is None else len(pieces) - scored


async def _cost_of_prefix(probe: Probe) -> Found:
    """Bits a byte of our texts after the model's own prefix, after other special tokens, and after nothing."""
    if not probe.prefix:
        figure = (
            f"no token stands before a text, and all of it is scored: {await _after_nothing(probe):.3f} bits a byte"
        )
        return Found("ok", figure)
    own = await _bits(probe, probe.prefix)
    others = {}
    for special in SPECIAL:
        if special != probe.prefix and probe.passages is PASSAGES and _is_one_token(probe, special):
            others[special] = await _bits(probe, special)
    # Without a prefix the first word has no probability, so it is left out on both sides.
    bare = await _after_nothing(probe)
    rest = await _after_nothing(probe, probe.prefix)
    cost = max([rest - bare, *(own - bits for bits in others.values())])
    figure = f"{own:.3f} bits a byte after {probe.prefix}" + "".join(f", {b:.3f} after {s}" for s, b in others.items())
    figure += f"; without the first word {rest:.3f}, and {bare:.3f} after nothing"
    figure += f" (tolerance {PATHOLOGICAL:g})"
    return Found("ok" if cost <= PATHOLOGICAL else "doubtful", figure, cost, PATHOLOGICAL)


async def _bits(probe: Probe, prefix: str) -> float:
    scored = [await probe.score(prefix, text) for text in probe.passages]
    return _per_byte(math.fsum(one.logprob for one in scored), "".join(probe.passages))


async def _after_nothing(probe: Probe, prefix: str = "") -> float:
    """Bits a byte of our texts without their first word, after it and after `prefix`."""
    cuts = [(text[:place], text[place:]) for text in probe.passages for place in [max(1, text.find(" "))]]
    scored = [await probe.score(prefix + first, rest) for first, rest in cuts]
    return _per_byte(math.fsum(one.logprob for one in scored), "".join(rest for _, rest in cuts))


def _per_byte(logprob: float, text: str) -> float:
    return -logprob / math.log(2) / len(text.encode())
