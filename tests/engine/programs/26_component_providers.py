#: up -> create=4
import pulumi
from tp import Group, Provider, Res

p = Provider("p", region="eu")
Group(
    "g",
    body=lambda g: {"r": Res("child", value=1, opts=pulumi.ResourceOptions(parent=g)).id},
    opts=pulumi.ResourceOptions(providers=[p]),
)
#: up --expect-no-changes -> same=4
