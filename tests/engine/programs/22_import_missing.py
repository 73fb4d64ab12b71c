#: up -> fail "does not exist"
import pulumi
from tp import Res

Res("taken", opts=pulumi.ResourceOptions(import_="nothing"))
