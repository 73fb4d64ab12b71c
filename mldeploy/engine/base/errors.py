"""What the engine raises. Each message says what failed, on which value, and what is allowed."""

from __future__ import annotations

from typing import Any


class EngineError(Exception):
    """The operation cannot go on; the message is meant for the user. State on disk is consistent."""


class UnsupportedError(EngineError):
    """The program or the state uses something that this engine does not do; it names the thing."""


class StateError(EngineError):
    """The state cannot be read or written. Nothing was changed."""


class LockedError(EngineError):
    """Another process holds the stack's lock."""


class PassphraseError(EngineError):
    """No passphrase, or a wrong one."""


class PluginError(EngineError):
    """A plugin is missing, does not start, crashed or does not answer."""


class MissingPluginError(PluginError):
    """The plugin's executable is nowhere to be found."""


class ProviderError(EngineError):
    """A provider refused a request. `code` is the gRPC status code's name, the text is the provider's own."""

    def __init__(self, message: str, code: str = "UNKNOWN") -> None:
        super().__init__(message)
        self.code = code


class InitError(ProviderError):
    """The object exists but did not become healthy. Carries what the provider knows of it."""

    def __init__(
        self,
        message: str,
        reasons: list[str],
        resource_id: str,
        properties: dict[str, Any],
        inputs: dict[str, Any] | None,
    ) -> None:
        super().__init__(message)
        self.reasons = reasons
        self.id = resource_id
        self.properties = properties
        self.inputs = inputs


class BailError(Exception):
    """An error that was already reported as a diagnostic: stop quietly."""
