#: up -> create=10
from tp import Group, Res
import pulumi


def body(g):
    one = Res("one", opts=pulumi.ResourceOptions(parent=g))
    Group("sub", body=lambda s: Res("two", opts=pulumi.ResourceOptions(parent=s)) and None, opts=pulumi.ResourceOptions(parent=g))
    Res("three", opts=pulumi.ResourceOptions(parent=one))


g = Group("g", body=body)
Res("after", opts=pulumi.ResourceOptions(depends_on=[g]))
h = Group("h", body=lambda s: Res("four", opts=pulumi.ResourceOptions(parent=s)) and None, opts=pulumi.ResourceOptions(depends_on=[g]))
Res("last", opts=pulumi.ResourceOptions(depends_on=h))
#: up --expect-no-changes -> same=10
#: destroy -> delete=10
