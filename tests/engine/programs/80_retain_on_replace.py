#: up -> create=3
from tp import Res
import pulumi

Res("a", force=1, opts=pulumi.ResourceOptions(retain_on_delete=True))
Res("b", dbr=1, opts=pulumi.ResourceOptions(retain_on_delete=True))
#: up -> replace=2 same=1
from tp import Res
import pulumi

Res("a", force=2, opts=pulumi.ResourceOptions(retain_on_delete=True))
Res("b", dbr=2)
#: up -> same=3
from tp import Res
import pulumi

Res("a", force=2)
Res("b", dbr=2, opts=pulumi.ResourceOptions(retain_on_delete=True))
#: destroy -> delete=3
