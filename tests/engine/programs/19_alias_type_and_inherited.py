#: up -> create=3
import pulumi
from tp import Group, Res


def body(g):
    Res("g-child", opts=pulumi.ResourceOptions(parent=g), name="n")


Group("g", body=body)
#: up -> same=3
import pulumi
from tp import Group, Res


def body(g):
    Res("h-child", opts=pulumi.ResourceOptions(parent=g), name="n")


Group(
    "h",
    body=body,
    type_="test:index:Team",
    opts=pulumi.ResourceOptions(aliases=[pulumi.Alias(name="g", type_="test:index:Group")]),
)
#: up --expect-no-changes -> same=3
