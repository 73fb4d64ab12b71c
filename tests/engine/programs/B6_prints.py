#: up -> create=1 "hello from the program"
import sys

print("hello from the program")
print("and an error", file=sys.stderr)
#: up -> same=1 "no end"
import os

os.environ["LEFT_BEHIND"] = "x"
print("no end", end="")
#: up -> fail "KeyboardInterrupt"
raise KeyboardInterrupt
