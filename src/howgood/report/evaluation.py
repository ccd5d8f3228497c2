"""The evaluation card of a run: the question it answers, who could use the number for what, and what to know before.

Everything on it is read from the run. What is not known is said to be unknown. (`cards.py` holds the plain words that
several views of a run share; this page is one of those views.)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from howgood.core.errors import DataError
from howgood.core.text import duration, money
from howgood.core.types import Estimate
from howgood.interpret import binomial
from howgood.report import cards, comparisons, costs, numbers
from howgood.report.safe import line

if TYPE_CHECKING:
    from howgood.interpret.table import Table
    from howgood.runs.store import SavedRun

WEAKEST = 3
ARXIV = re.compile(r"(?:arXiv:|arxiv\.org/abs/)(\d\d)(\d\d)\.\d{4,5}")
CANNOT = {
    "capability": "Conclude what it tends to do when nobody checks: this is what it can do when asked like this.",
    "propensity": "Conclude what it could be brought to do: this is what it tends to do when asked like this.",
    "modelling": "Conclude how well the model answers: this is how well it foresees text.",
    "safety": "Call it safe: this is how it met these attempts, and others may do better.",
}


class Use(Struct, frozen=True):
    """What one kind of user can and cannot take from the number."""

    user: str
    can: tuple[str, ...]
    cannot: tuple[str, ...]


class EvaluationCard(Struct, frozen=True):
    """A run as one page. `question` and `answer` are what was asked and found, `asked` the four questions of an
    evaluation, `rules` everything that makes two numbers comparable, with the hash that names the game."""

    run: str
    benchmark: str
    system: str
    status: str
    date: str
    question: str
    answer: tuple[str, ...]
    estimates: tuple[Estimate, ...]
    groups: tuple[Estimate, ...]
    outcomes: dict[str, int]
    uses: tuple[Use, ...]
    asked: tuple[tuple[str, str], ...]
    rules_hash: str
    rules: dict[str, Any]
    flaws: tuple[str, ...]
    deviations: tuple[str, ...]
    cite: str
    contamination: tuple[str, ...]
    uncertainty: tuple[str, ...]
    took: tuple[str, ...]
    command: str | None
    reproduce: tuple[str, ...]

    def markdown(self) -> str:
        """The card as a page of Markdown; words from data and models cannot format it."""
        parts = [f"# Evaluation card: {_md(self.benchmark)} on {_md(self.system)}", _md(self.question)]
        parts.append("\n".join(f"**{_md(self.answer[0])}** {_md(' '.join(self.answer[1:]))}".splitlines()).strip())
        parts += ["## Result", _table(self.estimates)]
        if self.groups:
            parts += ["By group:", _table(self.groups)]
        if self.outcomes:
            counts = ", ".join(f"{n:,} {name}" for name, n in self.outcomes.items())
            parts.append(f"Answers: {counts}.")
        parts.append("## Who could use this number, and for what")
        for use in self.uses:
            rows = [f"- can: {_md(text)}" for text in use.can] + [f"- cannot: {_md(text)}" for text in use.cannot]
            parts.append(f"**{use.user}**\n\n" + "\n".join(rows))
        parts.append("## How it was made")
        parts += [f"**{question}** {_md(answer, 1_000)}" for question, answer in self.asked]
        parts += ["## Uncertainty", _bullets(self.uncertainty)]
        flaws = self.flaws or ("None is known to howgood, which does not mean that there is none.",)
        parts += ["## Known flaws", _bullets(flaws)]
        if self.deviations:
            parts += ["Where howgood deviates from the published protocol:", _bullets(self.deviations)]
        parts += ["## Contamination", _bullets(self.contamination)]
        parts += ["## Cost and time", _bullets(self.took)]
        parts.append("## To make it again")
        if self.command:
            parts.append(f"```\n{line(self.command, 4_000).replace('```', '')}\n```")
        parts.append(_bullets(self.reproduce))
        rows = [f"| {_md(name)} | {_md(cards.plain(value), 300)} |" for name, value in _flat(self.rules)]
        parts += [f"Rules `{self.rules_hash}`:", "\n".join(["| rule | value |", "|---|---|", *rows])]
        return "\n\n".join(parts) + "\n"


def evaluation_card(run: SavedRun, table: Table | None) -> EvaluationCard:
    """The card of a run; `table` are its scores (None where there are none, as of a run that was stopped)."""
    first = run.estimates[0] if run.estimates else None
    smallest = _detectable(first, table)
    return EvaluationCard(
        run=run.id,
        benchmark=run.rules.benchmark,
        system=run.system.label,
        status=run.status,
        date=(run.finished or run.started)[:10],
        question=_question(run),
        answer=tuple(_answer(run, first)),
        estimates=tuple(run.estimates),
        groups=tuple(run.groups),
        outcomes=dict(run.outcomes),
        uses=(
            _buyer(run, first, smallest),
            _researcher(run, first, smallest),
            _policy_maker(run, first),
            _developer(run, first, smallest),
        ),
        asked=tuple(cards.four_questions(run)),
        rules_hash=run.rules.hash,
        rules={part: getattr(run.rules, part) for part in ("data", "sample", "call", "outputs", "interpret")},
        flaws=tuple(run.card.get("flaws", ())),
        deviations=tuple(run.card.get("deviations", ())),
        cite=str(run.card.get("cite", "")),
        contamination=tuple(_contamination(run)),
        uncertainty=tuple(_uncertainty(run, first, table, smallest)),
        took=tuple(_took(run)),
        command=cards.command(run),
        reproduce=tuple(_reproduce(run)),
    )


def _question(run: SavedRun) -> str:
    title = str(run.card.get("title", "")).rstrip(".")
    about = f" ({title})" if title else ""
    return f"How good is {run.system.label} at {run.rules.benchmark}{about}, under the rules below?"


def _answer(run: SavedRun, first: Estimate | None) -> list[str]:
    if first is None:
        return [f"There is no number: the run is {run.status}{f', {run.message}' if run.message else ''}."]
    better = "higher" if first.higher_is_better else "lower"
    found = [
        f"{first.name} {numbers.value(first)} {numbers.interval(first)}.",
        f"{numbers.level(first)} interval, n {numbers.count(first.n)}; {better} is better.",
    ]
    guess = cards.baseline(run, "random")
    if guess is not None and first.percent:
        if first.low <= guess <= first.high:
            found.append(f"Guessing ({numbers.proportion(guess)}) is inside the interval: nothing better is shown.")
        elif first.high < guess:
            found.append(f"That is below guessing ({numbers.proportion(guess)}): read the answers before the number.")
    if run.status != "finished":
        found.append(f"The run is {run.status}, so the number is of a part.")
    return found


def _detectable(first: Estimate | None, table: Table | None) -> float | None:
    """The difference from another system on the same instances that would show with 80 % power, if the two find them
    hard alike with correlation 0.5; None for what is no mean, and where answers that are all alike show no spread."""
    from howgood.interpret.power import like

    if first is None or table is None or first.name not in table.scores or len(table.instances.ids) < 2:
        return None
    variance = None if first.se is None else first.n * first.se**2
    seen = like(table, first.name, variance=variance).detectable(first.n, table.instances.epochs)
    return seen if seen > 1e-9 * (1 + abs(first.value)) else None


def _seen(first: Estimate | None, smallest: float | None) -> str:
    return "" if first is None or smallest is None else numbers.difference(first, smallest)


def _buyer(run: SavedRun, first: Estimate | None, smallest: float | None) -> Use:
    can, cannot = [], []
    if smallest is not None:
        can.append(f"Make a short list: another system that differs by {_seen(first, smallest)} or more would show.")
    if paid := costs.took(run, "cost"):
        slow = costs.took(run, "latency_p95")
        time = f", and 95 of 100 came within {costs.seconds(slow.value)} where it ran" if slow else ""
        can.append(f"Set it against its price: an answer cost {costs.dollars(paid.value)} on average{time}.")
    if _own(run):
        can.append("Decide by it as far as these questions are like your work: they are from a file of one's own.")
    else:
        cannot.append("Expect it on your own questions. Run them too (howgood run my.csv), then howgood decide.")
    cannot.append("See what an error costs you: every wrong answer counts alike here. howgood decide weighs them.")
    return Use("A buyer", tuple(can), tuple(cannot))


def _researcher(run: SavedRun, first: Estimate | None, smallest: float | None) -> Use:
    can = [f"Report it with its interval, n and rules ({run.rules.hash}), and compare under the same rules, paired."]
    cannot = ["Hold it beside a number made under other rules (prompt, shots, data): howgood compare tells."]
    if smallest is not None:
        cannot.append(f"Expect a difference below {_seen(first, smallest)} to show on these: plan with howgood power.")
    if deviations := run.card.get("deviations"):
        told = numbers.many(len(deviations), "deviation")
        cannot.append(f"Take it for a number of the published protocol before reading the {told} below.")
    return Use("A researcher", tuple(can), tuple(cannot))


def _policy_maker(run: SavedRun, first: Estimate | None) -> Use:
    can, cannot = [], []
    if first is not None and first.percent and first.higher_is_better and first.group is None:
        worst = 1 - first.low
        can.append(
            f"Say that on questions of this kind up to {numbers.proportion(worst)} of the score may be missing "
            f"({numbers.level(first)} interval), and set levels against that end and not the middle."
        )
    purpose = str(run.card.get("purpose"))
    cannot.append(CANNOT.get(purpose, "Conclude how it does elsewhere: this is how it did here."))
    cannot.append(
        "Read it as fitness for a use: what harm an error does is no part of it. howgood decide weighs harms."
    )
    return Use("A policy maker", tuple(can), tuple(cannot))


def _developer(run: SavedRun, first: Estimate | None, smallest: float | None) -> Use:
    can, cannot = [], []
    if smallest is not None:
        can.append(f"Watch for regressions: a change of {_seen(first, smallest)} or more would show, smaller ones not.")
    if weak := _weakest(run):
        told = ", ".join(f"{e.group} {numbers.value(e)} {numbers.interval(e)}" for e in weak)
        can.append(f"See where to look first: {told}.")
    odd = {name: n for name, n in cards.odd_outcomes(run.outcomes).items() if n}
    if odd:
        told = ", ".join(f"{n:,} {name}" for name, n in odd.items())
        can.append(f"Mend what is no matter of knowledge: {told} (howgood show {run.id[-4:]} --errors or --wrong).")
    if (command := cards.look_closer(run, run.id[-4:])).endswith("--wrong"):
        can.append(f"Read the wrong answers one by one: {command}.")
    cannot.append("Tune on these questions and report this number: it would then tell how well they were fitted.")
    return Use("A model developer", tuple(can), tuple(cannot))


def _weakest(run: SavedRun) -> list[Estimate]:
    """The groups that are worst beyond doubt: whose interval does not reach the whole's value."""
    if not run.groups or not run.estimates:
        return []
    first = run.estimates[0]
    rows = [g for g in run.groups if g.name == first.name]
    if first.higher_is_better:
        return sorted((g for g in rows if g.high < first.value), key=lambda g: g.value)[:WEAKEST]
    return sorted((g for g in rows if g.low > first.value), key=lambda g: -g.value)[:WEAKEST]


def _own(run: SavedRun) -> bool:
    from howgood.core.registry import is_data_file

    return is_data_file(run.benchmark)


def _contamination(run: SavedRun) -> list[str]:
    found = []
    if _own(run):
        found.append("The questions are from a file of one's own; howgood cannot know who else has seen it.")
    elif run.origin:
        found.append(f"Whether the questions are public is not known here: {run.rules.data.get('source', 'unknown')}.")
    else:
        found.append(f"The questions are public: {run.rules.data.get('source', 'an unnamed source')}.")
        if published := ARXIV.search(str(run.card.get("cite", ""))):
            month = f"20{published[1]}-{published[2]}"
            found.append(f"They were described in {month}: training data gathered after that may hold them.")
    found.append("Whether the model was trained on them was not tested here; its training cut-off is not known.")
    found.append("If it was, the score is higher than new questions of the kind would give.")
    return found


def _uncertainty(run: SavedRun, first: Estimate | None, table: Table | None, smallest: float | None) -> list[str]:
    if first is None:
        return ["there is no number yet"]
    found = [f"{cards.headline(first)}."]
    found.append("The interval is for other questions of the same kind: not for another kind, prompt, or language.")
    found += _bayesian(run, first, table)
    found += _split(run, first, table)
    if "perturb" not in run.rules.sample:
        found.append("Other wordings were not tried (howgood run --perturb), and the interval leaves them out.")
    if smallest is not None:
        seen = _seen(first, smallest)
        found.append(
            f"Against another system on these instances a difference of {seen} or more shows in 8 of 10 comparisons, "
            "if both find them hard alike with a correlation of 0.5 (howgood power)."
        )
    return found


def _bayesian(run: SavedRun, first: Estimate, table: Table | None) -> list[str]:
    """The posterior of a rate of right answers, where it is one of independent instances that count alike."""
    from howgood.interpret.statistics import is_binary

    if table is None or first.clusters or first.name not in table.scores or run.rules.sample.get("strata"):
        return []
    values = table.score(first.name)
    if not is_binary(values) or len(values) != first.n or abs(values.mean() - first.value) > 1e-9:
        return []
    right, n = int(values.sum()), len(values)
    low, high = binomial.credible(right, n)
    ends = f"[{numbers.value(first, low).rstrip('%')}, {numbers.value(first, high).rstrip('%')}]"
    words = f"If every rate was as likely before, it is now in {ends} with probability 95%"
    guess = cards.baseline(run, "random")
    if guess is not None:
        above = comparisons.probability(binomial.probability_above(guess, right, n))
        words += f", and above guessing ({numbers.proportion(guess)}) with probability {above}"
    return [f"{words} (Beta posterior, uniform prior; {right:,} of {n:,})."]


def _split(run: SavedRun, first: Estimate, table: Table | None) -> list[str]:
    from howgood.interpret.variance import split

    if run.rules.sample.get("epochs", 1) > 1 and table is not None and first.name in table.scores:
        try:
            parts = split(table, first.name)
        except DataError:
            return []
        if parts.sampling is not None:
            again = numbers.difference(first, parts.again)
            return [
                f"Its squared error comes from: {comparisons.split_words(parts)}. The same questions asked again would "
                f"move it by ±{again} (one standard error)."
            ]
    if run.rules.call.get("temperature"):
        return ["Answers were sampled once each: how much another draw would move the number is not known (--epochs)."]
    return []


def _took(run: SavedRun) -> list[str]:
    took = "an unknown time" if run.origin and not run.seconds else duration(run.seconds)
    found = [f"The run took {took} and cost {money(run.cost)}."]
    for name, words in (("cost", "An answer cost"), ("latency", "Half took up to"), ("latency_p95", "95% took up to")):
        if figure := costs.took(run, name):
            value = costs.dollars(figure.value) if name == "cost" else costs.seconds(figure.value)
            found.append(f"{words} {value}{' on average' if name == 'cost' else ''}.")
    found.append(f"{run.usage.input:,} tokens in, {run.usage.output:,} out.")
    return found


def _reproduce(run: SavedRun) -> list[str]:
    told = ", ".join(f"{name} {value}" for name, value in run.environment.items())
    model = {k: v for k, v in run.system.model.items() if isinstance(v, str | int | float | bool)}
    data, seed = run.rules.data, run.options.get("seed", 0)
    found = [f"Run {run.id}, {run.started}. {told}.", f"Model: {run.system.name}, {cards.plain(model)}."]
    seeded = "" if run.origin else f"; seed {seed}"
    found.append(f"Data: {data.get('source')}, content digest {data.get('digest') or 'unknown'}{seeded}.")
    if run.origin:
        found.append(f"{cards.made_by(run.origin)} (sha256 {run.origin.sha256}) on {run.origin.imported[:10]}.")
    elif run.status != "finished":
        found.append(f"The run is {run.status}; howgood resume {run.id} goes on.")
    return found


def _flat(rules: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in rules.items():
        found += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return found


def _table(estimates: tuple[Estimate, ...]) -> str:
    if not estimates:
        return "none"
    rows = ["| score | value | interval | n | method |", "|---|---:|---|---:|---|"]
    for one in estimates:
        name = f"{one.name} ({one.group})" if one.group else one.name
        rows.append(
            f"| {_md(name)} | {numbers.value(one)} | {_md(numbers.interval(one))} | {one.n:,} | {_md(one.method)} |"
        )
    return "\n".join(rows)


def _bullets(texts: tuple[str, ...]) -> str:
    return "\n".join(f"- {_md(text, 600)}" for text in texts)


def _md(text: str, limit: int = 400) -> str:
    """Text on one line that Markdown shows as it is."""
    return re.sub(r"([\\`*_\[\]<>|#~&!])", r"\\\1", line(text, limit))
