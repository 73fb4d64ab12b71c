#: up -> create=2
import pulumi
from tp import Res

a = Res("a", value=pulumi.Output.secret("s"))
pulumi.export("a", a.value)
pulumi.export("b", {"x": [1]})
#: up -> create=1 delete=1 same=1
import pulumi
from tp import Res

ref = pulumi.StackReference("organization/conf/dev")
Res("b", value=ref.get_output("a"), other=ref.get_output("b"), missing=ref.get_output("nope"))
pulumi.export("a", ref.require_output("b"))
#: up -> fail same=1
import pulumi

ref = pulumi.StackReference("me", stack_name="organization/conf/dev")
pulumi.export("again", ref.require_output("never"))
#: up -> fail same=1
import pulumi

pulumi.StackReference("bad/name/with/many/parts")
#: destroy -> delete=2 discard=2
