"""Looks at a file system that may never answer, as a network's does whose server is gone."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Thread

from worker.registry.live import OutputIncomplete

# Within which OUTPUT_PATH must answer: the files of a model have some ten megabytes.
ANSWER_SECONDS = 30.0


def ask(look: Callable[[], None]) -> asyncio.Future[None]:
    """Call `look` in a thread for which nobody waits at the end of the process."""
    outcome: Future[None] = Future()
    outcome.set_running_or_notify_cancel()

    def run() -> None:
        try:
            look()
        except BaseException as error:
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    Thread(target=run, name="output", daemon=True).start()
    return asyncio.wrap_future(outcome)


async def has_answered(asked: asyncio.Future[None], models: Path) -> None:
    """Wait for the end of a look at `models`. Raises OutputIncomplete where it does not come in time."""
    answered, _ = await asyncio.wait({asked}, timeout=ANSWER_SECONDS)
    if not answered:
        fault = f"OUTPUT_PATH {models} has not answered for {ANSWER_SECONDS:g} seconds."
        raise OutputIncomplete(f"{fault} Is the server there that it is mounted from?", fault)


async def answer(look: Callable[[], None], models: Path) -> None:
    """Look at `models` in a thread. Raises what `look` raises, and OutputIncomplete where it takes too long."""
    asked = ask(look)
    await has_answered(asked, models)
    asked.result()
