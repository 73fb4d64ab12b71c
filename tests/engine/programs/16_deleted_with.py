#: up -> create=3
import pulumi
from tp import Res

a = Res("a")
Res("b", fail=["delete"], opts=pulumi.ResourceOptions(deleted_with=a))
#: destroy -> delete=3
