#: up -> create=4
from tp import Res
import pulumi

a = Res("a", force=1)
b = Res("b", value=1, opts=pulumi.ResourceOptions(deleted_with=a, depends_on=[a]))
c = Res("c", dbr=1, opts=pulumi.ResourceOptions(deleted_with=a))
#: preview -> replace=2 same=1 update=1
from tp import Res
import pulumi

a = Res("a", force=2)
b = Res("b", value=2, opts=pulumi.ResourceOptions(deleted_with=a, depends_on=[a]))
c = Res("c", dbr=2, opts=pulumi.ResourceOptions(deleted_with=a))
#: up -> replace=2 same=1 update=1
#: up -> delete=1 replace=1 same=1 update=1
from tp import Res
import pulumi

a = Res("a", dbr=1)
b = Res("b", value=a.id, opts=pulumi.ResourceOptions(deleted_with=a))
#: up -> replace=1 same=1 update=1
from tp import Res
import pulumi

a = Res("a", dbr=2)
b = Res("b", value=a.id, opts=pulumi.ResourceOptions(deleted_with=a))
#: up -> create=1 delete=2 same=1
from tp import Res

Res("z")
