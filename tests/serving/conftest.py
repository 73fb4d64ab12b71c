"""Replicas that end with their test or module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.serving.replica import Replica, start


class Starter:
    """Starts replicas and cleans them up."""

    def __init__(self) -> None:
        self.replicas: list[Replica] = []

    def __call__(self, script: str, *, ready: bool = True, tcp: bool = True, **options: Any) -> Replica:
        replica = start(script, **options)
        self.replicas.append(replica)
        if ready:
            replica.wait_ready()
            if tcp:
                replica.accept()
        return replica


@pytest.fixture
def replica() -> Iterator[Callable[..., Replica]]:
    """Start a replica for one test."""
    starter = Starter()
    yield starter
    for one in starter.replicas:
        one.clean()


@pytest.fixture(scope="module")
def shared_replica() -> Iterator[Callable[..., Replica]]:
    """Start a replica for the tests of a module."""
    starter = Starter()
    yield starter
    for one in starter.replicas:
        one.clean()
