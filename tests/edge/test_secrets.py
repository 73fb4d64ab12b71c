"""What reaches the state after a read: secrets stay secrets, also those that only the hub told."""

from __future__ import annotations

from pathlib import Path

import pytest
from pulumi.runtime.proto import provider_pb2

from mldeploy.provider.framework.servicer import Provider, ProviderFailure
from mldeploy.values.marshal import decode, encode
from mldeploy.values.property_value import Secret, reveal
from tests.edge.conftest import OTHER, Driver

URN = "urn:pulumi:prod::acme::mldeploy:edge:EdgeDeployment::devices"
LOGIN = {"acr": {"address": "r.io", "username": "u", "password": "p4ssw0rd"}}


def test_an_imported_registry_password_is_secret(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    driver.up(registry_credentials=LOGIN)
    monkeypatch.setenv("MLDEPLOY_IOTHUB_CONNECTION_STRING", driver.server.hub.connection_string)
    answer = Provider(Path.cwd()).Read(provider_pb2.ReadRequest(id=driver.ident, urn=URN))
    for found in (decode(answer.inputs), decode(answer.properties)):
        assert isinstance(found["registry_credentials"], Secret)
        assert reveal(found["registry_credentials"]) == LOGIN
        assert driver.server.hub.connection_string not in str(reveal(found))


def test_secrets_stay_secret_when_a_refresh_finds_other_content(driver: Driver) -> None:
    """An environment variable that the program made secret, and a deployment made anew by hand."""
    modules = {"diabetes": {"image": OTHER, "env": {"TOKEN": "s3cret-t0ken"}}}
    driver.up(modules=modules, registry_credentials=LOGIN)
    hub, ident = driver.server.hub, driver.deployment
    body = hub.configurations[ident]
    hub.delete(ident, '"*"')
    body["content"]["modulesContent"]["$edgeAgent"]["properties.desired"]["modules"]["diabetes"][
        "version"
    ] = "2"
    hub.put(ident, body, None)
    wrapped = dict(driver.inputs)
    for name in ("modules", "registry_credentials", "connection_string"):
        wrapped[name] = Secret(wrapped[name])
    answer = Provider(Path.cwd()).Read(
        provider_pb2.ReadRequest(
            id=driver.ident, urn=URN, inputs=encode(wrapped), properties=encode(driver.state | wrapped)
        )
    )
    for found in (decode(answer.inputs), decode(answer.properties)):
        assert isinstance(found["modules"], Secret)
        assert reveal(found["modules"])["diabetes"]["version"] == "2"
        plain = {name: value for name, value in found.items() if not isinstance(value, Secret)}
        assert "s3cret-t0ken" not in str(plain)
        assert "p4ssw0rd" not in str(plain)


def test_an_error_never_shows_a_secret(driver: Driver) -> None:
    inputs = driver.check(registry_credentials=LOGIN)
    for name in ("connection_string", "registry_credentials"):
        inputs[name] = Secret(inputs[name])
    driver.server.fault = lambda number, method, path: 418
    request = provider_pb2.CreateRequest(urn=URN, properties=encode(inputs))
    with pytest.raises(ProviderFailure) as caught:
        Provider(Path.cwd()).Create(request)
    assert "418" in caught.value.details()
    assert "SharedAccessKey" not in caught.value.details()
    assert "p4ssw0rd" not in caught.value.details()
