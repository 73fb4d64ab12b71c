#: up -> create=6
from tp import Res
import pulumi

O = pulumi.ResourceOptions
Res("a", value={"x": [1, 2, {"y": 3}], "z": 1}, opts=O(ignore_changes=["value.x[2].y"]))
Res("b", value=1, other=1, opts=O(ignore_changes=["*"]))
Res("c", value={"x": {"y": 1}}, opts=O(replace_on_changes=["value.x"]))
Res("d", value=1, opts=O(replace_on_changes=["*"]))
Res("e", value={"a.b": 1, "c": [{"k": 1}, {"k": 2}]}, opts=O(ignore_changes=['value["a.b"]', "value.c[*].k"]))
#: preview -> replace=1 same=4 update=1
from tp import Res
import pulumi

O = pulumi.ResourceOptions
Res("a", value={"x": [1, 2, {"y": 4}], "z": 1}, opts=O(ignore_changes=["value.x[2].y"]))
Res("b", value=2, other=3, more=1, opts=O(ignore_changes=["*"]))
Res("c", value={"x": {"y": 2}}, opts=O(replace_on_changes=["value.x"]))
Res("d", value=2, opts=O(replace_on_changes=["*"]))
Res("e", value={"a.b": 2, "c": [{"k": 5}, {"k": 6}]}, opts=O(ignore_changes=['value["a.b"]', "value.c[*].k"]))
#: up -> replace=1 same=4 update=1
