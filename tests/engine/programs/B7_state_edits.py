#: up -> create=5
import pulumi
from tp import Res

a = Res("a")
b = Res("b", value=a.id)
Res("c", opts=pulumi.ResourceOptions(parent=b, deleted_with=a))
Res("d", value=1)
#: state rename {a} first
#: up --expect-no-changes -> same=5
import pulumi
from tp import Res

a = Res("first", name="a")
b = Res("b", value=a.id)
Res("c", opts=pulumi.ResourceOptions(parent=b, deleted_with=a))
Res("d", value=1)
#: state rename {b} d -> fail
#: state delete {first} -> fail
#: state protect {d} {b}
#: state delete {d} -> fail
#: state taint {d}
#: state untaint {d}
#: state unprotect {d}
#: state taint {b}
#: preview -> same=4 replace=1
#: state delete {first} --target-dependents --force
#: state delete {nothing} -> fail
#: up -> create=3 same=2
