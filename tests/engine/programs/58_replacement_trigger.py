#: up -> create=2
import pulumi
from tp import Res

Res("a", value=1, opts=pulumi.ResourceOptions(replacement_trigger="one"))
#: up -> same=2
#: up -> same=1 replace=1
import pulumi
from tp import Res

Res("a", value=1, opts=pulumi.ResourceOptions(replacement_trigger="two"))
#: up -> same=2
