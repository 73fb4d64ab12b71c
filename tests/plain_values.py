"""A resource of the provider, driven with plain values as the protocol does it."""

from __future__ import annotations

from typing import Any

from mldeploy.provider.framework.resource import Change, Resource


class Plain:
    """Decodes what goes into a resource; what comes out of `read` is the whole state and the changed inputs."""

    def __init__(self, resource: Resource[Any]) -> None:
        self.resource = resource
        self._decode = resource.fields.decode
        self.faults = resource.faults

    def check(self, ctx, olds, news):
        return self.resource.check(ctx, self._decode(olds), self._decode(news))

    def diff(self, ctx, ident, state, olds, news):
        return self.resource.diff(ctx, self._change(ident, state, olds, news))

    def preview(self, ctx, inputs):
        return self.resource.preview(ctx, self._decode(inputs))

    def create(self, ctx, inputs):
        return self.resource.create(ctx, self._decode(inputs))

    def read(self, ctx, ident, state, inputs):
        found = self.resource.read(ctx, ident, self._decode(state), self._decode(inputs))
        return None if found is None else ({**state, **found.outputs}, dict(found.inputs))

    def update(self, ctx, ident, state, olds, news):
        return self.resource.update(ctx, self._change(ident, state, olds, news))

    def delete(self, ctx, ident, state):
        self.resource.delete(ctx, ident, self._decode(state))

    def _change(self, ident, state, olds, news):
        return Change(ident, self._decode(state), self._decode(olds), self._decode(news))
