"""The one thread that runs a local model: requests of any event loop go in, answers go back to their loop."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from howgood.core.errors import RequestError
from howgood.core.types import Prediction

LINGER = 0.005
"""Seconds to wait for more requests after the first one came, so that the first batch is not one of one."""
LONGEST_LINGER = 0.1
PATIENCE = 5.0
"""Seconds that a thread which is told to stop has for its current step."""


@dataclass(eq=False)
class Job:
    """A request and the future it is awaited by. Made in the event loop, answered from the worker's thread."""

    future: asyncio.Future[Prediction] = field(init=False)
    done: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.future = asyncio.get_running_loop().create_future()
        self.future.add_done_callback(self._settle)

    def answer(self, prediction: Prediction) -> None:
        self._tell(self.future.set_result, prediction)

    def fail(self, error: Exception) -> None:
        self._tell(self.future.set_exception, error)

    def _tell(self, settle: Callable[[Any], None], what: Prediction | Exception) -> None:
        self.done = True
        with contextlib.suppress(RuntimeError):  # the loop was closed, so nobody waits any more
            self.future.get_loop().call_soon_threadsafe(lambda: None if self.future.done() else settle(what))

    def _settle(self, future: asyncio.Future[Prediction]) -> None:
        self.done = True  # also when the future was cancelled, so that no more work is done for it


class Engine(Protocol):
    """What the thread drives: jobs come in, each step moves some of them on. It answers or fails every job itself."""

    def add(self, job: Job) -> None: ...

    def step(self) -> None: ...


class Worker:
    """A thread that lives while there may be work: it starts with the first job, makes its engine there (loading the
    model's weights), and ends with `stop`. It is a daemon, so it never keeps a process alive."""

    def __init__(self, make_engine: Callable[[], Engine]) -> None:
        self._make_engine = make_engine
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def submit(self, job: Job) -> None:
        with self._lock:
            self._queue.put(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="howgood-model", daemon=True)
                self._thread.start()
                # A thread inside a computation while the interpreter is taken down can crash it.
                atexit.register(self.stop)

    def stop(self) -> None:
        """End the thread after its current step and let go of the model; requests that wait fail. A later request
        starts anew. After `PATIENCE` seconds the thread is left to itself."""
        with self._lock:
            thread = self._thread
            if thread is not None:
                self._queue.put(None)
        if thread is not None:
            thread.join(PATIENCE)
            atexit.unregister(self.stop)

    def _run(self) -> None:
        pending: list[Job] = []
        error: Exception = RequestError("the model was closed before it answered")
        try:
            engine = self._make_engine()
            while self._receive(engine, pending):
                engine.step()
                pending = [job for job in pending if not job.done]
        except Exception as raised:
            error = raised
        with self._lock:
            self._thread = None
            while not self._queue.empty():
                if job := self._queue.get():
                    pending.append(job)
        for job in pending:
            if not job.done:
                job.fail(error)

    def _receive(self, engine: Engine, pending: list[Job]) -> bool:
        """Give the engine what has come, waiting for it when there is nothing else to do; False: it is time to end."""
        idle, patience = not pending, 0.0
        while True:
            try:
                if idle and not pending:
                    job = self._queue.get()
                    patience = time.monotonic() + LONGEST_LINGER
                elif idle and time.monotonic() < patience:
                    job = self._queue.get(timeout=LINGER)
                else:
                    job = self._queue.get_nowait()
            except queue.Empty:
                return True
            if job is None:
                return False
            pending.append(job)
            engine.add(job)
