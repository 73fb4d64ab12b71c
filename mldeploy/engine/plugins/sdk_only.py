"""A stand-in for a provider whose plugin is missing, so that a preview can still plan."""

from __future__ import annotations

from mldeploy.engine.base.calls import ChangeCall, CheckCall, Checked, CreateCall, ReadCall
from mldeploy.engine.base.errors import PluginError
from mldeploy.engine.base.proto import Message
from mldeploy.engine.plugins.provider import Created, LocalProvider, ProviderDiff, ReadResult
from mldeploy.values.property_value import PropertyMap, contains_unknowns


class SdkOnlyProvider(LocalProvider):
    """Plans from the program's own inputs where the plugin is missing: checks nothing, updates only."""

    def check(self, call: CheckCall) -> Checked:
        """Taken as they are."""
        return call.news, []

    def create(self, call: CreateCall) -> Created:
        """The known inputs: what holds something unknown may well have another shape as an output."""
        return "", {key: value for key, value in call.inputs.items() if not contains_unknowns(value)}, False

    def diff(self, call: ChangeCall) -> ProviderDiff:
        """Unknown: the engine compares the inputs."""
        del call
        return ProviderDiff()

    def read(self, call: ReadCall) -> ReadResult:
        """As recorded."""
        return ReadResult(call.id, call.inputs, call.state)

    def construct(self, request: Message) -> Message | None:
        """Not known without the plugin."""
        raise PluginError(
            f"{request.type} '{request.name}': what the component is made of is not known without the"
            f" {self.package} plugin, which is not installed"
        )

    def call(self, request: Message) -> Message | None:
        """Not known without the plugin."""
        raise PluginError(f"{request.tok} cannot be called: the {self.package} plugin is not installed")

    def invoke(self, token: str, args: PropertyMap, *, preview: bool) -> Checked:
        """Not known without the plugin."""
        del args, preview
        raise PluginError(f"{token} cannot be called: the {self.package} plugin is not installed")
