"""Whole stacks on an Azure that takes its time: a first `up` ends well at the first try, and a second is a no-op.

The deployer has nothing but a login and Owner on the subscription. Time is virtual: half an hour takes seconds.
"""

import os

import pytest

from tests.azure import fakes, kube_echo
from tests.azure.standin.nature import Nature
from tests.azure.test_azure_lifecycle import changed

FEW = range(3)
MANY = range(3, int(os.environ.get("AZURE_SEEDS", "20")))
SEEDS = [*FEW, *(pytest.param(seed, marks=pytest.mark.reliability) for seed in MANY)]


@pytest.fixture
def nature(request):
    return Nature(seed=request.getfixturevalue("seed") if "seed" in request.fixturenames else 1)


def comes_and_goes(stack):
    first = stack.run("up")
    assert first.ok, first.error
    assert changed(stack.run("up")) == {}
    gone = stack.run("destroy")
    assert gone.ok, gone.error
    assert [i for i in stack.store.ids() if "/providers/Microsoft.Authorization/" not in i] == []
    assert stack.cloud.blobs == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_dev(deploy, seed):
    comes_and_goes(deploy())


@pytest.mark.parametrize("seed", SEEDS)
def test_prod(deploy, monkeypatch, seed):
    fakes.clusters(monkeypatch.setattr)
    stack = deploy("prod")
    stack.extra["kubernetes"] = kube_echo.KubeEcho
    comes_and_goes(stack)
