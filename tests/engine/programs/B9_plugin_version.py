#: up -> create=2 "is expected to have version >=2.0.0, but has 1.0.0"
import pulumi
from tp import Res

Res("a", opts=pulumi.ResourceOptions(version="2.0.0"))
#: up -> same=2
