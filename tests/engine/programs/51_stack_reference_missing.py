#: up -> fail "nowhere"
import pulumi

pulumi.StackReference("organization/conf/nowhere")
