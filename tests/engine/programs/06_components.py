#: up -> create=5
from tp import Group, Res
import pulumi


def body(group):
    inner = Group(
        "inner",
        body=lambda g: {"x": Res("deep", value=1, opts=pulumi.ResourceOptions(parent=g)).computed},
        opts=pulumi.ResourceOptions(parent=group),
    )
    return {"inner": "yes"}


outer = Group("outer", body=body, size=3)
Res("after", opts=pulumi.ResourceOptions(depends_on=[outer]))
#: up -> same=5
#: up -> same=4 update=1
from tp import Group, Res
import pulumi


def body(group):
    inner = Group(
        "inner",
        body=lambda g: {"x": Res("deep", value=1, opts=pulumi.ResourceOptions(parent=g)).computed},
        opts=pulumi.ResourceOptions(parent=group),
    )
    return {"inner": "yes"}


outer = Group("outer", body=body, size=4)
Res("after", opts=pulumi.ResourceOptions(depends_on=[outer]))
#: destroy -> delete=5
