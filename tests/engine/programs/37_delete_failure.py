#: up -> create=3
from tp import Res

Res("a", fail=["delete"])
Res("b")
#: up --parallel 1 -> fail "the full reason"
import pulumi
from tp import Res

Res("b")
#: up -> same=3
from tp import Res

Res("a", fail=[])
Res("b")
