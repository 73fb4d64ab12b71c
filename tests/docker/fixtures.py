"""One engine, one base image and one registry for all Docker tests."""

import pytest

from tests.docker import daemon, samples


@pytest.fixture(scope="session")
def docker_host():
    reason = daemon.why_not()
    if reason:
        pytest.skip(reason)
    with daemon.engine() as host:
        yield host


@pytest.fixture(scope="session")
def base_image(docker_host):
    return daemon.base_image(docker_host)


@pytest.fixture(scope="session")
def registry():
    reason = daemon.why_not()
    if reason:
        pytest.skip(reason)
    with daemon.registry() as address:
        yield address


@pytest.fixture(scope="session")
def offline_base(docker_host, base_image):
    return samples.offline_base(docker_host, base_image)
