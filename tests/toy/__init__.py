"""A type of target that exists in the tests alone: its parts, and one registration. No file of the project knows it."""

from mldeploy.targets import TargetType

TOY = TargetType("toy", "tests.toy.kind", "tests.toy.graph", "tests.toy.operations", "tests/toy/toy.md")
