"""The words of evaluation as records: one struct for each, used by every folder and written to disk as they are.

Everything here is plain data (msgspec structs): cheap to make, to compare and to write as JSON. What is computed from
the data lives in the folder that answers the question it belongs to.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

Role = Literal["system", "user", "assistant", "tool"]
StopReason = Literal["stop", "length", "refusal", "filter", "tool"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Outcome = Literal[
    "right",
    "wrong",
    "partial",
    "scored",
    "truncated",
    "refused",
    "empty",
    "filtered",
    "unanswered",
    "unsupported",
    "unjudged",
    "failed",
]
NOT_JUDGED = ("failed", "unsupported", "unjudged")
"""Outcomes of trials without an answer that could be judged: they have no values and are missing from every figure."""
RunStatus = Literal["running", "finished", "incomplete", "interrupted", "failed"]


class Text(Struct, frozen=True, tag="text"):
    """A piece of text in a message."""

    text: str


class Image(Struct, frozen=True, tag="image"):
    """An image in a message: its bytes (base64 in JSON) and media type."""

    data: bytes
    media_type: str = "image/png"


Part = Text | Image


class Tool(Struct, frozen=True):
    """A tool that a model may call: `parameters` is the JSON Schema of its arguments, an object."""

    name: str
    description: str
    parameters: dict[str, Any]


class ToolCall(Struct, frozen=True):
    """A tool called by a model: `arguments` is the JSON text that the model wrote, which need not be valid."""

    id: str
    name: str
    arguments: str


class Message(Struct, frozen=True, omit_defaults=True):
    """One turn of a conversation. An assistant's may call tools; a tool's (role `tool`) is the result of the call
    `tool_call_id`."""

    role: Role
    content: str | tuple[Part, ...]
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


Prompt = str | tuple[Message, ...]
"""What is put to a model: raw text to be continued, or a conversation to be answered."""


class Instance(Struct, frozen=True, omit_defaults=True):
    """One item of a benchmark.

    `targets` are the acceptable answers as text; for a choice question `gold` holds the indices of the right `choices`.
    `stratum` is a fixed part of the benchmark (a subject); instances with one `cluster` are not independent (questions
    on one passage). `variant` names the perturbation that made this one out of another (`typos.1`), whose id is this
    one's without `~typos.1` at its end.
    """

    id: str
    input: str | tuple[Message, ...]
    targets: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    gold: tuple[int, ...] = ()
    stratum: str | None = None
    cluster: str | None = None
    files: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    variant: str | None = None


class Generate(Struct, frozen=True, omit_defaults=True, tag="generate"):
    """A request to answer or continue `prompt`. Lengths in tokens; temperature 0 is greedy.

    `tools` are those the model may call; `schema` is a JSON Schema that the answer must follow; `effort` and `thinking`
    (a budget in tokens, part of `max_tokens`) say how long a reasoning model may think, None leaving it to the model;
    `logprobs` asks for the log-probability of each generated token with so many alternatives (None: not asked).
    """

    prompt: Prompt
    max_tokens: int = 1024
    temperature: float = 0.0
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    tools: tuple[Tool, ...] = ()
    schema: dict[str, Any] | None = None
    effort: Effort | None = None
    thinking: int | None = None
    logprobs: int | None = None


class Loglikelihood(Struct, frozen=True, omit_defaults=True, tag="loglikelihood"):
    """A request for the log-likelihood of each continuation after one prompt."""

    prompt: Prompt
    continuations: tuple[str, ...]


class Rolling(Struct, frozen=True, omit_defaults=True, tag="loglikelihood_rolling"):
    """A request for the log-likelihood of a whole text, read in windows.

    Every token is scored exactly once, given at most `max_length` tokens (None: the model's own) of which at least
    `context` come before the scored ones.
    """

    text: str
    max_length: int | None = None
    context: int = 1


Request = Generate | Loglikelihood | Rolling


class Usage(Struct, frozen=True, omit_defaults=True):
    """Tokens of one trial. `input` counts every prompt token sent, of which `cached` were served from the provider's
    cache and `cache_writes` put into it; `output` counts every generated token, of which `reasoning` were thinking."""

    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0
    cache_writes: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cached + other.cached,
            self.reasoning + other.reasoning,
            self.cache_writes + other.cache_writes,
        )


class Likelihood(Struct, frozen=True, omit_defaults=True):
    """Log-likelihood (nats) of one continuation or text: the sum over its `tokens` tokens, whether greedy decoding
    would have produced it, and the log-probability of each token where the model gave them. Of a whole text
    `token_lengths` are the characters of each token, where they are known: of a character spread over several tokens
    the last has it, and together they are the text."""

    logprob: float
    tokens: int
    greedy: bool = False
    token_logprobs: tuple[float, ...] = ()
    token_lengths: tuple[int, ...] = ()


class Token(Struct, frozen=True, omit_defaults=True):
    """A generated token: its text, its log-probability (nats), and the likeliest `alternatives` at its place."""

    text: str
    logprob: float
    alternatives: dict[str, float] = field(default_factory=dict)


class Paid(Struct, frozen=True, omit_defaults=True):
    """What was paid for now: its tokens, and its cost in US dollars (None: unknown)."""

    usage: Usage = Usage()
    cost: float | None = 0.0


class Prediction(Struct, frozen=True, omit_defaults=True):
    """What came back from a model for one trial.

    `likelihoods` follow the request's continuations; `attempts` holds every text where several were asked for, of
    which `text` is the chosen one (the first, where nothing chose), and `stop_reasons` why each ended. `tokens` are
    the answer's tokens where their
    log-probabilities were asked for; `tool_calls` the tools the model wants called. `transcript` is the conversation
    after the prompt where it took more than one call (turns, tool calls and their results).

    `latency` is in seconds, `first_token` too (None: not streamed), `cost` in US dollars (None: unknown), `retries`
    counts the tries that failed before the one that answered, and `replayed` says that the answer was read from
    howgood's cache: its usage, latency and cost are those of the call that was once made, and nothing was paid now. Of
    several calls `replayed` says that all were, and where only some were, `fresh` holds what the others took.
    `error` says why there is no answer; a prediction with an error is never scored.
    """

    text: str | None = None
    likelihoods: tuple[Likelihood, ...] = ()
    attempts: tuple[str, ...] = ()
    stop_reasons: tuple[StopReason | None, ...] = ()
    reasoning: str | None = None
    stop_reason: StopReason | None = None
    tokens: tuple[Token, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    transcript: tuple[Message, ...] = ()
    usage: Usage = Usage()
    latency: float = 0.0
    first_token: float | None = None
    cost: float | None = None
    retries: int = 0
    replayed: bool = False
    fresh: Paid | None = None
    error: str | None = None

    @property
    def paid(self) -> Paid:
        """What was paid for it now, without what was read from howgood's cache."""
        return self.fresh or (Paid() if self.replayed else Paid(self.usage, self.cost))


class Verdict(Struct, frozen=True, omit_defaults=True):
    """What a judge said of one trial: the `judge`'s name, the prompt it was asked and its reply, which holds what that
    took. `values` is what was read (empty: nothing could be, and `problem` says why); `first` says of two answers shown
    whether the judged one came first."""

    judge: str
    prompt: Prompt
    reply: Prediction
    values: dict[str, float] = field(default_factory=dict)
    problem: str | None = None
    first: bool | None = None


class Score(Struct, frozen=True, omit_defaults=True):
    """What the judging says of one trial: named values (the first is the headline), the answer that was read out of
    the prediction, why, the outcome, and the `verdicts` of judges where some were asked. `parts` are the values of what
    was judged apart within the answer (each instruction of a prompt), by what they are called; a name may come twice. A
    failed trial has no values."""

    values: dict[str, float]
    outcome: Outcome
    answer: str | None = None
    explanation: str | None = None
    verdicts: tuple[Verdict, ...] = ()
    parts: tuple[tuple[str, float], ...] = ()


class Trial(Struct, frozen=True, omit_defaults=True):
    """One system on one instance, one epoch: the unit of work, of resuming and of cost. `index` is the instance's
    place in the benchmark."""

    instance: Instance
    index: int
    epoch: int
    prompt: Prompt
    prediction: Prediction
    score: Score


class Estimate(Struct, frozen=True, omit_defaults=True):
    """A number with its uncertainty: standard error `se` (None where the method has none), interval [`low`, `high`] at
    confidence `level`, `n` instances in `clusters` independent clusters, the `method` that made it, the `group` it is
    for (None: all), and how many trials are `missing` from it because they failed."""

    name: str
    value: float
    se: float | None
    low: float
    high: float
    n: int
    method: str
    level: float = 0.95
    clusters: int | None = None
    group: str | None = None
    missing: int = 0
    percent: bool = False
    higher_is_better: bool = True

    def __str__(self) -> str:
        label = f"{self.name} ({self.group})" if self.group else self.name
        missing = f", {self.missing} missing" if self.missing else ""
        return (
            f"{label} {self.value:.4g}, {self.level:.0%} [{self.low:.4g}, {self.high:.4g}], n {self.n}"
            f"{missing} ({self.method})"
        )


PROVENANCE = ("source", "revision", "files")


class Rules(Struct, frozen=True):
    """Everything that makes two numbers comparable. Each part is a flat record of plain values; `hash` names the game.

    `data`: what was asked (source, revision, split, content digest); `sample`: which part of it; `call`: how the model
    was prompted; `outputs`: how answers were judged; `interpret`: what the number is. Where the data came from
    (a hub revision or a local copy) is told but is not part of the game: its content digest is.
    """

    benchmark: str
    version: int
    data: dict[str, Any]
    sample: dict[str, Any]
    call: dict[str, Any]
    outputs: dict[str, Any]
    interpret: dict[str, Any]

    @property
    def hash(self) -> str:
        parts = msgspec.to_builtins(self)
        parts["data"] = {k: v for k, v in self.data.items() if k not in PROVENANCE}
        return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()[:12]

    def differences(self, other: Rules) -> list[tuple[str, Any, Any]]:
        """The lines in which two sets of rules differ, as (name, mine, theirs); provenance included, so that it can
        be told, though it does not change the hash."""
        mine, theirs = _flat(msgspec.to_builtins(self)), _flat(msgspec.to_builtins(other))
        return [(k, mine.get(k), theirs.get(k)) for k in sorted({*mine, *theirs}) if mine.get(k) != theirs.get(k)]


class System(Struct, frozen=True):
    """What is evaluated: a model and how it is used. `name` is the model's, as the user typed it; `model` what the
    model says of itself (revision, dtype, tokenizer, prefix token, ...); `methods` what is put around it, in order
    (see `calls/methods`). A bare model is the simplest system."""

    name: str
    model: dict[str, Any]
    methods: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The system's name for people: smollm2 + cot + vote,n=8."""
        return " + ".join((self.name, *self.methods))


class Published(Struct, frozen=True, omit_defaults=True):
    """A number that another program says of a run, under its own name: its standard error `se` where it gives one, and
    the `score` whose mean over instances it is (None: it is another number)."""

    name: str
    value: float
    se: float | None = None
    score: str | None = None


class Origin(Struct, frozen=True, omit_defaults=True):
    """Where a run comes from that another program made: which `program` in which `version` (None: it does not say), the
    name of the `file` that was read, the sha256 of what was read, and when. `published` are the program's own numbers;
    `notes` say what differs from howgood's, and what could not be taken over."""

    program: str
    version: str | None
    file: str
    sha256: str
    imported: str
    published: tuple[Published, ...] = ()
    notes: tuple[str, ...] = ()


class Run(Struct):
    """One benchmark on one system under stated rules: the content of a run folder's run.json.

    `sampled` holds the ids of the chosen instances where not all were run. `cost` is what all trials cost (US dollars;
    None: not known of every one), `spent` what was paid in this run: the same without answers from howgood's cache, and
    with what judges took. `verdicts` counts what judges said, `judging` is their tokens and cost;
    `took` says what one trial took: its cost, latency and time to the first token (see `interpret/cost.py`). `origin`
    is there for a run that another program made.
    """

    id: str
    benchmark: str
    parameters: dict[str, Any]
    options: dict[str, Any]
    system: System
    rules: Rules
    card: dict[str, Any]
    environment: dict[str, Any]
    started: str
    planned: int
    sampled: list[str] | None = None
    status: RunStatus = "running"
    finished: str | None = None
    seconds: float = 0.0
    usage: Usage = Usage()
    cost: float | None = None
    spent: float | None = None
    verdicts: int = 0
    judging: Paid = Paid()
    outcomes: dict[str, int] = field(default_factory=dict)
    estimates: list[Estimate] = field(default_factory=list)
    groups: list[Estimate] = field(default_factory=list)
    took: list[Estimate] = field(default_factory=list)
    message: str | None = None
    origin: Origin | None = None


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, inner in value.items():
        if isinstance(inner, dict):
            out.update(_flat(inner, f"{prefix}{key}."))
        else:
            out[prefix + key] = inner
    return out
