"""A benchmark's inputs in a terminal: what they are about, how long, in which languages, which are alike, how hard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from howgood.inputs.coverage import QUANTILES, Share
from howgood.inputs.topics import STABLE, Topics
from howgood.report import numbers
from howgood.report.terminal.parts import plain_table, say, section, short, two_lines

if TYPE_CHECKING:
    from howgood.inputs.duplicates import Duplicates, Pair
    from howgood.interpret.difficulty import Difficulty
    from howgood.interpret.tail import Tail
    from howgood.runs.coverage import Coverage

WIDTH = 56
"""Characters of a question that are shown."""
MOST = 8
"""Rows of a list before the rest is only counted."""


def inputs_view(seen: Coverage) -> RenderableType:
    """Everything that was found, part by part."""
    found = seen.found
    taken = f"{numbers.count(seen.instances)} instances{' (a sample)' if seen.sampled else ''}, {seen.source}"
    parts: list[RenderableType] = [
        two_lines(say(f"{seen.benchmark}  {seen.title}", "bold"), say(taken, "dim")),
        section("What they are about", *_topics(seen)),
        section("How long they are, with their choices", _lengths(seen)),
    ]
    if found.strata:
        parts.append(section(f"Strata: {numbers.count(len(found.strata))}", _shares(found.strata)))
    if found.languages.missing:
        parts.append(section("Languages", say(found.languages.missing, "yellow")))
    else:
        looked = f"Languages, of {numbers.many(found.languages.n, 'instance')}"
        parts.append(section(looked, _shares(found.languages.shares)))
    parts.append(section("Quizzing or asking, by rules that err (docs/inputs.md)", _shares(found.kinds.shares)))
    parts.append(section("Near duplicates", *_duplicates(found.duplicates, seen.texts)))
    if seen.difficulty is not None:
        title = f"Difficulty, by {numbers.many(len(seen.difficulty.systems), 'system')}"
        parts.append(section(title, *_difficulty(seen.difficulty, seen.texts)))
    if seen.tail is not None:
        parts.append(section(f"Where {seen.tail.score} falls", *_tail(seen.tail)))
    elif not seen.runs:
        parts.append(section("Difficulty and tail", say("name runs of it: howgood inputs BENCHMARK RUN...", "dim")))
    return Group(*parts)


def _topics(seen: Coverage) -> list[RenderableType]:
    table = plain_table(">", ">share", "<words that set it apart", "<one of them")
    for number, topic in enumerate(seen.found.topics.topics, start=1):
        example = topic.examples[0] if topic.examples else ""
        table.add_row(
            str(number),
            numbers.proportion(topic.share),
            say(", ".join(topic.words) or "none"),
            two_lines(short(seen.texts.get(example, ""), WIDTH), short(example, WIDTH, "dim")),
        )
    return [table, say(stability_words(seen.found.topics), "dim")]


def stability_words(topics: Topics) -> str:
    """How many topics, and how sure that is, in one sentence."""
    if topics.stability is None:
        return "too few instances, or words in common, to tell topics apart"
    tried = ", ".join(f"{k}: {value:.2f}" for k, value in topics.tried.items())
    held = "stable" if topics.stable else f"not stable (below {STABLE}): other topics could be told as well"
    return (
        f"{len(topics.topics)} topics; two halves of the instances agree on them by {topics.stability:.2f} (adjusted "
        f"Rand index; 1 is wholly), which is {held}. Tried {tried}"
    )


def _lengths(seen: Coverage) -> Table:
    names = {0.0: "least", 0.5: "median", 1.0: "most"}
    heads = [names.get(q, numbers.proportion(q)) for q in QUANTILES]
    table = plain_table("=unit", *(f">{head}" for head in heads), ">mean")
    for length in seen.found.lengths:
        table.add_row(length.unit, *(f"{value:,.0f}" for value in length.quantiles), f"{length.mean:,.1f}")
    return table


def _shares(shares: list[Share]) -> RenderableType:
    words = Text(", ").join(say(f"{one.name} {numbers.proportion(one.share)}") for one in shares[: 2 * MOST])
    return words.append(f", and {len(shares) - 2 * MOST} more", style="dim") if len(shares) > 2 * MOST else words


def _duplicates(found: Duplicates, texts: dict[str, str]) -> list[RenderableType]:
    rule = f"trigrams alike by {numbers.proportion(found.threshold)} or more"
    if not found.pairs and not found.shown:
        pool = f" and {numbers.many(found.pool, 'worked example')}" if found.pool else ""
        return [say(f"none among the instances{pool} ({rule})")]
    other = sum(not pair.same_answer for pair in found.pairs)
    told: list[RenderableType] = [
        say(
            f"{numbers.many(len(found.pairs), 'pair')} of {numbers.many(found.instances, 'instance')} ({rule}); "
            f"{numbers.count(other)} with different right answers"
        )
    ]
    if found.pool:
        told.append(
            say(
                f"{numbers.many(len(found.shown), 'pair')} with the {numbers.many(found.pool, 'worked example')}",
                "bold red" if found.shown else "",
            )
        )
    table = plain_table(">alike", "<which", "<question", "=answer")
    # What matters first: a worked example that gives an answer away, then one question with two answers.
    ordered: list[Pair] = [*found.shown, *sorted(found.pairs, key=lambda pair: (pair.same_answer, -pair.similarity))]
    for pair in ordered[:MOST]:
        answer = say("same") if pair.same_answer else say("differs", "yellow")
        which = two_lines(short(pair.a, 40), short(pair.b, 40))
        table.add_row(numbers.proportion(pair.similarity), which, short(texts.get(pair.a, ""), WIDTH), answer)
    told.append(table)
    if len(ordered) > MOST:
        told.append(say(f"{numbers.count(len(ordered) - MOST)} more: --json lists all", "dim"))
    return told


def _difficulty(found: Difficulty, texts: dict[str, str]) -> list[RenderableType]:
    told: list[RenderableType] = [
        say(
            f"{numbers.count(found.n)} questions: all systems right on {numbers.count(found.easy)}, none on "
            f"{numbers.count(found.hard)}, some on {numbers.count(found.between)}"
        )
    ]
    if found.questions and found.questions[0].difficulty is None:
        told.append(say("item response theory is fitted from five systems on", "dim"))
    table = plain_table(">right", ">with the rest", ">difficulty", "<hardest questions")
    by_id = {question.id: question for question in found.questions}
    for question in found.questions[:MOST]:
        table.add_row(*_row(question.share, question.rest, question.difficulty), _asked(question.id, texts))
    told.append(table)
    if found.against:
        told.append(say(f"{numbers.many(len(found.against), 'question')} that better systems get wrong more often:"))
        doubtful = plain_table(">right", ">with the rest", ">difficulty", "<look whether their right answer is right")
        for id in found.against[:MOST]:
            one = by_id[id]
            doubtful.add_row(*_row(one.share, one.rest, one.difficulty), _asked(id, texts))
        told.append(doubtful)
    return told


def _row(share: float, rest: float | None, difficulty: float | None) -> tuple[str, str, str]:
    def signed(value: float | None) -> str:
        return "" if value is None else f"{value:.2f}".replace("-", "−")

    return numbers.proportion(share), signed(rest), signed(difficulty)


def _asked(id: str, texts: dict[str, str]) -> Text:
    return two_lines(short(texts.get(id, ""), WIDTH), short(id, WIDTH, "dim"))


def _tail(found: Tail) -> list[RenderableType]:
    low = [part for part in found.parts if part.below]
    told: list[RenderableType] = [
        say(
            f"{numbers.proportion(found.value)} over {numbers.count(found.n)} instances; {len(low)} of "
            f"{numbers.many(found.looked_at, 'part')} lie below it (intervals that all hold with "
            f"{numbers.proportion(found.level)} confidence)",
            "yellow" if low else "",
        )
    ]
    table = plain_table("<part", ">n", "=score", "=drawn to the whole", "=all hold")
    for part in [*low, *(part for part in found.parts if not part.below)][: max(MOST, min(len(low), 2 * MOST))]:
        table.add_row(
            two_lines(short(part.name, WIDTH, "bold yellow" if part.below else ""), say(part.factor, "dim")),
            f"{part.n:,}",
            numbers.proportion(part.value),
            numbers.proportion(part.shrunk),
            f"[{100 * part.low:.1f}, {100 * part.high:.1f}]",
        )
    told.append(table)
    return told
