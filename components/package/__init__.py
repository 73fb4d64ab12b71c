"""This project's components as a Pulumi package, for programs in any language.

The provider answers with it (`GetSchema`, `Construct`), so that one plugin has components and what they are made of.
"""
