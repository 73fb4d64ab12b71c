#: preview -> create=4
import pulumi
from tp import Res

a = Res("a", value=1)
b = Res("b", value=pulumi.Output.concat("x-", a.computed), nested={"k": [a.id]})
c = Res("c", value=b.computed.apply(lambda v: v.upper()))
pulumi.export("c", c.computed)
#: up -> create=4
#: up --expect-no-changes -> same=4
