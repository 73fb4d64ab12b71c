"""Whatever a program gives to a resource: the check answers with failures, never with a fault of ours."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pulumi.runtime.proto import provider_pb2

from mldeploy.provider.catalog import RESOURCES
from mldeploy.values.marshal import decode, encode
from mldeploy.values.property_value import UNKNOWN, Secret

texts = st.sampled_from(
    ["", ".", "..", "/", "models", "models/m.txt", "scripts", "score.py", "runs:/a", "x\0y", "ü"]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-5, 100_000)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.just(UNKNOWN)
)
GOOD = {
    "mldeploy:model:StoredModel": {"name": "m", "source": "models/m.txt"},
    "mldeploy:image:Environment": {
        "image": "i", "source_directory": "scripts", "entry_script": "score.py", "runtime": "python",
    },
    "mldeploy:service:ServiceKeys": {},
    "mldeploy:service:Replica": {
        "service": "s", "image": "i", "environment_digest": "e", "source_directory": "scripts",
        "entry_script": "score.py", "auth_enabled": False,
    },
    "mldeploy:service:Gate": {"replica": "r", "service": "s", "golden": [{"request": "golden/request.json"}]},
    "mldeploy:service:Listener": {"service": "s", "port": 8890, "replica": "r"},
}  # fmt: skip
nested = st.recursive(
    texts | scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "version", "digest", "primary", "request", "=", ""]), inner, max_size=3
        )
        | inner.map(Secret)
    ),
    max_leaves=6,
)
values = texts | texts.map(Secret) | nested


@pytest.mark.parametrize("token", GOOD)
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
@pytest.mark.usefixtures("fake_serving")
def test_no_inputs_make_a_check_fall_over(provider, token, data):
    names = [*RESOURCES[token].inputs, "unheard_of"]
    news = GOOD[token] | data.draw(st.dictionaries(st.sampled_from(names), values, max_size=2))
    request = provider_pb2.CheckRequest(urn=f"urn:pulumi:local::shop::{token}::x", news=encode(news))
    answer = provider.Check(request)
    for failure in answer.failures:
        assert failure.property and failure.reason
    if not answer.failures:
        again = provider_pb2.CheckRequest(urn=request.urn, news=answer.inputs, olds=answer.inputs)
        assert decode(provider.Check(again).inputs) == decode(answer.inputs), "checking twice changes nothing"
        create = provider_pb2.CreateRequest(urn=request.urn, properties=answer.inputs, preview=True)
        assert provider.Create(create).id == ""
