"""What holds for every component: names, outputs, documentation. Parametrised over all of them."""

import ast
import asyncio
import dataclasses
import importlib
import inspect
import pkgutil
from pathlib import Path

import pulumi
import pytest

import components
from components.base import Component

ROOT = Path(components.__file__).parent


def component_classes():
    found = []
    for module in pkgutil.walk_packages(components.__path__, "components."):
        loaded = importlib.import_module(module.name)
        found += [
            item
            for item in vars(loaded).values()
            if inspect.isclass(item)
            and issubclass(item, Component)
            and item is not Component
            and item.__module__ == loaded.__name__
        ]
    return found


CLASSES = component_classes()


@pytest.mark.parametrize("component", CLASSES, ids=lambda c: c.__name__)
class TestEveryComponent:
    def test_signature_is_name_args_opts(self, component):
        parameters = list(inspect.signature(component.__init__).parameters.values())
        assert [p.name for p in parameters] == ["self", "name", "args", "opts"]
        assert parameters[-1].default is None

    def test_args_are_a_frozen_keyword_only_dataclass(self, component):
        args = vars(importlib.import_module(component.__module__))[f"{component.__name__}Args"]
        assert dataclasses.is_dataclass(args)
        assert args.__dataclass_params__.frozen
        assert all(field.kw_only for field in dataclasses.fields(args))

    def test_every_argument_has_a_docstring(self, component):
        args = f"{component.__name__}Args"
        own = vars(importlib.import_module(component.__module__))[args]
        tree = ast.parse(Path(inspect.getfile(own)).read_text())
        body = next(n.body for n in tree.body if isinstance(n, ast.ClassDef) and n.name == args)
        for statement, following in zip(body, [*body[1:], None], strict=True):
            if isinstance(statement, ast.AnnAssign):
                documented = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
                assert documented, f"{args}.{statement.target.id} has no docstring"

    def test_type_token_and_outputs(self, component):
        assert component.type_token().startswith("mldeploy:")
        assert component.type_token().count(":") == 2
        assert component.output_names(), "a component promises at least one output"
        for name, kind in inspect.get_annotations(component).items():
            if name in component.output_names():
                assert "Output[" in str(kind), f"{name} is annotated {kind}"

    def test_has_documentation(self, component):
        assert component.__doc__
        assert len(component.__doc__.split()) > 5


def test_there_are_components():
    assert {c.__name__ for c in CLASSES} >= {"RegisteredModel", "ScoringImage", "LocalEndpoint"}


def test_type_tokens_are_unique():
    tokens = [c.type_token() for c in CLASSES]
    assert len(set(tokens)) == len(tokens)


def test_children_never_take_the_callers_options():
    """`parent=self` only: merging the caller's options would, for instance, protect or alias children by accident."""
    for path in ROOT.rglob("*.py"):
        # Custom resources have no children; the base merges what the caller says of one child by name.
        if path.parent.name == "sdk" or path == ROOT / "base.py":
            continue
        assert "ResourceOptions.merge" not in path.read_text(), path


def test_publish_refuses_other_names():
    class Wrong(Component):
        group = "test"
        answer: pulumi.Output[int]

        def __init__(self, name, args=None, opts=None):
            super().__init__(name, opts)
            self.publish({"anwser": 1})

    class Mocks(pulumi.runtime.Mocks):
        def new_resource(self, args):
            return (args.name, args.inputs)

        def call(self, args):
            return {}

    asyncio.set_event_loop(asyncio.new_event_loop())  # another test may have closed this thread's
    pulumi.runtime.set_mocks(Mocks())

    # The SDK's own runner waits for what the program started; left behind, it would disturb the next program.
    @pulumi.runtime.test
    def program():
        with pytest.raises(TypeError, match=r"not published \['answer'\], not annotated \['anwser'\]"):
            Wrong("x")

    program()
