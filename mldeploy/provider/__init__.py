"""The `mldeploy` Pulumi resource provider: what no official provider manages.

:mod:`framework.servicer` speaks Pulumi's ResourceProvider protocol, :mod:`framework.resource` and
:mod:`framework.declare` are the small framework under it; each target has its folder, with one resource a file.
"""
