#: up -> create=2
import pulumi
from tp import Res

a = Res("a", value="x", opts=pulumi.ResourceOptions(additional_secret_outputs=["computed"]))
pulumi.export("c", a.computed)
#: up --expect-no-changes -> same=2
#: up -> same=2
import pulumi
from tp import Res

a = Res("a", value="x")
pulumi.export("c", a.computed)
