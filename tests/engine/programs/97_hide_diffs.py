#: up -> create=2
import pulumi
from tp import Res

Res(
    "a",
    value={"b": [1]},
    opts=pulumi.ResourceOptions(hide_diffs=["value", "value.b[0]", 'value["x.y"].z', 'value["d-e"]', "value.b[*]"]),
)
#: up --expect-no-changes -> same=2
#: up -> same=1 update=1
import pulumi
from tp import Res

Res("a", value={"b": [2]}, opts=pulumi.ResourceOptions(hide_diffs=["value.b[0]"]))
#: up -> same=2
import pulumi
from tp import Res

Res("a", value={"b": [2]})
#: destroy -> delete=2
