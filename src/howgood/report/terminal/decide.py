"""A decision for a terminal: what to choose, how sure that is, and what more evidence would be worth."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from howgood.interpret.abstain import Threshold
from howgood.interpret.decide import OTHERWISE, Decision, Level
from howgood.report import costs, numbers
from howgood.report.comparisons import probability
from howgood.report.terminal.parts import number, plain_table, record, say, section, two_lines

VERDICTS = {"met": "green", "not met": "red", "cannot be told": "yellow"}
SOURCES = {
    "stated": "the confidence that it states",
    "choices": "the probability of the choice taken",
    "tokens": "the mean probability of the answer's tokens",
}


def decision_view(decision: Decision) -> RenderableType:
    """The choice in a sentence, the options beside each other, the required levels, when to abstain, what more
    instances would be worth, and what all of it rests on."""
    style = "green" if decision.sure and decision.ready else "yellow"
    parts: list[RenderableType] = [say(decision.question, "bold"), say(verdict(decision), f"bold {style}")]
    parts.append(section("What an answer is worth", _options(decision)))
    if any(option.levels for option in decision.options):
        parts.append(section("What is required", _levels(decision)))
    if any(option.threshold for option in decision.options):
        lines = [(o.system, say(abstaining(o.threshold))) for o in decision.options if o.threshold]
        parts.append(section("When to abstain", record(lines)))
    parts.append(section("What more instances would be worth", record(_more(decision))))
    parts.append(section("What this rests on", record(_basis(decision))))
    return Group(*parts)


def verdict(decision: Decision) -> str:
    """The decision in a sentence or two."""
    if decision.choice is None:
        return "None of these systems: each goes over a limit or misses a required level."
    likely = f"with probability {numbers.proportion(decision.probability)}"
    if decision.choice == OTHERWISE:
        if all(option.excluded for option in decision.options):
            return "None of these systems: each goes over a limit or misses a required level, so it stays as it is."
        return f"None of these systems: what is done today is worth more than any that may be chosen, {likely}."
    words = f"{decision.choice}: it is the best option {likely}"
    words += "." if decision.sure else f", less than the {numbers.proportion(decision.confidence)} asked for."
    if decision.ready is None:
        words += " Whether it meets what is required cannot be told yet."
    return words


def abstaining(threshold: Threshold) -> str:
    """When a system had better abstain, in words."""
    source = SOURCES[threshold.source]
    if threshold.gain <= 0:
        words = f"abstaining by {source} does not pay on questions it was not fitted to ({_signed(threshold.gain)})"
    elif threshold.threshold is None:
        words = "never" if threshold.coverage else f"always: by {source} no answer is worth giving"
    else:
        words = (
            f"below {threshold.threshold:.3g} in {source}: {numbers.proportion(threshold.coverage)} are answered, "
            f"{numbers.proportion(threshold.risk)} of them wrong; {_signed(threshold.gain)} an answer"
        )
    return f"{words}. If that were the probability of being right: below {threshold.calibrated:.3g}"


def _options(decision: Decision) -> RenderableType:
    table = plain_table("<option", "=worth of an answer", ">best", ">cost", ">95% within")
    for option in decision.options:
        chosen = option.system == decision.choice
        name, why = say(option.system, "bold" if chosen else ""), "; ".join(option.excluded)
        lines = [name, say(why, "red")] if why else [name]
        if option.unchecked:
            lines.append(say(f"not held to its limit of {' and '.join(option.unchecked)}: not known", "yellow"))
        table.add_row(
            Text("\n").join(lines),
            number(option.worth),
            Text("–" if why else numbers.proportion(option.best)),
            Text("unknown" if option.cost is None else costs.dollars(option.cost)),
            Text("unknown" if option.latency is None else costs.seconds(option.latency)),
        )
    if decision.otherwise is not None:
        name = say("as it is done today", "bold" if decision.choice == OTHERWISE else "")
        table.add_row(
            name,
            Text(f"{decision.otherwise:g}".replace("-", "−")),
            Text(numbers.proportion(decision.otherwise_best)),
            "",
            "",
        )
    return table


def _levels(decision: Decision) -> RenderableType:
    table = plain_table("<system", "<required", "=is", ">probability", "<verdict")
    for option in decision.options:
        for level in option.levels:
            table.add_row(
                say(option.system),
                say(f"{level.quantity} {level.bound} {numbers.proportion(level.level)}"),
                number(level.estimate),
                Text(probability(level.probability)),
                _told(level),
            )
    return table


def _told(level: Level) -> Text:
    verdict = Text(level.verdict, style=VERDICTS[level.verdict])
    if not level.needed:
        return verdict
    return two_lines(verdict, say(f"would take about {numbers.many(level.needed, 'instance')}", "dim"))


def _more(decision: Decision) -> list[tuple[str, RenderableType]]:
    lines: list[tuple[str, RenderableType]] = []
    if decision.needed:
        words = f"about {numbers.many(decision.needed, 'instance')} in all, if the differences stay as they are"
        lines.append(("to be sure", say(words)))
    for more in decision.more:
        net = "" if more.net is None else f"; {_signed(more.net)} over all answers, less what they cost"
        lines.append((f"{numbers.count(more.instances)} more", say(f"{_signed(more.each)} an answer{net}")))
    lines.append(("all there is to know", say(f"{_signed(decision.perfect)} an answer, and no test is worth more")))
    return lines


def _basis(decision: Decision) -> list[tuple[str, RenderableType]]:
    lines: list[tuple[str, RenderableType]] = []
    for one in decision.benchmarks:
        words = [f"weight {numbers.proportion(one.weight)}", numbers.many(one.instances, "shared instance")]
        if one.left:
            words.append(f"{numbers.count(one.left)} not answered by all left out")
        if one.failed:
            words.append(f"{numbers.many(one.failed, 'failed trial')}")
        line = say(", ".join(words))
        if not one.same_rules:
            line.append("; the runs' rules differ: howgood compare says how", style="red")
        lines.append((one.benchmark, line))
    drawn = f"{numbers.count(decision.draws)} draws of the Bayesian bootstrap, seed {decision.seed}"
    lines.append(("method", say(f"{drawn}; it answers for other questions of the same kind, not of another")))
    return lines


def _signed(value: float) -> str:
    if 0 < abs(value) < 1e-4:
        return "almost nothing"
    text = f"{value:+,.0f}" if abs(value) >= 1_000 else f"{value:+.3g}"
    return text.replace("-", "−") if value else "0"
