"""What a run did, in plain words: the four questions answered from its rules, and the command that runs it again."""

from __future__ import annotations

import json
import shlex
from typing import Any

from howgood.core.registry import DATA_FILES
from howgood.core.types import NOT_JUDGED, Estimate, Origin, Run
from howgood.report import numbers

Answer = tuple[str, str]

FORMULATIONS = {
    "letter-likelihood": (
        "The choices are listed under letters, and the likelihood the model gives to each letter is measured "
        "(letter by likelihood)"
    ),
    "letter-generation": "The choices are listed under letters, and the model writes its answer (letter by generation)",
    "cloze-likelihood": (
        "The choices are not shown; the likelihood the model gives to each of them as the answer is measured "
        "(cloze by likelihood)"
    ),
}
IN_CONTEXT = {
    "in-context choice": "The likelihood the model gives to each choice, right after the question, is measured",
    "in-context schema": "The likelihood the model gives to the sentence's end, after each choice, is measured",
    "in-context text": "The likelihood the model gives to the answer, right after the question, is measured",
}
MATCHES = {
    "exact": "Right if the answer is exactly one of the targets, apart from space around it",
    "normalized": "Right if the answer is one of the targets, apart from case, punctuation, articles and space",
    "contains": "Right if the answer contains one of the targets as whole words, apart from case and punctuation",
    "starts": "Right if the answer begins with one of the targets, apart from case and punctuation",
    "ends": "Right if the answer ends with one of the targets, apart from case and punctuation",
}
WORD_COUNTS = {
    "plain": "words are split at white space",
    "split": "words are split at white space, the empty ones at both ends among them",
    "lines": "each line counts its words and one end-of-sentence mark",
}


def four_questions(run: Run) -> list[Answer]:
    """The four questions and this run's answers, each one to four sentences."""
    return [
        ("What are the inputs?", inputs(run)),
        ("How is the model called?", call(run)),
        ("How are outputs judged?", outputs(run)),
        ("What does the number mean?", meaning(run)),
    ]


def inputs(run: Run) -> str:
    """Which instances were asked, and where they come from."""
    data, sample = run.rules.data, run.rules.sample
    total, epochs = data.get("instances", 0), sample.get("epochs", 1)
    kind = run.rules.call.get("kind")
    noun = {"choices": "question", "rolling": "text"}.get(str(kind), "instance")
    if sample.get("n") in ("all", None):
        chosen = f"The only {noun} there is" if total == 1 else f"All {numbers.count(total)} {noun}s"
    elif run.origin:
        whole = f" of {numbers.count(total)}" if total else ""
        chosen = f"{numbers.count(sample.get('n', 0))}{whole} {noun}s, those that its maker asked"
    else:
        how = {"stratified": "a stratified", "items": "from the easiest to the hardest, a random"}.get(
            str(sample.get("how")), "a random"
        )
        chosen = (
            f"{numbers.count(sample['n'])} of {numbers.count(total)} {noun}s, "
            f"{how} sample with seed {sample.get('seed', 0)}"
        )
    asked = f", each asked {epochs} times" if epochs > 1 else ""
    if perturbed := [name for name in sample.get("perturb", ()) if name not in ("seed", "version")]:
        asked += f", and again in other ways ({', '.join(perturbed)}), which the headline leaves out"
    split = f", split {data['split']}" if data.get("split") else ""
    revision = f", {_revision(str(data['revision']))}" if data.get("revision") else ""
    content = f" Content digest {data['digest']}." if data.get("digest") else ""
    return f"{chosen}{asked}. From {data.get('source', 'an unnamed source')}{split}{revision}.{content}"


def call(run: Run) -> str:
    """How the model was prompted."""
    rules = run.rules.call
    kind = rules.get("kind")
    if run.origin:
        told = {name: value for name, value in rules.items() if name != "made_by"}
        return f"{made_by(run.origin)}. What is known of how it asked: {_listed(told)}"
    if run.system.model.get("kind") == "replay":
        return (
            f"Answers recorded in {run.system.model.get('file', 'a file')} are read; how they were made is not known."
        )
    if kind == "choices":
        first = FORMULATIONS.get(str(rules.get("method")), f"Choices by {rules.get('method')}")
        written = rules.get("method") == "letter-generation"
    elif kind == "generation":
        first, written = "The model writes its answer", True
    elif kind == "continuation":
        first, written = "The likelihood the model gives to the target, right after the input, is measured", False
    elif kind == "rolling":
        return _rolling(rules)
    elif kind == "gold-answer":
        first, written = "The likelihood of the gold answer, after the prompt that asks for it, is measured", False
    elif str(kind).startswith("in-context"):
        first, written = IN_CONTEXT.get(str(kind), f"Likelihoods are measured: {kind}"), False
    else:
        return _listed(rules)
    asked = f"{_shots(rules)}; {_format(rules)}"
    parts = [first, _decoding(rules) if written else "", _attempts(rules), asked, _methods(rules)]
    return ". ".join(_capital(part) for part in parts if part) + "."


def outputs(run: Run) -> str:
    """How an answer became a score."""
    rules, method = run.rules.outputs, run.rules.call.get("method")
    kind = rules.get("kind")
    if run.origin:
        return _listed(rules)
    if kind == "choice":
        return _choice(method, bool(rules.get("normalized")))
    if kind == "match":
        words = MATCHES.get(str(rules.get("how")), f"Match: {rules.get('how')}")
    elif kind == "f1":
        words = "The overlap of the answer's words with the nearest target (F1), and whether they are equal"
    elif kind == "numeric":
        words = (
            "Right if the final number of the answer equals the target's: the one after ####, the boxed one, or the "
            "last; strict_match takes only the one after ####"
        )
    elif kind == "grid":
        voted = f"; the attempts are {str(rules['vote']).partition(' (')[0]}" if rules.get("vote") else ""
        words = f"Solved if any attempt is exactly the target grid, in shape and in every cell{voted}"
    elif kind == "continuation":
        return (
            "Right if the target is what the model finds most likely at every token; its surprise (nats) is kept too."
        )
    elif kind == "gold-bits":
        return (
            "The bits that the model needs for the gold answer, over its bytes in UTF-8, the space before it included "
            "(bpb); its surprise (nats), bytes and tokens are kept too."
        )
    elif kind == "choice-per-token":
        return "Right if the right choice is the most likely one per token (acc)."
    elif kind == "surprise":
        how = WORD_COUNTS.get(str(rules.get("words")), str(rules.get("words")))
        return f"The surprise of every token is added up (nats), and tokens, bytes and words are counted; {how}."
    elif kind in ("graded", "pairwise", "examiner"):
        return _judged(rules)
    elif kind == "instructions":
        fixed = " Counting # or ! is never followed (compat upstream)." if rules.get("compat") == "upstream" else ""
        words = (
            "Right if a program finds every instruction of the prompt followed: strictly by the answer as it is, "
            f"loosely also without its first or last line or its asterisks.{fixed} Each instruction is told apart"
        )
    else:
        return _listed(rules)
    return f"{words}. {ODD_APART}"


ODD_APART = "Truncated, refused, filtered, empty and failed answers are counted as what they are."


def meaning(run: Run) -> str:
    """What the headline is, how it was estimated, and what to hold it against."""
    first = run.estimates[0].name if run.estimates else "score"
    parts = [_reading(part, first) for part in run.rules.interpret.get("parts", [run.rules.interpret])]
    sentences = [_capital("; ".join(parts))]
    if run.estimates:
        sentences.append(headline(run.estimates[0]))
    return ". ".join([*sentences, *baselines(run), *(published(run.origin) if run.origin else [])]) + "."


def made_by(origin: Origin) -> str:
    """Which program made a run that howgood did not, and out of which file it was read."""
    version = f" {origin.version}" if origin.version else ", its version unknown"
    return f"Made by {origin.program}{version}, and imported from {origin.file}"


def published(origin: Origin) -> list[str]:
    """The maker's own numbers, and where they differ from what is made of its samples here."""
    told = [f"{one.name} {one.value:.6g}{f' (se {one.se:.3g})' if one.se else ''}" for one in origin.published]
    return ([f"{origin.program} itself says {', '.join(told)}"] if told else []) + [_capital(n) for n in origin.notes]


def headline(estimate: Estimate) -> str:
    """An estimate as a sentence."""
    missing = f", without {numbers.many(estimate.missing, 'trial')} that failed" if estimate.missing else ""
    clusters = f" in {numbers.many(estimate.clusters, 'cluster')}" if estimate.clusters else ""
    return (
        f"Here {estimate.name} is {numbers.value(estimate)}, {numbers.level(estimate)} interval "
        f"{numbers.interval(estimate)}, over {numbers.many(estimate.n, 'instance')}{clusters}{missing} "
        f"({estimate.method})"
    )


def baselines(run: Run) -> list[str]:
    """What guessing and people reach, as the card says."""
    card, words = run.card, []
    if (guess := baseline(run, "random")) is not None:
        words.append(f"guessing reaches {_baseline(run, guess)}")
    if (people := baseline(run, "human")) is not None:
        source = f" ({card['human_source']})" if card.get("human_source") else ""
        words.append(f"people reach {_baseline(run, people)}{source}")
    return [_capital(", ".join(words))] if words else []


def baseline(run: Run, name: str) -> float | None:
    """What "random" or "human" answers reach by the run's card, which may hold anything; None where it is no number."""
    score = run.card.get(name)
    return score if isinstance(score, int | float) else None


def command(run: Run) -> str | None:
    """The command line that runs this again; None for a benchmark made in Python, which has no name, and for a run that
    another program made."""
    if run.benchmark == "unnamed" or run.origin:
        return None
    options, settings = run.options, run.options.get("settings", {})
    words = ["howgood", "run", run.benchmark, "--model", run.system.name]
    for method in options.get("methods", ()):
        words += ["--method", method]
    for judge in options.get("judges", ()):
        words += ["--judge", judge]
    for perturbation in options.get("perturb", ()):
        words += ["--perturb", perturbation]
    for name in ("limit", "items", "sample", "epochs", "seed", "data", "score", "budget"):
        if options.get(name) is not None:
            words += [f"--{name}", str(options[name])]
    for name in ("shots", "temperature", "max_tokens", "effort", "thinking"):
        if settings.get(name) is not None:
            words += [f"--{name.replace('_', '-')}", str(settings[name])]
    if settings.get("chat") is not None:
        words.append("--chat" if settings["chat"] else "--no-chat")
    if options.get("cache") is not None:
        words.append("--cache" if options["cache"] else "--no-cache")
    if options.get("batch"):
        words.append("--batch")
    for name, value in run.parameters.items():
        if not _implied(run.benchmark, name):
            words += ["-P", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    return shlex.join(words)


def look_closer(run: Run, name: str) -> str:
    """The command that shows the instances that went wrong of a run called `name`; the run itself, where none can."""
    scored = not run.verdicts and set(run.outcomes) <= {"scored", *NOT_JUDGED}
    return f"howgood show {name}{'' if scored else ' --wrong'}"


def ending(run: Run, outcomes: dict[str, int]) -> str:
    """How a run that did not finish ended, and what resuming it would do, before the command that does it; there is
    none for a run that another program made."""
    failed, done = outcomes.get("failed", 0), sum(outcomes.values())
    if run.origin:
        return f"{_capital(run.status)}: {run.message}."
    if run.status == "incomplete":
        return f"Incomplete: {numbers.count(failed)} of {numbers.count(run.planned)} trials failed. To try them again:"
    why = f": {run.message}" if run.message else ""
    there = f"{numbers.count(done)} of {numbers.count(run.planned)} trials are here"
    return f"{_capital(run.status)}{why}. {there}. To run the rest:"


def plain(value: Any) -> str:
    """A value of the rules as people write it: lists with commas, records as `name value`, nothing as none."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {plain(inner)}" for name, inner in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value)) or "none"
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)


def odd_outcomes(outcomes: dict[str, int]) -> dict[str, int]:
    """The outcomes that are neither right nor wrong but went amiss, most frequent first."""
    odd = {name: n for name, n in outcomes.items() if name in ODD and n}
    return dict(sorted(odd.items(), key=lambda item: (-item[1], item[0])))


ODD = ("truncated", "refused", "empty", "filtered", "unanswered", "unjudged", "unsupported", "failed")


def _revision(revision: str) -> str:
    """`revision 3f2a91c4d5e6` or `sha256:ab12…`, hashes cut to what tells them apart."""
    name, colon, digits = revision.rpartition(":")
    short = digits[:12] if len(digits) >= 40 else digits
    return f"{name}{colon}{short}" if colon else f"revision {short}"


def _shots(rules: dict[str, Any]) -> str:
    shots = rules.get("shots", {})
    n = shots.get("n", 0)
    if not n:
        return "no worked examples"
    how = {"first": ", the first ones", "random": ", drawn at random for each instance"}.get(str(shots.get("how")), "")
    own = ", of the instance's own stratum" if shots.get("same_stratum") else ""
    split = rules.get("shots_from") or shots.get("split")
    return f"{numbers.many(n, 'worked example')}{f' from {split}' if split else ''}{how}{own}"


def _format(rules: dict[str, Any]) -> str:
    return "in the model's chat format" if rules.get("format") == "chat" else "as raw text"


def _decoding(rules: dict[str, Any]) -> str:
    temperature = rules.get("temperature", 0)
    thinks = f", thinking effort {rules['effort']}" if rules.get("effort") else ""
    thinks += f", thinking at most {numbers.count(rules['thinking'])} tokens" if rules.get("thinking") else ""
    how = "greedily" if not temperature else f"at temperature {temperature:g}"
    length = f", at most {numbers.count(rules['max_tokens'])} tokens" if rules.get("max_tokens") else ""
    stop = rules.get("stop")
    ends = f", up to {' or '.join(json.dumps(s, ensure_ascii=False) for s in stop)}" if stop else ""
    return f"decoded {how}{length}{thinks}{ends}"


def _attempts(rules: dict[str, Any]) -> str:
    if rules.get("attempts", 1) < 2:
        return ""
    return f"it has {rules['attempts']} attempts, the later ones at temperature {rules.get('retry_temperature', 1):g}"


def _methods(rules: dict[str, Any]) -> str:
    """What is put around the model, so that a system is not taken for a model."""
    used = []
    for method in rules.get("methods", []):
        told = plain({key: value for key, value in method.items() if key not in ("name", "version")})
        used.append(f"{method['name']} ({told})" if told != "none" else method["name"])
    return f"this is a system, not the bare model; around the model: {', '.join(used)}" if used else ""


def _rolling(rules: dict[str, Any]) -> str:
    longest = rules.get("max_length")
    window = f"{numbers.count(longest)} tokens" if longest else "as many tokens as the model takes"
    context = rules.get("context", 1)
    before = f", each token after at least {numbers.count(context)} before it" if context > 1 else ""
    clean = rules.get("clean", "none")
    cleaned = "" if clean == "none" else f" The text is cleaned by {clean} first."
    return f"The likelihood the model gives to the whole text is measured, in windows of {window}{before}.{cleaned}"


def _choice(method: Any, normalized: bool) -> str:
    if method == "letter-generation":
        return f"Right if the letter read from the answer is that of the right choice. {ODD_APART}"
    if method == "cloze-likelihood":
        headline = "acc_norm" if normalized else "acc"
        return (
            "Right if the right choice is the most likely one: acc takes the likelihood of the whole choice, acc_norm "
            f"that of each character; {headline} is the headline."
        )
    return "Right if the letter of the right choice is the most likely one."


def _judged(rules: dict[str, Any]) -> str:
    names = [judge["name"] for judge in rules.get("judges", [])]
    jury = f"{names[0]} judges" if len(names) == 1 else f"A jury judges, each counting the same: {', '.join(names)}"
    if rules["kind"] == "graded":
        how = f"it gives a grade from {rules['low']:g} to {rules['high']:g}"
    elif rules["kind"] == "examiner":
        how = "it says whether the answer is the right one"
    else:
        orders = "in both orders" if rules.get("orders") == "both" else "in one order"
        how = f"it chooses between the answer and the baseline's, shown {orders}"
    ways = {"logprobs": "probabilities of its verdict", "brackets": "double brackets that it ends with"}
    read = ways.get(str(rules.get("verdict")), "JSON that it writes")
    data = "are shown as data, which cannot speak to it" if rules.get("answers_as_data") else "stand in its prompt bare"
    return (
        f"{jury}: {how}, read from the {read}; answers {data}. Prompt: {rules.get('template')}. A verdict that cannot "
        "be read leaves the trial unjudged."
    )


def _reading(rules: dict[str, Any], first: str) -> str:
    """One interpretation in words; `first` is the headline's name, which a mean of the first score leaves open."""
    if rules.get("kind") == "mean":
        name = rules.get("score") or first
        each = {
            "stratum": "of each stratum, averaged over strata",
            "cluster": "of each cluster, averaged over clusters",
        }.get(str(rules.get("weighting")), "over instances, each counting the same")
        return f"the mean {name} {each}"
    if rules.get("kind") == "perplexity":
        units = " and ".join(rules.get("units", []))
        return f"perplexity per {units}: e to the mean surprise over all texts together; lower is better"
    if rules.get("kind") == "part-share":
        return f"{rules['name']}, the share of all {rules['total']} together"
    if rules.get("kind") == "ratio":
        return f"{rules['name']}, all {rules['total']} over all {rules['of']}"
    if rules.get("kind") == "length_controlled":
        held = f", held by {rules['anchors']:,} rows of the baseline's own answers" if rules["anchors"] else ""
        return f"what the mean preference would be at equal length, by a regression on it{held}"
    if rules.get("kind") == "task_weighted":
        return (
            f"({rules['score']} - {rules['centre']:g}) x {rules['factor']:g}, the mean of the groups of tasks, weighted"
        )
    return _listed(rules).rstrip(".")


def _baseline(run: Run, score: float) -> str:
    first = run.estimates[0] if run.estimates else None
    return numbers.proportion(score) if first is None or first.percent else f"{score:g}"


def _implied(benchmark: str, parameter: str) -> bool:
    """Whether the benchmark's name itself sets the parameter (see `registry.find`)."""
    if benchmark.startswith("hf/"):
        return parameter == "repo"
    return parameter == "file" and benchmark.removesuffix(".gz").endswith(DATA_FILES)


def _listed(rules: dict[str, Any]) -> str:
    """Rules of a kind not known here, as they stand."""
    return "; ".join(f"{key} {plain(value)}" for key, value in rules.items() if key != "version") + "."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
