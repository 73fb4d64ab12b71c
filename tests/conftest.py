"""What every test may rely on."""

import asyncio
import os

import pytest

# One engine, one registry and one base image for all that need them, whatever folder they are in.
pytest_plugins = ["tests.docker.fixtures"]


def pytest_configure() -> None:
    # pytest-xdist gives its workers a width; commands that a test runs take it for a terminal's.
    os.environ.pop("COLUMNS", None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """This thread has an event loop, as a Pulumi program's has: whoever ran before may have closed it."""
    try:
        closed = asyncio.get_event_loop_policy().get_event_loop().is_closed()
    except RuntimeError:
        closed = True
    if closed:
        asyncio.set_event_loop(asyncio.new_event_loop())
