#: up -> create=2
import pulumi
from tp import Res

v = {"": 1, "é": "ü\u2028", "n": None, "e": {}, "l": [], "t": True, "f": 1.5, "big": 2**53 - 1, "neg": -0.0, "one": 1.0, "nest": [[], [[1]], {"a": {"b": None}}]}
a = Res("a", value=v, long="x" * 3000, **{"with-dash": 1, "with.dot": 2, "__internal": 3})
pulumi.export("v", a.value)
pulumi.export("none", None)
pulumi.export("res", a)
pulumi.export("list", [a.id, None, {"x": a.generation}])
#: preview --expect-no-changes -> same=2
#: up -> same=1 update=1
import pulumi
from tp import Res

v = {"é": "ü", "n": 1, "e": {"x": None}, "l": [None], "t": False, "f": 2, "nest": []}
a = Res("a", value=v, **{"with-dash": None, "with.dot": [1]})
pulumi.export("v", a.value)
#: refresh -> same=2
#: preview --expect-no-changes -> same=2
