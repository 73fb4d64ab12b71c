#: up -> create=2
import pulumi
from tp import Res

Res("o", put=True, name="obj", value=1, opts=pulumi.ResourceOptions(retain_on_delete=True))
#: preview -> create=2 delete=1 same=1
import pulumi
from tp import Res

a = Res("a", value=1)
r = pulumi.runtime.invoke_output("tp:index:fn", {"x": a.id, "s": pulumi.Output.secret("z")}) if hasattr(pulumi.runtime, "invoke_output") else None
got = Res("got", opts=pulumi.ResourceOptions(id="obj"))
later = Res("later", opts=pulumi.ResourceOptions(id=a.id))
Res("b", value=got.computed)
pulumi.export("x", got.value)
pulumi.export("l", later.value)
#: up -> create=2 delete=1 same=1
#: preview --expect-no-changes -> same=3
#: up -> delete=2 discard=1 replace=1 same=1
import pulumi
from tp import Res

got = Res("got", put=True, name="obj", value=3)
#: up -> same=1
import pulumi
from tp import Res

got = Res("got", opts=pulumi.ResourceOptions(id="obj"))
#: refresh -> same=2
#: drop obj
#: refresh -> delete=1 same=1
#: up -> fail same=1
#: destroy -> delete=1
