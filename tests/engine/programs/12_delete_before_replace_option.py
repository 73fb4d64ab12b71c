#: up -> create=3
import pulumi
from tp import Res

a = Res("a", force=1, opts=pulumi.ResourceOptions(delete_before_replace=True))
Res("b", value=a.computed)
#: up -> same=2 replace=1
import pulumi
from tp import Res

a = Res("a", force=2, opts=pulumi.ResourceOptions(delete_before_replace=True))
Res("b", value=a.computed)
#: up -> same=2 replace=1
import pulumi
from tp import Res

a = Res("a", force=2, dbr=1, opts=pulumi.ResourceOptions(delete_before_replace=False))
Res("b", value=a.computed)
