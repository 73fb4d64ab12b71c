#: up -> create=2
from tp import Res

Res("a", value=1, tags={"owner": "x", "kept": "y"})
#: up --expect-no-changes -> same=2
import pulumi
from tp import Res

Res(
    "a",
    value=2,
    tags={"owner": "z", "kept": "y"},
    opts=pulumi.ResourceOptions(ignore_changes=["value", "tags.owner"]),
)
#: up -> same=1 update=1
import pulumi
from tp import Res

Res(
    "a",
    value=2,
    tags={"owner": "z", "kept": "changed"},
    opts=pulumi.ResourceOptions(ignore_changes=["value", "tags.owner"]),
)
