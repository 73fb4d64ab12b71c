#: up -> create=4
from tp import Res
a = Res("a", value=1)
b = Res("b", value=a.computed)
Res("c", value=1)
#: up --exclude {a} --exclude-dependents -> same=3 update=1
from tp import Res
a = Res("a", value=2)
b = Res("b", value=a.computed)
Res("c", value=2)
#: up -> same=2 update=2
#: destroy --exclude {b}
#: destroy
