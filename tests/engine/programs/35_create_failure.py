#: up -> fail "the full reason"
from tp import Res

a = Res("a", value=1)
Res("b", value=a.computed, fail=["create"])
#: up -> create=1 same=2
from tp import Res

a = Res("a", value=1)
Res("b", value=a.computed)
