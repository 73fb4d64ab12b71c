"""What holds for every resource type of the provider: its declaration is its schema, its checks and its typed class."""

from __future__ import annotations

import inspect
import json

import pulumi
import pytest
from pulumi.runtime.proto import provider_pb2

from components.sdk import azure, edge, kubernetes, local
from components.sdk.base import ProviderResource
from mldeploy.provider.catalog import RESOURCES
from mldeploy.provider.framework.declare import fields_of, properties_of
from mldeploy.provider.framework.resource import Change, Context, Resource
from mldeploy.values.marshal import decode, encode
from mldeploy.values.property_value import UNKNOWN, Secret, reveal

TYPED = {
    kind.token: kind
    for module in (local, azure, kubernetes, edge)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, ProviderResource) and kind is not ProviderResource
}
EVERY = sorted(RESOURCES)
# What only states of before know: it is still refreshed and deleted, and no program makes it.
RETIRED = {"mldeploy:azure:BuildSource"}
# Where a text of any kind will not do.
VALUES = {
    "endpoint_id": "/subscriptions/s/resourceGroups/g/providers/p/workspaces/w/batchEndpoints/b",
    "hub": "hub.azure-devices.net",
    "target_condition": "*",
    "name": "a-name",
    "tag": "t" * 32,
}
GATEWAY = {"mldeploy:kubernetes:Rollout": {"strategy": "blue_green"}}


def sample(field, name="", value=None):
    """A value that a field takes."""
    if field.choices:
        return field.choices[0]
    if field.record is not None:
        inner = fields_of(field.record)
        return {key: sample(one, key) for key, one in inner.items() if one.about.required}
    if field.kind == "array":
        return [sample(field.items)] if field.items else []
    if field.kind == "map":
        return {"a": sample(field.items)} if field.items else {"a": 1}
    number = max(1, field.about.minimum or 1)
    scalars = {"string": VALUES.get(name, "text"), "integer": int(number), "number": number, "boolean": True}
    return scalars.get(field.kind, {})


def settable(token):
    return {name: one for name, one in RESOURCES[token].inputs.items() if one.about.role == "input"}


def required(token):
    found = {name: sample(one, name) for name, one in settable(token).items() if one.about.required}
    return found | GATEWAY.get(token, {})


def check(provider, token, news):
    request = provider_pb2.CheckRequest(urn=f"urn:pulumi:s::p::{token}::x", news=encode(news))
    reply = provider.Check(request)
    return decode(reply.inputs), {failure.property: failure.reason for failure in reply.failures}


def test_there_is_a_typed_class_for_every_resource_and_no_other():
    assert TYPED.keys() == RESOURCES.keys() - RETIRED
    assert len(EVERY) >= 16


@pytest.mark.parametrize("token", EVERY)
class TestEveryResource:
    def test_its_schema_is_its_declaration(self, provider, token):
        schema = json.loads(provider.GetSchema(provider_pb2.GetSchemaRequest()).schema)["resources"][token]
        fields = fields_of(RESOURCES[token].fields)
        assert set(schema["properties"]) == set(fields)
        assert set(schema["inputProperties"]) == set(settable(token))
        assert set(schema["requiredInputs"]) == set(required(token))
        assert schema["description"] == inspect.getdoc(RESOURCES[token].fields).replace("\n", " ")
        for name, one in fields.items():
            assert one.about.description == schema["properties"][name]["description"] != ""
            assert schema["properties"][name].get("secret", False) == one.about.secret
            if name in settable(token):
                replaces = schema["inputProperties"][name].get("willReplaceOnChanges", False)
                assert replaces == one.about.replaces

    def test_its_class_passes_on_every_input_and_marks_secrets(self, monkeypatch, token):
        if token in RETIRED:
            pytest.skip("no program makes it")
        made = {}

        def record(_self, kind, name, props, opts):
            made.update(kind=kind, name=name, props=props, opts=opts)

        monkeypatch.setattr(pulumi.CustomResource, "__init__", record)
        given = {name: sample(one, name) for name, one in settable(token).items()}
        TYPED[token]("x", **given)
        assert (made["kind"], made["name"]) == (token, "x")
        assert set(made["props"]) == set(properties_of(TYPED[token]))
        secret = {name for name, one in fields_of(RESOURCES[token].fields).items() if one.about.secret}
        for name, value in given.items():
            sent = made["props"][name]
            assert isinstance(sent, pulumi.Output) if name in secret else sent == value
        assert secret == set((made["opts"].additional_secret_outputs if made["opts"] else None) or ())
        outputs = set(made["props"]) - set(given)
        assert all(made["props"][name] is None for name in outputs)
        assert all(
            f"{name}: {one.about.description}" in TYPED[token].__doc__
            for name, one in settable(token).items()
        )

    def test_its_class_takes_no_other_input(self, token):
        if token in RETIRED:
            pytest.skip("no program makes it")
        with pytest.raises(TypeError, match="has no input nonsense"):
            TYPED[token]("x", nonsense=1)

    def test_an_unknown_name_and_an_output_are_refused(self, provider, token):
        names = ["nonsense", *RESOURCES[token].outputs]
        _, failures = check(provider, token, required(token) | dict.fromkeys(names, "x"))
        for name in names:
            assert failures[name].startswith("is no property here; allowed: "), name

    def test_what_is_missing_is_named_with_what_it_is_for(self, provider, token):
        _, failures = check(provider, token, {})
        assert set(failures) == set(required(token))
        assert all(reason.startswith("is required: ") for reason in failures.values())

    def test_a_value_of_another_type_is_refused_and_a_secret_one_not_shown(self, provider, token):
        for name, one in settable(token).items():
            wrong = 17.5 if one.kind in ("string", "boolean", "object", "map", "array") else "wr0ng"
            _, failures = check(provider, token, required(token) | {name: wrong})
            assert failures[name].startswith("must be "), name
            assert (str(wrong) in failures[name]) != one.about.secret, name

    def test_numbers_out_of_range_and_other_choices_are_refused(self, provider, token):
        for name, one in settable(token).items():
            wrong = []
            if one.about.minimum is not None:
                wrong.append(one.about.minimum - 1)
            if one.about.maximum is not None:
                wrong.append(one.about.maximum + 1)
            if one.choices:
                wrong.append("another")
            for value in wrong:
                _, failures = check(provider, token, required(token) | {name: value})
                assert "allowed: " in failures[name], name

    def test_everything_may_be_unknown_in_a_preview(self, provider, token):
        news = dict.fromkeys(settable(token), UNKNOWN)
        for name in ("container_image", "promote"):  # one of two
            news.pop(name, None)
        checked, failures = check(provider, token, news)
        assert not failures
        assert all(reveal(checked[name]) is UNKNOWN for name in news)
        request = provider_pb2.CreateRequest(
            urn=f"urn:pulumi:s::p::{token}::x", properties=encode(checked), preview=True
        )
        shown = decode(provider.Create(request).properties)
        assert set(shown) >= set(RESOURCES[token].outputs)

    def test_what_a_program_says_of_a_computed_input_does_not_count(self, provider, token):
        computed = [name for name, one in RESOURCES[token].inputs.items() if one.about.role == "computed"]
        news = dict.fromkeys(settable(token), UNKNOWN) | dict.fromkeys(computed, "forged")
        news.pop("container_image", None)
        checked, failures = check(provider, token, news)
        assert not failures
        assert "forged" not in checked.values()

    def test_secret_inputs_stay_secret_whatever_they_come_as(self, provider, token):
        secret = [name for name, one in settable(token).items() if one.about.secret]
        news = dict.fromkeys(settable(token), UNKNOWN)
        news.pop("container_image", None)
        news |= {name: sample(settable(token)[name], name) for name in secret}
        checked, failures = check(provider, token, news)
        assert not failures
        assert all(isinstance(checked[name], Secret) for name in secret)

    def test_a_change_replaces_exactly_where_it_is_declared(self, tmp_path, token):
        resource, ctx = RESOURCES[token], Context(root=tmp_path)
        old = {name: sample(one, name) for name, one in settable(token).items()}
        typed = resource.fields.decode
        same = Resource.diff(resource, ctx, Change("id", typed(old), typed(old), typed(dict(old))))
        assert not same.details
        for name, one in settable(token).items():
            new = {key: value for key, value in old.items() if key != name}
            found = Resource.diff(resource, ctx, Change("id", typed(old), typed(old), typed(new)))
            assert set(found.details.values()) == {"delete"} or not old[name], name
            assert bool(found.replaces) == (one.about.replaces and bool(found.details)), name

    def test_it_replaces_what_a_type_before_it_made(self, provider, token):
        """An alias hands over the state of another type, as of `TaskRun` to `ImageBuild`: with inputs of its own."""
        request = provider_pb2.DiffRequest(
            id="an-id",
            urn=f"urn:pulumi:s::p::{token}::x",
            olds=encode({"forceUpdateTag": "t", "runResult": {"images": []}}),
            old_inputs=encode({"forceUpdateTag": "t"}),
            news=encode(required(token)),
        )
        found = provider.Diff(request)
        assert bool(found.replaces) == bool(required(token))
        assert found.deleteBeforeReplace == (RESOURCES[token].delete_before_replace and bool(found.replaces))

    def test_an_input_of_former_versions_is_no_difference(self, tmp_path, token):
        resource, ctx = RESOURCES[token], Context(root=tmp_path)
        old = {name: sample(one, name) for name, one in settable(token).items()}
        typed = resource.fields.decode
        change = Change("id", typed(old), typed(old | {"retired": 1}), typed(old))
        assert not Resource.diff(resource, ctx, change).details

    def test_its_values_cannot_be_changed(self, token):
        values = RESOURCES[token].fields.decode(required(token))
        with pytest.raises(AttributeError, match="cannot be set"):
            values.anything = 1
        assert values.plain() == required(token)


def test_absent_values_read_as_their_defaults():
    values = RESOURCES["mldeploy:kubernetes:Rollout"].fields.decode({"gateway": {"name": "g"}, "steps": None})
    assert (values.gateway.name, values.gateway.section, values.promote) == ("g", None, None)
    assert (list(values.steps), values.service_type, values.max_error_rate) == (
        [5, 25, 100],
        "ClusterIP",
        0.01,
    )


def test_records_of_a_program_are_sent_as_objects(monkeypatch):
    sent = {}
    monkeypatch.setattr(
        pulumi.CustomResource, "__init__", lambda _self, _kind, _name, props, _opts: sent.update(props)
    )
    from mldeploy.provider.common.golden_requests import GoldenRequest

    local.Gate("g", service="s", replica="r", golden=[GoldenRequest(request="a.json", tolerance=0.5)])
    assert sent["golden"] == [{"request": "a.json", "tolerance": 0.5}]
