#: append Pulumi.dev.yaml "config:\n  clock: 12:30\n  yes: yes\n  oct: 0o17\n  old_oct: 017\n  exp: 1e3\n  date: 2024-01-02\n  time: 2024-01-02T03:04:05.678+02:00\n  huge: 1e100\n  hex: 0x1F\n  under: 1_000\n  float: 1.50\n  tiny: 1e-7\n  small: 0.00001\n  big: 12345678901234567890\n  bigger: 123456789012345678901234\n  bool: True\n  quoted: 'True'\n  neg: -0.0\n  word: off\n  ver: 1.2.3\n  plus: +5\n  bin: 0b11\n  obj:\n    b: [1, 1.0, 1e3, yes, 2024-01-02, null, '<x>']\n    1: one\n    a: {c: 0o17}\n  nothing:"
#: up -> create=2 "No value for configuration key"
import pulumi
from tp import Res

config = pulumi.Config()
keys = """clock yes oct old_oct exp date time huge hex under float tiny small big bigger bool quoted neg word ver plus bin obj nothing""".split()
Res("a", value={key: config.get(key) for key in keys})
#: preview --expect-no-changes -> same=2
