#: up -> create=4
from tp import Res
a = Res("a", fail=["delete"])
b = Res("b", value=a.id)
Res("c")
#: destroy --continue-on-error --parallel 1 -> fail "the full reason"
