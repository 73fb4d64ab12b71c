#: up -> create=2
import pulumi
from tp import Res

Res(
    "a",
    opts=pulumi.ResourceOptions(
        custom_timeouts=pulumi.CustomTimeouts(create="1h30m", update="90s", delete="5m")
    ),
)
#: up --expect-no-changes -> same=2
#: up -> same=2
from tp import Res

Res("a")
#: up -> fail "unable to parse"
import pulumi
from tp import Res

Res("b", opts=pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="soon")))
