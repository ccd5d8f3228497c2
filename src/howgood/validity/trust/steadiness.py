"""Whether a model answers the same question the same way, whatever else it is asked."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from howgood.core.types import Likelihood, Loglikelihood, Prediction
from howgood.models.inside import Distributes, Tokenizes
from howgood.validity.trust.probabilities import ALTERNATIVES
from howgood.validity.trust.probe import CannotBeTold, Found, Probe, Verdict, brief, cut, difference, judged, together

SIZES = (6, 20, 50, 120, 250, 400, 1200)
"""Characters of the contexts that share a batch, of very different length so that there is much padding."""
CONTINUED = 30
"""Characters scored after each."""
SHUFFLES = 2
REPEATS, ANSWER = 5, 24
"""How often the same is asked at temperature 0, and tokens of the answer."""
GREEDY = 6
"""Tokens of an answer whose likelihood must be called greedy."""


async def batch_and_order(probe: Probe) -> Found:
    """A log-probability does not depend on what is asked before it, with it, or in what order."""
    if not probe.able.loglikelihood:
        raise CannotBeTold("it scores no given text")
    items = _items(probe.passages)

    async def in_order(order: Sequence[int], at_once: bool) -> dict[int, Likelihood]:
        if at_once:
            scored = await together([probe.score(*items[i]) for i in order])
        else:
            scored = [await probe.score(*items[i]) for i in order]
        return dict(zip(order, scored, strict=True))

    forwards = list(range(len(items)))
    alone = await in_order(forwards, at_once=False)
    worst = {"asked again": _largest(alone, await in_order(forwards[::-1], at_once=False))}
    orders = [forwards, forwards[::-1]]
    draw = random.Random(probe.seed)
    orders += [draw.sample(forwards, len(forwards)) for _ in range(SHUFFLES)]
    worst["at once"] = max([_largest(alone, await in_order(order, at_once=True)) for order in orders])
    worst["in one request"] = await _in_one_request(probe, items)
    value = max(worst.values())
    changes = ", ".join(f"{name} {brief(change)}" for name, change in worst.items())
    figure = f"nats a token: {changes} (tolerance {probe.tolerance:g})"
    return Found(judged(value, probe.tolerance), figure, value, probe.tolerance)


def _items(passages: Sequence[str]) -> list[tuple[str, str]]:
    """Contexts of all sizes, each with what follows it."""
    text = (" " if " " in passages[0] else "").join(passages)
    text *= 1 + (SIZES[-1] + 2 * CONTINUED) // len(text)
    places = [(cut(text, size), cut(text, size + CONTINUED)) for size in SIZES]
    return [(text[:start], text[start:end]) for start, end in places]


def _largest(a: dict[int, Likelihood], b: dict[int, Likelihood]) -> float:
    return max(difference(a[i], b[i]) for i in a)


async def _in_one_request(probe: Probe, items: Sequence[tuple[str, str]]) -> float:
    """Continuations of one prompt in one request, in both orders, against each alone."""
    context, continuation = items[3]
    several = (continuation, items[-1][1], continuation + items[4][1], items[1][1])
    alone = [await probe.score(context, one) for one in several]
    worst = 0.0
    for order in (several, several[::-1]):
        together = (await probe.send(Loglikelihood(context, order))).likelihoods
        found = dict(zip(order, together, strict=True))
        worst = max([worst, *(difference(a, found[one]) for one, a in zip(several, alone, strict=True))])
    return worst


async def repeatable(probe: Probe) -> Found:
    """At temperature 0 the same prompt has the same answer, asked alone and among others."""
    if not probe.able.generate:
        raise CannotBeTold("it writes no text")
    if told := probe.described.get("sampling"):
        raise CannotBeTold(f"temperature is {told}")
    prompts, others = probe.beginnings[:2], [*probe.beginnings[2:4], probe.passages[0], "".join(probe.passages)]
    alone = {text: [await probe.write(text, ANSWER) for _ in range(REPEATS)] for text in prompts}
    crowd = [text for i in range(REPEATS) for text in (prompts[0], others[i % len(others)], prompts[1])]
    answers = await together([probe.write(text, ANSWER) for text in crowd])
    among = {text: [answer for asked, answer in zip(crowd, answers, strict=True) if asked == text] for text in prompts}
    first = {text: _said(alone[text][0]) for text in prompts}
    same, same_among = (
        sum(_said(answer) == first[text] for text in prompts for answer in found[text]) for found in (alone, among)
    )
    of = REPEATS * len(prompts)
    verdict: Verdict = "wrong" if same < of else "ok" if same_among == of else "doubtful"
    if same < of:
        # The commonest answer is the fairer share where the first was the odd one out.
        same = sum(Counter(map(_said, alone[text])).most_common(1)[0][1] for text in prompts)
    return Found(
        verdict, f"the same answer {same} of {of} times alone, {same_among} of {of} among others", same / of, 1.0
    )


def _said(prediction: Prediction) -> tuple[str, str]:
    return prediction.reasoning or "", prediction.text or ""


async def greedy_flag(probe: Probe) -> Found:
    """What is written at temperature 0 is what the likelihood calls greedy, and nothing else is."""
    if not probe.able.generate:
        raise CannotBeTold("it writes no text")
    if not (probe.able.loglikelihood and probe.able.completion):
        return await _likeliest_written(probe)
    written = [(text, await probe.write(text, GREEDY)) for text in probe.beginnings]
    usable = [(text, answer) for text, answer in written if await _scorable(probe, text, answer)]
    agree = tied = denied = claimed = 0
    for number, (text, answer) in enumerate(usable):
        assert answer.text
        if (await probe.score(text, answer.text)).greedy:
            agree += 1
        elif await _tied(probe, text, answer.text):
            tied += 1
        else:
            denied += 1
        passage = probe.passages[number % len(probe.passages)]
        other = passage[cut(passage, 12) : cut(passage, 36)]
        if not (other.startswith(answer.text) or answer.text.startswith(other)) and await probe.extends(text, other):
            claimed += (await probe.score(text, other)).greedy
    if not agree + denied + claimed:
        why = "its likeliest tokens are equally likely" if tied else "what it writes cannot be scored token by token"
        raise CannotBeTold(why)
    figure = f"{agree} of {agree + denied} greedy answers called so, {claimed} others called so"
    faults = denied + claimed
    # One may be a tie, which a server does not show; and where one engine writes and another scores, what is nearly as
    # likely for the one is likelier for the other.
    borne = agree if probe.two_engines else 0 if _open(probe) else 1
    verdict: Verdict = "ok" if not faults else "doubtful" if denied <= borne and not claimed else "wrong"
    if denied and probe.two_engines:
        figure += "; one engine writes and another scores: ,engine=transformers has one do both"
    return Found(verdict, figure, faults, 0.0)


def _open(probe: Probe) -> bool:
    return isinstance(probe.model, Distributes) and isinstance(probe.model, Tokenizes)


async def _scorable(probe: Probe, text: str, answer: Prediction) -> bool:
    """Whether an answer's text has the tokens that were written."""
    said = answer.text or ""
    if answer.stop_reason != "length" or not said or "\ufffd" in said or not await probe.extends(text, said):
        return False
    before, whole = await probe.pieces(text), await probe.pieces(text + said)
    return before is None or whole is None or len(whole) - len(before) == (answer.usage.output or GREEDY)


async def _tied(probe: Probe, text: str, answer: str) -> bool:
    """Whether two tokens were likeliest at a place of an answer, as nearly as arithmetic can tell, so that either may
    be called greedy."""
    model, tied = probe.model, False
    if not (isinstance(model, Distributes) and isinstance(model, Tokenizes)):
        return False
    before, whole = model.tokenize(text), model.tokenize(text + answer)
    for place in range(len(before), len(whole)):
        probe.requests += 1
        logprobs = await model.next_token(model.detokenize(whole[:place]))
        best, second = sorted(logprobs)[:-3:-1]
        if best - logprobs[whole[place]] > probe.tolerance:
            return False
        tied = tied or best - second <= probe.tolerance
    return tied


async def _likeliest_written(probe: Probe) -> Found:
    if not probe.able.logprobs:
        raise CannotBeTold("it tells no log-probabilities")
    tokens = [
        token for text in probe.beginnings[:3] for token in (await probe.write(text, GREEDY, ALTERNATIVES)).tokens
    ]
    if not tokens:
        raise CannotBeTold("its server gave no log-probabilities, though it was asked for them")
    below = max([max(token.alternatives.values(), default=token.logprob) - token.logprob for token in tokens])
    figure = (
        f"{len(tokens)} tokens written at temperature 0: below the likeliest by at most {brief(max(0.0, below))} nats "
        f"(tolerance {probe.tolerance:g})"
    )
    return Found(judged(below, probe.tolerance), figure, max(0.0, below), probe.tolerance)
