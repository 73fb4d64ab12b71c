#: up -> create=3
import pulumi
from tp import Group, Res

Group("g")
Res("a")
#: up -> same=3
import pulumi
from tp import Group, Res


def body(g):
    Res("a", opts=pulumi.ResourceOptions(parent=g, aliases=[pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)]))


Group("g", body=body)
#: up -> same=3
