"""`Construct`: a component made for a program in another language, with this process's Python."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pulumi
from pulumi.provider import ConstructResult, Provider
from pulumi.provider.server import ProviderServicer

from components.package import annotations
from components.package.catalog import component


class _Components(Provider):
    """Makes components by their types."""

    def __init__(self) -> None:
        super().__init__("")

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: pulumi.Inputs,
        options: pulumi.ResourceOptions | None = None,
    ) -> ConstructResult:
        """See the SDK. What is wrong with the arguments is said without a traceback."""
        try:
            made: Any = component(resource_type)
            args = annotations.record(annotations.arguments(made), inputs)
            instance = made(name, args, options)
        except ValueError as error:
            raise pulumi.RunError(str(error)) from None
        state = {annotations.camel(output): getattr(instance, output) for output in made.output_names()}
        return ConstructResult(instance.urn, state)


class _Context:
    """The SDK ends a call with a rich error through it."""

    async def abort_with_status(self, status: Any) -> None:
        raise pulumi.RunError(str(status.details))


def construct(request: Any, engine: str) -> Any:
    """The answer to a `ConstructRequest`; `engine` is the address that messages go to.

    The SDK keeps its settings in context variables: each component has a context and an event loop of its own, so that
    several may be made at the same time, also beside a program that runs in this process.

    Raises:
        pulumi.RunError: what the component complains about.
    """
    servicer: Any = ProviderServicer(_Components(), [], engine)

    def run() -> Any:
        with asyncio.Runner() as runner:
            # A component that failed leaves outputs that nobody awaits; each would be reported when it is collected.
            runner.get_loop().set_exception_handler(lambda _loop, _context: None)
            return runner.run(servicer.Construct(request, _Context()))

    return contextvars.Context().run(run)
