#: up --parallel 1 -> fail "Duplicate resource URN"
from tp import Res
a = Res("a", value=1)
Res("a", value=a.computed)
