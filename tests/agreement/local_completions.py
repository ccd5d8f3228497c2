"""lm-evaluation-harness scores over HTTP what howgood serves: its `local-completions` against the gateway.

lm-eval 0.4.13 runs its own HellaSwag on a local copy of the data and asks the gateway for each context and ending by
`echo` and `logprobs`; howgood's model is then asked for the same log-likelihoods directly. Needs the extra `agreement`
and the folder ../shared/data.

    python tests/agreement/local_completions.py [--documents 100] [--concurrent 4]

Ends with 1 when a log-likelihood differs by more than 1e-4 relative, or a greedy flag or an accuracy differs.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lm_eval_agreement import Asked, Side, compare, documents_of, hellaswag, run_howgood, table

from howgood.core.types import Loglikelihood
from howgood.models.embedded import smollm2_path
from howgood.models.gateway import Gateway
from howgood.models.huggingface import HuggingFaceModel, load


@contextmanager
def served(model: HuggingFaceModel) -> Iterator[str]:
    """The gateway of a model, in an event loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    gateway = Gateway(model)
    try:
        asyncio.run_coroutine_threadsafe(gateway.start(), loop).result()
        yield gateway.url
    finally:
        asyncio.run_coroutine_threadsafe(gateway.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def run_local_completions(
    tasks: list[str], folder: Path, url: str, name: str, tokenizer: str, concurrent: int
) -> tuple[Side, list[Asked], list[bool]]:
    """lm-eval's own evaluation over HTTP, with its requests, log-likelihoods and greedy flags written down."""
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.models.openai_completions import LocalCompletionsAPI
    from lm_eval.tasks import TaskManager

    asked: list[Asked] = []
    greedy: list[bool] = []
    seconds = 0.0

    class Recorded(LocalCompletionsAPI):  # type: ignore[misc]
        def loglikelihood(self, requests: list[Any], **kwargs: Any) -> list[Any]:
            nonlocal seconds
            start = time.perf_counter()
            found: list[Any] = super().loglikelihood(requests, **kwargs)
            seconds += time.perf_counter() - start
            for request, (logprob, likeliest) in zip(requests, found, strict=True):
                asked.append(
                    Asked((request.task_name, request.doc_id), request.idx, request.args, logprob, request.doc)
                )
                greedy.append(likeliest)
            return found

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    model = Recorded(
        base_url=f"{url}/v1/completions",
        tokenizer_backend="huggingface",
        model=name,
        tokenizer=tokenizer,
        tokenized_requests=False,
        num_concurrent=concurrent,
    )
    manager = TaskManager(include_path=folder, include_defaults=False)
    simple_evaluate(model, tasks=tasks, num_fewshot=0, task_manager=manager, bootstrap_iters=0)
    return Side(documents_of(asked, [request.logprob for request in asked]), seconds), asked, greedy


async def greedy_of(model: HuggingFaceModel, asked: list[Asked]) -> list[bool]:
    requests = [Loglikelihood(context, (ending,)) for context, ending in (request.strings for request in asked)]
    return [p.likelihoods[0].greedy for p in await asyncio.gather(*map(model.loglikelihood, requests))]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=100)
    parser.add_argument("--concurrent", type=int, default=4, help="lm-eval's requests at once")
    given = parser.parse_args(arguments)

    header = ["task", "docs", "requests", "max rel diff", "lm-eval", "howgood", "lm-eval", "howgood", "agree"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # datasets is to read the local files and ask nobody.
        os.environ |= {"HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": name}
        model = HuggingFaceModel("smollm2", str(smollm2_path()))
        load.load_tokenizer(model._checkpoint).save_pretrained(folder / "tokenizer")
        tasks = hellaswag(given.documents, folder)
        with served(model) as url:
            tokenizer = str(folder / "tokenizer")
            theirs, asked, greedy = run_local_completions(tasks, folder, url, model.name, tokenizer, given.concurrent)
        row, agree = compare("hellaswag", theirs, run_howgood(asked, model))
        same = greedy == asyncio.run(greedy_of(model, asked))
        asyncio.run(model.close())
    print(table([header, row]))
    print(f"greedy flags: {sum(greedy)} of {len(greedy)} true, {'the same' if same else 'NOT the same'} on both sides")
    return 0 if agree and same else 1


if __name__ == "__main__":
    sys.exit(main())
