"""The process that llama.cpp runs in: `python -m howgood.models.llamacpp.server`, started by `process`.

It is a process of its own since llama.cpp takes over the signals of the one it is in (so that Ctrl-C no longer reaches
Python), holds the interpreter's lock while it loads, ends the process where an assertion of its own fails, and gives
memory back for certain only when it ends. Settings come in as one JSON line on stdin, the URL (or what went wrong) goes
out as one on stdout, and the process ends when its stdin does: with the process that started it, however that ends.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

BATCH = 2048
"""Tokens of all slots together that are taken in at once."""
READ_AT_ONCE = 32
"""Tokens of them that go through the model together. With more, how a prompt was cut into pieces (what was remembered
of it, what else was being read) changes the last digits of what is computed, and with them the answer; it takes no
longer so."""


def main() -> None:
    settings = json.loads(sys.stdin.readline())
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is written to stdout is for the log
    try:
        server = _serve(settings)
        told = {"url": server.listening_address}
    except Exception as error:
        told = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(told), file=answers, flush=True)
    if "url" in told:
        sys.stdin.read()
    os._exit(0)  # at once: nothing is worth waiting for, and llama.cpp's own end takes seconds


def _serve(settings: dict[str, Any]) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["path"]
    params.n_parallel = settings["slots"]
    params.n_ctx = settings["slots"] * settings["context"]
    params.kv_unified = False  # each slot has its own memory, so that what is in one does not change another's answer
    params.n_batch, params.n_ubatch = BATCH, READ_AT_ONCE
    params.cache_ram_mib = 0  # what a slot forgets is forgotten
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    params.warmup = params.fit_params = False
    params.verbosity = 1  # errors
    # Only this project's own process may ask, and what others asked is not shown.
    params.hostnames, params.port, params.api_keys = ["127.0.0.1"], 0, [settings["token"]]
    params.ui = params.endpoint_slots = params.endpoint_props = False
    # What a request does not say is not done: no cut but top_p, and that after the temperature, as everyone else does;
    # and no advice of the file's own (its general.sampling entries) stands in for what was not said either.
    sampling = params.sampling
    sampling.samplers = "temperature;top_p"
    sampling.temp, sampling.top_p, sampling.top_k, sampling.min_p = 1.0, 1.0, 0, 0.0
    sampling.user_sampling_config = sum(int(flag) for flag in xllamacpp.common_params_sampling_config)
    params.sampling = sampling
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
