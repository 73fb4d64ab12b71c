#: up -> create=4
from tp import Res

a = Res("a", value=1)
Res("b", value=a.computed)
Res("c", value=1)
#: destroy --target {a} -> fail "target"
#: destroy --target {c}
#: destroy --target {a} --target-dependents
#: destroy
