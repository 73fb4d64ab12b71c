#: up -> create=2
import pulumi
from tp import Res
Res("a", value=1, opts=pulumi.ResourceOptions(version="1.2.3"))
#: up -> same=2
#: up -> same=2
import pulumi
from tp import Res
Res("a", value=1, opts=pulumi.ResourceOptions(version="1.3.0"))
#: up --expect-no-changes -> same=2
