#: up -> create=2
from tp import Res

Res(
    "a",
    value={
        "int": 1,
        "float": 1.5,
        "big": 123456789012,
        "neg": -3,
        "true": True,
        "null": None,
        "empty": {},
        "list": [],
        "text": 'häß "quoted" \n line',
        "nested": [[1], [{"x": [None]}]],
    },
)
#: up --expect-no-changes -> same=2
#: up -> same=1 update=1
from tp import Res

Res("a", value={"int": 1, "float": 1.5, "empty": {"now": 1}})
