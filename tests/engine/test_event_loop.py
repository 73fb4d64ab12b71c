"""The program's event loop: calls run beside it, waiting ones do not hold up others, errors end the program soon."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from mldeploy.engine.base.waiting import waiting
from mldeploy.engine.program.event_loop import ProgramLoop
from mldeploy.engine.program.sdk_tuning import OutstandingOutputs
from tests.engine.conformance import EmbeddedRunner, Workspace


def sdk_call(function):
    """As the SDK hands its calls in."""
    function.__module__ = "pulumi.runtime._context"
    return function


def run(functions, limit=16):
    """Call the functions as the SDK would and return their results or errors, in order."""
    loop = ProgramLoop(limit)

    async def main():
        futures = [loop.run_in_executor(None, sdk_call(f)) for f in functions]
        return await asyncio.gather(*futures, return_exceptions=True)

    try:
        return loop.run_until_complete(asyncio.wait_for(main(), 20))
    finally:
        loop.calls.close()
        loop.close()
        assert not [t for t in threading.enumerate() if t.name.startswith("call-")]


def test_quick_calls_share_few_threads():
    names = run([lambda: threading.current_thread().name for _ in range(200)])
    # On a slow machine the watch takes a quick call for a stalled one now and then.
    assert len(set(names)) < 40


def test_waiting_calls_run_at_the_same_time():
    together = threading.Barrier(8, timeout=10)

    def call():
        with waiting():
            together.wait()
        return "met"

    assert run([call] * 8) == ["met"] * 8


def test_calls_that_do_not_say_that_they_wait_get_company():
    together = threading.Barrier(3, timeout=10)

    def call():
        together.wait()
        return "met"

    assert run([call] * 3) == ["met"] * 3


def test_no_more_threads_than_allowed():
    lock, running, most = threading.Lock(), [0], [0]

    def call():
        with waiting():
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            time.sleep(0.01)
            with lock:
                running[0] -= 1

    run([call] * 40, limit=4)
    assert 1 < most[0] <= 4


def test_errors_are_the_callers():
    def bad():
        raise KeyError("x")

    good, failed = run([lambda: 1, bad])
    assert good == 1
    assert isinstance(failed, KeyError)


def test_what_the_program_hands_to_threads_is_not_ours():
    loop = ProgramLoop(1)

    async def main():
        return await asyncio.gather(*(asyncio.to_thread(threading.current_thread) for _ in range(2)))

    names = {t.name for t in loop.run_until_complete(main())}
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.calls.close()
    loop.close()
    assert not any(name.startswith("call-") for name in names)


def test_outputs_settle_once_or_raise_the_first_error():
    async def main():
        loop = asyncio.get_running_loop()
        outputs = OutstandingOutputs()
        first, second, third = (loop.create_future() for _ in range(3))
        outputs.add(first)
        outputs.add(second)
        loop.call_later(0.01, first.set_result, None)
        loop.call_later(0.01, outputs.remove, first)
        loop.call_later(0.02, outputs.discard, second)
        await outputs.settled()
        outputs.add(third)
        loop.call_later(0.01, third.set_exception, ValueError("third"))
        outputs.add(loop.create_future())
        await outputs.settled()

    with pytest.raises(ValueError, match="third"):
        asyncio.run(main())


FAILS_MEANWHILE = """
from tp import Res


def bad(v):
    raise ValueError('in apply')


Res('quick').computed.apply(bad)
slow = Res('slow', delay=1)
for i in range(5):
    slow = Res(f'after-{i}', delay=1, value=slow.computed)
"""


def test_an_error_in_apply_does_not_wait_for_what_is_not_begun(workspace: Workspace, runner: EmbeddedRunner):
    workspace.set_program(FAILS_MEANWHILE)
    outcome = runner.run("up", [])
    assert not outcome.ok
    assert "in apply" in outcome.messages
    assert set(workspace.objects()) == {"quick-1", "slow-1"}
