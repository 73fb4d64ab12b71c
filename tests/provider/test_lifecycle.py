"""One service through its life: up, answers, swap, rotate, down."""

from __future__ import annotations

import httpx
import pytest

from mldeploy.provider.runs import runs


def score(stack, key=None):
    headers = {"Authorization": f"Bearer {key or stack.key()}"}
    return httpx.post(stack.listener.outputs["scoring_uri"], content=b"abc", headers=headers, timeout=10)


def test_up_scores_and_down_leaves_nothing(stack, own_home):
    stack.up()
    assert score(stack).json() == {"model": "one", "got": 3}
    assert score(stack, "wrong").status_code == 401
    stack.down()
    with pytest.raises(httpx.ConnectError):
        score(stack)
    assert list(runs("replicas")) == list(runs("listeners")) == []
    left = [path for path in own_home.rglob("*") if path.is_file() and path.name != ".lock"]
    assert [path for path in left if "hashes.sqlite" not in path.name] == []
    for item in (stack.listener, stack.replica, stack.model, stack.image):
        item.delete()  # what is gone is gone


def test_a_swap_moves_the_port_to_the_new_model(stack, project):
    stack.up()
    stack.swap("two", project)
    assert score(stack).json()["model"] == "two"
    assert len(list(runs("replicas"))) == 1
