"""Kubernetes objects of a scoring service as plain JSON: pure functions, no Pulumi, no cluster.

:mod:`components.kubernetes.endpoint` hands what these return to pulumi-kubernetes. Keeping them plain lets the tests
validate exactly what reaches the API server.
"""
