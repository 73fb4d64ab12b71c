#: up -> create=5
from tp import Res
import pulumi

Res("a", value=1)
Res("b", value=pulumi.Output.secret("x"))
Res("c", value=1, opts=pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="5m")))
Res("d", value=1, opts=pulumi.ResourceOptions(additional_secret_outputs=["computed"]))
#: up -> same=5
from tp import Res
import pulumi

Res("a", value=1, opts=pulumi.ResourceOptions(protect=True))
Res("b", value="x")
Res("c", value=1, opts=pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="6m", delete="1h30m")))
Res("d", value=1)
#: up -> same=5
from tp import Res
import pulumi

Res("a", value=1, opts=pulumi.ResourceOptions(retain_on_delete=True))
Res("b", value=pulumi.Output.secret("x"))
Res("c", value=1)
Res("d", value=1, opts=pulumi.ResourceOptions(additional_secret_outputs=["computed", "value"]))
#: up --expect-no-changes -> same=5
#: destroy -> delete=5
