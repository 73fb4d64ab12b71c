#: up -> create=7
from tp import Res
import pulumi

a = Res("a", dbr=1)
Res("by-force", force=a.id)
Res("by-value", value=a.id)
Res("by-depends", value=1, opts=pulumi.ResourceOptions(depends_on=[a]))
x = Res("x", force=a.computed)
Res("y", dbr=x.id, opts=pulumi.ResourceOptions(retain_on_delete=True))
#: preview -> replace=4 same=2 update=1
from tp import Res
import pulumi

a = Res("a", dbr=2)
Res("by-force", force=a.id)
Res("by-value", value=a.id)
Res("by-depends", value=1, opts=pulumi.ResourceOptions(depends_on=[a]))
x = Res("x", force=a.computed)
Res("y", dbr=x.id, opts=pulumi.ResourceOptions(retain_on_delete=True))
#: up -> replace=4 same=2 update=1
#: up -> delete=1 replace=2 same=1 update=1
from tp import Res
import pulumi

a = Res("a", dbr=3)
Res("by-force", force=a.id, opts=pulumi.ResourceOptions(protect=True))
Res("by-value", value=a.id)
#: up -> same=4
#: up -> fail same=1
from tp import Res
import pulumi

a = Res("a", dbr=4)
Res("by-force", force=a.id, opts=pulumi.ResourceOptions(protect=True))
#: destroy -> fail delete=1
