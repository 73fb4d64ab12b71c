#: up -> create=3
from tp import Res

a = Res("a", name="fixed")
Res("b", value=a.id)
#: preview -> same=3
import pulumi
from tp import Res

a = Res("renamed", name="fixed", opts=pulumi.ResourceOptions(aliases=[pulumi.Alias(name="a")]))
Res("b", value=a.id)
#: up -> same=3
#: up --expect-no-changes -> same=3
import pulumi
from tp import Res

a = Res("renamed", name="fixed")
Res("b", value=a.id)
