#: up -> create=1
import pulumi

pulumi.export("plain", 1)
pulumi.export("hidden", pulumi.Output.secret("x"))
#: up
import pulumi

ref = pulumi.StackReference("organization/conf/dev")
pulumi.export("plain", 1)
pulumi.export("hidden", pulumi.Output.secret("x"))
pulumi.export("seen", ref.get_output("plain"))
#: up
