"""The report is one file that shows everything, loads nothing and obeys no output."""

from __future__ import annotations

import base64
import hashlib
import re
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from report_pages import HOSTILE, Page
from report_runs import choice_run, choice_trial, grid_run, perplexity_run, rules, save_run, written_run, written_trial

from howgood.core.errors import HowgoodError
from howgood.core.registry import Card
from howgood.core.types import Message
from howgood.report.files import write_report
from howgood.report.html import TEMPLATES, link, render

LOADING = {
    "script", "iframe", "object", "embed", "link", "img", "form", "base", "audio", "video", "source", "image", "use",
    "animate", "foreignobject",
}  # fmt: skip
REACHING = {"style", "src", "srcset", "action", "formaction", "xlink:href", "background", "ping"}


def assert_harmless(html: str) -> Page:
    """No script, no handler, no style attribute, nothing that a browser would load, one style that the policy names."""
    page = Page(html)
    names = {tag for tag, _ in page.tags}
    assert not names & {
        "script",
        "iframe",
        "object",
        "embed",
        "link",
        "img",
        "form",
        "base",
        "audio",
        "video",
        "image",
        "use",
    }
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name not in {"style", "src", "srcset", "action", "formaction", "xlink:href", "background"}, (
                tag,
                name,
            )
            if name == "href":
                assert tag == "a"
                assert re.match(r"#run-\d+$|https://", value or ""), value
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = (a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\ufeff]", html)
    return page


def test_numbers_are_on_the_page(tmp_path: Path) -> None:
    page = assert_harmless(render([choice_run(tmp_path)]))
    for words in (
        "How good is smollm2?",
        "1 benchmark, 200 trials; 128,000 tokens in, 800 out; 1 min 23 s; cost $0.00",
        "20.0% [15.0, 26.1]",
        "acc ↑",
        "guessing 25%",
        "people 89.8%",
        "What are the inputs? 200 of 14,042 questions",
        "wrong 160",
        "right 40",
        "Instances: wrong 20 of 160",
        "Instances: right 10 of 40",
        "abstract algebra 20.0% [11.2, 33.0] 50",
        "About 6.5 % of the questions have wrong or unclear answers",
        "howgood run mmlu --model smollm2 --limit 200",
        "A It is rigid ← picked 73.7%",
    ):
        assert words in page.text, words
    assert "https://arxiv.org/abs/2009.03300" in [a.get("href") for a in page.all("a")]


def test_every_odd_outcome_is_counted_and_shown(tmp_path: Path) -> None:
    page = assert_harmless(render([written_run(tmp_path)]))
    for outcome in ("truncated", "refused", "empty", "filtered", "unanswered", "failed"):
        assert f"{outcome} 1" in page.text
        assert f"Instances: {outcome} 1 of 1" in page.text
    assert "6 odd" in page.text
    assert "HTTP 500 from the server" in page.text
    assert "stopped by length" in page.text
    assert "Incomplete: 1 of 8 trials failed. To try them again: howgood resume" in page.text
    assert "system Answer with a number. user Mira's hens" in page.text


def test_perplexity_and_grids(tmp_path: Path) -> None:
    page = assert_harmless(render([perplexity_run(tmp_path), grid_run(tmp_path)]))
    assert "word_perplexity ↓" in page.text
    assert "bits_per_byte ↓" in page.text
    assert "nats over 60 tokens" in page.text
    grids = [a for a in page.all("svg") if a.get("class") == "grid"]
    assert len(grids) == 8  # two pairs, the input, the target, two attempts
    assert {a["aria-label"] for a in grids} == {"grid of 2 rows and 2 columns", "grid of 4 rows and 4 columns"}


@pytest.mark.parametrize("where", ["everywhere", "in a conversation"])
def test_hostile_outputs_are_harmless(tmp_path: Path, where: str) -> None:
    trials = []
    for index, text in enumerate(HOSTILE):
        prompt = text if where == "everywhere" else (Message("system", text), Message("user", text))
        trials.append(
            written_trial(
                index, text, "wrong", targets=(text,), answer=text, prompt=prompt, reasoning=text, attempts=(text, text)
            )
        )
    trials.append(written_trial(99, None, "failed", error=HOSTILE[0] + HOSTILE[1]))
    card = Card(
        "mmlu", HOSTILE[0], HOSTILE[1], "javascript:alert(1)", human_source=HOSTILE[2], flaws=tuple(HOSTILE[:5])
    )
    given = rules(
        benchmark="mmlu", data={"source": HOSTILE[1], "revision": HOSTILE[2], "split": HOSTILE[8], "instances": 3}
    )
    run = save_run(
        tmp_path, trials, system="img src=x onerror=alert(1)", given=given, card=card, status="incomplete",
        parameters={HOSTILE[0]: HOSTILE[1]},
    )  # fmt: skip
    html = render([run])
    page = assert_harmless(html)
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "pay⟨U+202E⟩txt.exe" in page.text
    assert "null␀byte" in page.text
    assert "4,996,000 characters left out" in page.text
    assert len(html) < 1_000_000


def test_hostile_choices_groups_and_ids(tmp_path: Path) -> None:
    trials = []
    for index, text in enumerate(HOSTILE[:11]):
        trial = choice_trial(index, index % 4)
        instance = msgspec.structs.replace(
            trial.instance, id=text, stratum=text, choices=(text, "b", "c", "d"), metadata={"train": text}
        )
        trials.append(msgspec.structs.replace(trial, instance=instance))
    page = assert_harmless(render([save_run(tmp_path, trials)]))
    assert "<script>alert(1)</script>" in page.text


def test_no_runs() -> None:
    page = assert_harmless(render([]))
    assert "There is nothing to report yet" in page.text
    assert not list(page.all("table"))


@pytest.mark.parametrize("trials", [0, 7])
def test_a_run_that_was_interrupted(tmp_path: Path, trials: int) -> None:
    made = [choice_trial(i, 1) for i in range(trials)]
    run = save_run(tmp_path, made, status="interrupted", message="stopped by the user", planned=200)
    page = assert_harmless(render([run]))
    assert "no estimate yet" in page.text
    assert f"Interrupted: stopped by the user. {trials} of 200 trials are here." in page.text
    assert f"howgood resume {run.id}" in page.text


def test_a_comparison_says_first_what_differs(tmp_path: Path) -> None:
    a = choice_run(tmp_path)
    other = rules(call={**rules().call, "method": "cloze-likelihood"})
    b = choice_run(tmp_path, shift=1, n=200, system="gpt-5-mini", name="aa11", given=other)
    page = assert_harmless(render([a, b]))
    assert "How good are smollm2 and gpt-5-mini?" in page.text
    told = page.text.index("These are two different games: their rules differ")
    assert "call.method letter-likelihood cloze-likelihood" in page.text
    assert told < page.text.index("B minus A, 95% interval")
    assert "exact McNemar" in page.text


def test_equal_runs_give_equal_pages(tmp_path: Path) -> None:
    runs = [choice_run(tmp_path), written_run(tmp_path), perplexity_run(tmp_path)]
    write_report(runs, tmp_path / "a.html")
    write_report(runs, tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert not list(tmp_path.glob("*.part"))


def test_a_page_does_not_grow_with_the_run(tmp_path: Path) -> None:
    few = render([choice_run(tmp_path, n=200)])
    many = render([choice_run(tmp_path, n=5_000, name="big")])
    assert len(many) < 1.1 * len(few)
    assert "20 of 4,000" in Page(many).text


def test_instances_are_evenly_spaced(tmp_path: Path) -> None:
    page = Page(render([choice_run(tmp_path, n=1_000)]))
    ids = [int(number) for number in re.findall(r"\w+/(\d+) wrong ·", page.text)]
    assert len(ids) == 20
    assert all(30 <= b - a <= 70 for a, b in pairwise(ids))


def test_what_cannot_be_written_or_read_is_told(tmp_path: Path) -> None:
    run = choice_run(tmp_path, n=4)
    with pytest.raises(HowgoodError, match=r"cannot write .*Choose a folder that can be written \(for runs: "):
        write_report([run], tmp_path / "missing" / "report.html")
    (run.path / "trials.parquet").unlink()
    with pytest.raises(HowgoodError, match=r"trials\.parquet is missing"):
        write_report([run], tmp_path / "report.html")


@pytest.mark.parametrize(
    ("cite", "address"),
    [
        ("arXiv:2009.03300", "https://arxiv.org/abs/2009.03300"),
        ("Chollet, https://arxiv.org/abs/1911.01547", "https://arxiv.org/abs/1911.01547"),
        ("doi:10.1162/tacl_a_00276", "https://doi.org/10.1162/tacl_a_00276"),
        ("http://plain.example", None),
        ("javascript:alert(1)", None),
        ('https://a.example/"onmouseover=alert(1)', "https://a.example/"),
        ("a talk", None),
    ],
)
def test_citations_are_linked(cite: str, address: str | None) -> None:
    assert link(cite) == address


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_has_contrast(scheme: int) -> None:
    style = (TEMPLATES / "report.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", blocks[scheme]))
    assert len(blocks) == 2
    for text in ("ink", "soft", "accent", "right", "wrong", "odd", "scored", "unknown"):
        for ground in ("paper", "panel"):
            light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
