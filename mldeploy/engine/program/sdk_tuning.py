"""Two things the SDK does for every resource that cost more than all of the engine, done another way.

- While calls are under way, `wait_for_rpcs` looks at every outstanding output each time one of them completes,
  which is N² for N resources. What stands in for it waits for the same things and raises the same errors, but is woken
  once only: when none is left or one has failed.
- Every registration says where in the program it was made. This engine does not record that.

An SDK that is built differently is left as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any


class OutstandingOutputs(set["asyncio.Future[Any]"]):
    """The SDK's set of outputs that are not there yet: it removes those that succeed, failed ones stay."""

    def __init__(self) -> None:
        super().__init__()
        self._failed: list[asyncio.Future[Any]] = []
        self._waiter: asyncio.Future[None] | None = None

    def add(self, element: asyncio.Future[Any]) -> None:
        """A new output."""
        super().add(element)
        element.add_done_callback(self._ended)

    def remove(self, element: asyncio.Future[Any]) -> None:
        """An output that succeeded."""
        super().remove(element)
        if not self:
            self._wake()

    def discard(self, element: object) -> None:
        """An output that another one has taken over."""
        super().discard(element)
        if not self:
            self._wake()

    def _ended(self, output: asyncio.Future[Any]) -> None:
        if output.cancelled() or output.exception() is not None:
            self._failed.append(output)
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def settled(self) -> None:
        """Return when none is left; raise the first error."""
        while self:
            failed = next((output for output in self._failed if output in self), None)
            if failed is not None:
                await failed
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter


def _wait_for_rpcs(
    settings: Any, manager: Any, outputs: OutstandingOutputs, others: Callable[..., Awaitable[None]]
) -> Callable[..., Awaitable[None]]:
    """The SDK's function over the program's RPC manager and outputs.

    `others`: as it was, for a component that a provider in this process makes meanwhile, in a context of its own.
    """

    def check() -> None:
        if manager.unhandled_exception is not None:
            raise manager.unhandled_exception.with_traceback(manager.exception_traceback)

    async def wait(await_all_outstanding_tasks: bool = True) -> None:
        if settings.rpc_manager is not manager:
            await others(await_all_outstanding_tasks)
            return
        while True:
            while manager.rpcs:
                # Let what the last answer has set going hand in its own calls first.
                await asyncio.sleep(0)
                rpc: asyncio.Future[Any] = manager.rpcs.pop()
                try:
                    await rpc
                except Exception:
                    check()
                    raise
            check()
            if await_all_outstanding_tasks:
                await outputs.settled()
            if not manager.rpcs:
                return

    return wait


@contextmanager
def tuned_sdk() -> Generator[None]:
    """For the time of one program. Call inside the context in which the SDK was configured."""
    from pulumi.runtime import resource, settings, stack
    from pulumi.runtime.proto import source_pb2

    undo: list[tuple[Any, str, Any]] = []

    def replace(module: Any, name: str, value: Any) -> None:
        undo.append((module, name, getattr(module, name)))
        setattr(module, name, value)

    state: Any = settings.SETTINGS
    manager = getattr(state, "rpc_manager", None)
    known = hasattr(manager, "rpcs") and isinstance(getattr(state, "outputs", None), set)
    if hasattr(stack, "wait_for_rpcs") and known:
        outputs = OutstandingOutputs()
        state.outputs = outputs
        replace(stack, "wait_for_rpcs", _wait_for_rpcs(state, manager, outputs, stack.wait_for_rpcs))
    if hasattr(resource, "_get_stack_trace"):
        replace(resource, "_get_stack_trace", source_pb2.StackTrace)
    try:
        yield
    finally:
        for module, name, value in undo:
            setattr(module, name, value)
