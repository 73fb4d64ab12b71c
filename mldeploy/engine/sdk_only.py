"""A stand-in for a provider whose plugin is missing, so that a preview can still plan."""

from __future__ import annotations

from mldeploy.engine.errors import PluginError
from mldeploy.engine.property_value import PropertyMap, contains_unknowns
from mldeploy.engine.provider import Diff, Failure, Provider, ReadResult
from mldeploy.engine.transport import Transport


class SdkOnlyProvider(Provider):
    """Plans from the program's own inputs where the plugin is missing: checks nothing, updates only."""

    def __init__(self, package: str) -> None:
        super().__init__(Transport(object(), in_process=True, name=package), package)

    def configure(self, urn: str, id_: str, inputs: PropertyMap) -> None:
        """Nothing to configure."""
        del urn, id_, inputs

    def check_config(
        self, urn: str, olds: PropertyMap, news: PropertyMap
    ) -> tuple[PropertyMap, list[Failure]]:
        """Taken as they are."""
        del urn, olds
        return dict(news), []

    def check(
        self, urn: str, olds: PropertyMap, news: PropertyMap, *, preview: bool, seed: bytes
    ) -> tuple[PropertyMap, list[Failure]]:
        """Taken as they are."""
        del urn, olds, preview, seed
        return news, []

    def create(
        self, urn: str, inputs: PropertyMap, *, timeout: float, preview: bool
    ) -> tuple[str, PropertyMap, bool]:
        """The known inputs: what holds something unknown may well have another shape as an output."""
        del urn, timeout, preview
        return "", {key: value for key, value in inputs.items() if not contains_unknowns(value)}, False

    def diff(
        self,
        urn: str,
        id_: str,
        old_inputs: PropertyMap,
        old_outputs: PropertyMap,
        news: PropertyMap,
        *,
        preview: bool,
        ignore: list[str],
    ) -> Diff:
        """Unknown: the engine compares the inputs."""
        del urn, id_, old_inputs, old_outputs, news, preview, ignore
        return Diff()

    def read(
        self, urn: str, id_: str, inputs: PropertyMap | None, state: PropertyMap, *, timeout: float
    ) -> ReadResult:
        """As recorded."""
        del urn, timeout
        return ReadResult(id_, inputs, state)

    def invoke(self, token: str, args: PropertyMap, *, preview: bool) -> tuple[PropertyMap, list[Failure]]:
        """Not known without the plugin."""
        del args, preview
        raise PluginError(f"{token} cannot be called: the {self.package} plugin is not installed")
