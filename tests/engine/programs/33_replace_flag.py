#: up -> create=3
from tp import Res

a = Res("a", value=1)
Res("b", value=a.id)
#: up --replace {a}
#: up -> same=3
