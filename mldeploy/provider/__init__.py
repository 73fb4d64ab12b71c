"""The `mldeploy` Pulumi resource provider: what no official provider manages.

:mod:`servicer` speaks Pulumi's ResourceProvider protocol, :mod:`resource` is the small framework under it,
``resources/`` has one resource a file.
"""
