#: up --continue-on-error --parallel 1 -> fail create=2 "the full reason"
from tp import Res

a = Res("a", fail=["create"])
Res("b", value=a.computed)
Res("c", value=1)
