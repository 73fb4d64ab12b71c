#: up -> create=5
from tp import Group, Res
import pulumi

a = Res("a", value=1)
b = Res("b", value=a.computed)
c = Res("c", value=b.computed)
d = Res("d", value=1)
#: preview --target {a} --target-dependents -> create=1 same=2 update=3
from tp import Group, Res
import pulumi

a = Res("a", value=2)
b = Res("b", value=a.computed)
c = Res("c", value=b.computed)
d = Res("d", value=2)
e = Res("e", value=c.id)
#: up --target {b} --target-dependents -> create=1 same=5
#: up --target {nothing} -> fail same=6
#: up --target {a} --target-dependents -> same=3 update=3
#: up -> same=5 update=1
#: destroy --target {b} -> fail none
#: destroy --target {b} --target-dependents -> delete=3 same=3
#: up -> create=3 same=3
#: up --exclude {a} --exclude-dependents -> same=5 update=1
from tp import Res

a = Res("a", value=3)
b = Res("b", value=a.computed)
d = Res("d", value=3)
#: destroy --exclude {d} -> delete=4 same=2
#: destroy -> delete=2
