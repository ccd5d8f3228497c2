"""Quizzing or asking: does whoever wrote a prompt know the answer (an exam), or want something (help, a text, advice)?

A few rules that anyone can read, each a sign for one or the other; the signs are added up. Their error on real prompts
is told in docs/inputs.md, and a test holds it.
"""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["quizzing", "asking", "unclear"]


def sign(pattern: str, weight: float, flags: int = re.IGNORECASE | re.MULTILINE) -> tuple[re.Pattern[str], float]:
    return re.compile(pattern, flags), weight


QUIZZING = (
    sign(r"\bwhich (one )?of (the )?(following|these)\b|\ball of the following\b|\bof the following\b", 3),
    sign(r"_{2,}|\(\s*\)\s*$|\[blank\]", 3),
    sign(r"^\s*\(?[A-D][.):]\s.+\n\s*\(?[B-E][.):]\s", 2),
    sign(r"\b(true or false|select the|choose the|pick the|best (describes|answers|explains)|is called\b)", 2),
    sign(r"^\s*(find|compute|calculate|evaluate|determine|simplify|solve for|prove that|if \$|let \$|suppose)\b", 3),
    sign(r"\b(find|compute|determine|what is) the (value|number|sum|product|area|probability|remainder|degree)\b", 3),
    sign(r"\bhow (many|much|long|far|old|tall|fast)\b.{0,120}\?\s*$", 2, re.IGNORECASE | re.DOTALL),
    sign(r"\$[^$\n]+\$|\\(frac|sqrt|begin)\b", 1),
    sign(r"\bstatement (1|i|2|ii)\b", 3),
    sign(r"[.)]\s+(which|what|how|why|who|when|where)\b[^.?]*\?\s*\Z", 2),
    sign(r"\b(according to|in) (the|this) (passage|text|excerpt|study|author)\b", 2),
    sign(r"\bthe (following|author|passage|nurse|patient|defendant|plaintiff|scientist|researcher|student)s?\b", 1),
    sign(r"^\s*(a|an) (\w+ ){0,4}(\d+[- ]year[- ]old|man|woman|boy|girl|patient|student|company|store|farmer)\b", 2),
)
ASKING = (
    sign(r"\b(i|i'm|i've|i'd|i'll|im|my|me|mine|myself)\b", 2),
    sign(r"\b(please|pls|plz|thanks|thank you|help me|can you|could you|would you|will you|i need|i want)\b", 3),
    sign(
        r"(^|[.:!?\n]\s*)(please )?(write|create|generate|make|give|provide|explain|describe|summari[sz]e|rewrite|edit|"
        r"translate|suggest|recommend|list|design|draft|compose|build|implement|code|develop|tell|show|act as|"
        r"pretend|imagine|compare|discuss|outline|propose|improve|fix|debug|convert|brainstorm|come up with|analy[sz]e|"
        r"identify|classify|categori[sz]e|extract|format|turn|edit|revise|prepare|plan|name|teach)\b",
        3,
    ),
    sign(r"\b(how (do|can|to|should|would) (i|you|we|one)|how to|should i|what should|best way to|tips|advice)\b", 3),
    sign(r"\b(you are|you're|your (task|job|role)|as an? (expert|assistant|ai))\b", 2),
    sign(
        r"```|\b(def|function|class|import|select|from)\b.*[({;]|\b(python|javascript|c\+\+|html|sql|excel|code)\b", 2
    ),
    sign(r"\b(essay|blog|email|e-mail|poem|story|article|tweet|letter|script|recipe|song|speech|resume|report)\b", 1),
    sign(r"\b(the|these) given\b|\bgiven (a|an|the|this|below)\b|\b(below|following) (text|table|code|data)\b", 2),
    sign(r"\bwhat are (some|the best|good|your)\b|\b(some|any) good\b|\b(do|are) you\b|\bwhat if\b", 3),
    sign(r"\b(side effects?|dosage|what does .{1,40} look like|is it safe|how long does)\b", 2),
)


def score(prompt: str) -> float:
    """The signs for quizzing less those for asking, of the first and the last thousand characters."""
    text = prompt if len(prompt) <= 2_000 else prompt[:1_000] + "\n" + prompt[-1_000:]
    found = sum(weight for pattern, weight in QUIZZING if pattern.search(text))
    found -= sum(weight for pattern, weight in ASKING if pattern.search(text))
    stripped = text.strip()
    if stripped and stripped[0].islower():
        found -= 1  # exams are proof-read
    if stripped and stripped[-1] not in "?!.:;)\"'”`" and len(stripped) > 20 and stripped[0].isupper():
        found += 1.5  # a sentence to be completed
    if re.match(r"(what|who|when|where|why|which|in|the|during|after|for)\b.*\?$", stripped, re.IGNORECASE | re.DOTALL):
        found += 1  # a whole question about the world
    return found


def kind(prompt: str) -> Kind:
    """Which of the two a prompt looks like; unclear where the signs are even, or none."""
    found = score(prompt)
    return "quizzing" if found > 0 else "asking" if found < 0 else "unclear"
