#: preview -> create=3
from tp import Res

a = Res("a", value=1)
Res("b", value=a.computed)
#: up -> create=3
#: up -> same=3
#: up --expect-no-changes -> same=3
#: destroy -> delete=3
