#: up -> create=2
from tp import Res

Res("a", value=1, tags={"x": 1})
#: up -> same=1 replace=1
import pulumi
from tp import Res

Res("a", value=2, tags={"x": 1}, opts=pulumi.ResourceOptions(replace_on_changes=["value"]))
#: up -> same=1 replace=1
import pulumi
from tp import Res

Res("a", value=2, tags={"x": 2}, opts=pulumi.ResourceOptions(replace_on_changes=["*"]))
#: up -> same=2
