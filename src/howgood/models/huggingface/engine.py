"""What the model's thread drives: likelihoods, answers and echoes, a step of each in turn, so that none has to wait."""

from __future__ import annotations

from typing import Any

import torch

from howgood.models.huggingface.echo import Echoer, EchoJob
from howgood.models.huggingface.encode import Encoder
from howgood.models.huggingface.generation import Decoder, GenerateJob
from howgood.models.huggingface.network import Network
from howgood.models.huggingface.scoring import ScoreJob, Scorer
from howgood.models.huggingface.worker import Job

SMALL_MODEL = 10**9
"""Parameters. On two cores SmolLM2 (0.1e9) writes 25, 121, 197, 280 tokens a second in 1, 8, 16, 32 answers at once;
what the answers of a large model have to remember would fill the memory, and that is no error one can catch."""


class LocalEngine:
    """A scorer, a decoder and an echoer over one network."""

    def __init__(self, scorer: Scorer, decoder: Decoder) -> None:
        self.scorer = scorer
        self.decoder = decoder
        self.echoer = Echoer(decoder.network, decoder.encoder, scorer.budget)

    def add(self, job: Job) -> None:
        if isinstance(job, GenerateJob):
            self.decoder.add(job)
        elif isinstance(job, ScoreJob):
            self.scorer.add(job)
        elif isinstance(job, EchoJob):
            self.echoer.add(job)

    @torch.inference_mode()
    def step(self) -> None:
        self.scorer.step()
        self.decoder.step()
        self.echoer.step()


@torch.inference_mode()
def make_engine(model: Any, encoder: Encoder, tokens_per_batch: int | None, answers_at_once: int | None) -> LocalEngine:
    """The engine of a loaded model. None takes what suits the model's device."""
    network = Network(model)
    # A CPU is busy with few tokens, and more make it slow to stop; a GPU wants many.
    budget, answers = (1024, 32 if model.num_parameters() < SMALL_MODEL else 8)
    if network.device.type != "cpu":
        budget, answers = 16384, 64
    budget, answers = tokens_per_batch or budget, answers_at_once or answers
    return LocalEngine(Scorer(network, budget), Decoder(network, encoder, answers, budget))
