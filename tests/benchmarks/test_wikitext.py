from __future__ import annotations

import math

import pytest
from plans import Planned

from howgood.benchmarks.perplexity.wikitext import pages
from howgood.core.types import Likelihood, Prediction, Rolling, Trial
from howgood.interpret.table import Table
from howgood.outputs.base import judge


def test_the_text_is_cut_into_pages_at_headings(planned: Planned) -> None:
    pages = [instance.input for _, instance in planned("wikitext-2").instances()]
    assert len(pages) == 62
    assert all(isinstance(page, str) and page.startswith(" = ") and page[3] != "=" for page in pages)


def test_pages_put_together_are_the_text() -> None:
    text = " \n = A = \n \n a \n = = Part = = \n b \n = B = \n c \n"
    assert pages(text) == [" = A = \n \n a \n = = Part = = \n b ", " = B = \n c \n"]
    assert " \n" + "\n".join(pages(text)) == text


def test_the_two_sets_have_one_text(planned: Planned) -> None:
    digests = {
        (name, version): planned(name, version=version).rules.data["digest"]
        for name in ("wikitext-2", "wikitext-103")
        for version in ("raw", "tokens")
    }
    assert digests["wikitext-2", "raw"] == digests["wikitext-103", "raw"]
    assert len(set(digests.values())) == 3
    for name, unknown in (("wikitext-2", 15_218), ("wikitext-103", 2_492)):
        (whole,) = (str(i.input) for _, i in planned(name, version="tokens", documents="joined").instances())
        assert whole.count("<unk>") == unknown


def test_pages_are_cleaned_and_counted_as_lm_eval_does(planned: Planned) -> None:
    theirs = pytest.importorskip("lm_eval.tasks.wikitext.preprocess_wikitext")
    plan = planned("wikitext-2")
    for _, instance in plan.instances():
        request = plan.request(instance)
        assert request == Rolling(theirs.wikitext_detokenizer({"page": instance.input}))
        values = judge(plan.benchmark.outputs, instance, Prediction(likelihoods=(Likelihood(-1.0, 9),))).values
        counts = theirs.process_results({"page": instance.input}, (-1.0,))
        assert (values["words"], values["bytes"]) == (counts["word_perplexity"][1], counts["byte_perplexity"][1])


def test_one_bit_for_each_byte_is_a_byte_perplexity_of_two(planned: Planned) -> None:
    plan = planned("wikitext-2")
    trials = []
    for index, instance in plan.instances():
        size = len(str(instance.input).encode())
        found = Prediction(likelihoods=(Likelihood(-size * math.log(2), size // 2),))
        trials.append(Trial(instance, index, 0, "", found, judge(plan.benchmark.outputs, instance, found)))
    estimates = {e.name: e.value for e in plan.benchmark.interpret(Table.of(trials))[0]}
    assert list(estimates) == ["word_perplexity", "byte_perplexity", "bits_per_byte", "token_perplexity"]
    assert estimates["bits_per_byte"] == pytest.approx(1, rel=1e-12)
    assert estimates["byte_perplexity"] == pytest.approx(2, rel=1e-12)
    assert estimates["word_perplexity"] == pytest.approx(2 ** (1_290_527 / 241_335), rel=1e-12)
    assert estimates["token_perplexity"] == pytest.approx(4, rel=1e-4)  # an odd number of bytes is rounded
