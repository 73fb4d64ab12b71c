#: up -> create=2
from tp import Res

Res("a", value=1)
#: up --target {c} -> fail "not specified in --target"
from tp import Res

a = Res("a", value=1)
b = Res("b", value=1)
Res("c", value=b.computed)
#: up --target {b} -> same=3 create=1
#: up --target {nothing} -> fail "could not be found"
#: up -> create=1 same=3
