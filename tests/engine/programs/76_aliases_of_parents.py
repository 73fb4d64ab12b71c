#: up -> create=6
from tp import Group, Res
import pulumi


def inner(g):
    Res("leaf", opts=pulumi.ResourceOptions(parent=g))


def outer(g):
    Group("in", body=inner, opts=pulumi.ResourceOptions(parent=g))
    Res("g-named", name="n", opts=pulumi.ResourceOptions(parent=g))


Group("g", body=outer)
Res("flat", name="flat")
#: preview -> create=2 delete=2 same=4
from tp import Group, Res
import pulumi


def inner(g):
    Res("leaf", opts=pulumi.ResourceOptions(parent=g))


def outer(g):
    Group("in", body=inner, opts=pulumi.ResourceOptions(parent=g), type_="test:index:Inner")
    Res("h-named", name="n", opts=pulumi.ResourceOptions(parent=g))
    Res("flat", name="flat", opts=pulumi.ResourceOptions(parent=g, aliases=[pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)]))


Group("h", body=outer, type_="test:index:Other", opts=pulumi.ResourceOptions(aliases=[pulumi.Alias(name="g", type_="test:index:Group")]))
#: up -> create=2 delete=2 same=4
#: up -> same=6
from tp import Group, Res
import pulumi


def inner(g):
    Res("leaf", opts=pulumi.ResourceOptions(parent=g))


def outer(g):
    Group("in", body=inner, opts=pulumi.ResourceOptions(parent=g, aliases=[pulumi.Alias(type_="test:index:Inner")]))
    Res("h-named", name="n", opts=pulumi.ResourceOptions(parent=g))


Group("h", body=outer, type_="test:index:Other")
Res("flat", name="flat", opts=pulumi.ResourceOptions(aliases=["urn:pulumi:dev::conf::test:index:Other$tp:index:Res::flat"]))
#: preview --expect-no-changes -> same=6
#: destroy -> delete=6
