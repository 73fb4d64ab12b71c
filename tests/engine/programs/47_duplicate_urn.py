#: up -> fail "Duplicate resource URN"
from tp import Res

Res("a", value=1)
Res("a", value=2)
