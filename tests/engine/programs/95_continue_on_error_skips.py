#: up --continue-on-error -> fail create=2
from tp import Res
import pulumi
a = Res("a", fail=["create"])
pulumi.log.info("before b")
def seen(v):
    pulumi.log.info("SEEN")
    return v
Res("b", value=a.computed.apply(seen))
Res("c", value=1)
a.urn.apply(lambda u: pulumi.log.info("URN " + str(u)))
Res("d", opts=pulumi.ResourceOptions(depends_on=[a]))
Res("e", value=a.id)
