"""Whatever `run()` does, the next request is answered: kinds of bad scripts, each in the middle of good requests."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Callable

import pytest

from tests.serving.replica import Replica

SCRIPT = """
    import ctypes, gc, json, logging, os, resource, signal, socket, sys, tempfile, threading, time, warnings
    from azureml.contrib.services.aml_response import AMLResponse

    class Mute(Exception):
        def __str__(self): raise ValueError("no words")
        __repr__ = __str__

    class Anything:
        def __getattr__(self, name): return "anything"

    class Liar(dict):
        def items(self): raise OSError("no items")

    class Base(BaseException): pass

    def recurse(n): return recurse(n + 1)

    def broken():
        yield 1
        raise SystemExit(4)

    def deep():
        found = []
        for _ in range(100_000):
            found = [found]
        return found

    def circle():
        found = []
        found.append(found)
        return found

    def gone_folder():
        folder = tempfile.mkdtemp()
        os.chdir(folder)
        os.rmdir(folder)
        return 1

    def stubborn():
        while True:
            try:
                time.sleep(0.05)
            except BaseException:
                pass

    def close_all():
        os.closerange(3, 4096)
        return 1

    def leak():
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))
        with_files.extend(os.dup(0) for _ in range(260))

    def threads():
        for _ in range(200):
            threading.Thread(target=time.sleep, args=(600,)).start()

    def rings():
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)

    def thread_exit():
        threading.Thread(target=sys.exit, args=(3,)).start()

    def child():
        if not os.fork():
            return 1
        return os.wait()[1]

    def bad_handler():
        class Handler(logging.Handler):
            def emit(self, record): raise RuntimeError("no log")
        logging.getLogger().addHandler(Handler())
        logging.getLogger().error("to be logged")

    def raises(problem):
        raise problem

    with_files = []
    KINDS = {
        "exception": lambda: raises(ValueError("x")),
        "exit": lambda: sys.exit(5),
        "interrupt": lambda: raises(KeyboardInterrupt()),
        "generator exit": lambda: raises(GeneratorExit()),
        "stop iteration": lambda: raises(StopIteration()),
        "base exception": lambda: raises(Base("x")),
        "an exception without words": lambda: raises(Mute()),
        "an exception that is no text": lambda: raises(ValueError("\\ud800")),
        "an exception of 10 MB": lambda: raises(ValueError("x" * 10_000_000)),
        "a group of exceptions": lambda: raises(BaseExceptionGroup("g", [SystemExit(1), ValueError()])),
        "recursion": lambda: recurse(0),
        "no memory": lambda: bytearray(1 << 60),
        "no JSON": lambda: object(),
        "bytes": lambda: b"\\xff",
        "a set": lambda: {1},
        "no number": lambda: float("nan"),
        "no text": lambda: "\\ud800",
        "a number of many digits": lambda: 10**6000,
        "a deep list": deep,
        "a circle": circle,
        "an object that has every attribute": Anything,
        "a dictionary without items": lambda: Liar(a=1),
        "no status": lambda: AMLResponse("x", 1000),
        "a header of two lines": lambda: AMLResponse("x", 200, {"a": "b\\r\\nc: d"}),
        "a stream that ends the process": broken,
        "a coroutine": lambda: asyncio_run(),
        "its folder is gone": gone_folder,
        "no standard output": lambda: (sys.stdout.close(), setattr(sys, "stdout", None)) and None,
        "no environment": lambda: os.environ.clear(),
        "a short time limit for sockets": lambda: socket.setdefaulttimeout(0.0001),
        "warnings are errors": lambda: warnings.simplefilter("error"),
        "no garbage collection": lambda: (gc.disable(), gc.set_threshold(0)) and None,
        "a log handler that fails": bad_handler,
        "an alarm clock": rings,
        "the end of a thread": thread_exit,
        "threads that do not end": threads,
        "a child that returns": child,
        "too long": lambda: time.sleep(60),
        "a loop": lambda: [None for _ in iter(int, 1)],
        "leaked descriptors": leak,
        "a loop that takes every exception": stubborn,
        "the end of the process": lambda: os._exit(0),
        "an illegal address": lambda: ctypes.string_at(1),
        "an abort": os.abort,
        "a killed process": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "a killed supervisor's child": lambda: os.kill(os.getpid(), signal.SIGQUIT),
        "a stopped process": lambda: os.kill(os.getpid(), signal.SIGSTOP),
        "all descriptors are closed": close_all,
        "compiled code that does not come back": lambda: ctypes.PyDLL(None).pause(),
    }

    async def asyncio_run():
        return 1

    def init():
        pass

    def run(data):
        given = json.loads(data)
        return {"good": given["good"]} if "good" in given else KINDS[given["kind"]]()
"""
_NAMES = [
    line.strip().partition('"')[2].partition('": ')[0]
    for line in SCRIPT.partition("KINDS = {")[2].partition("\n    }\n")[0].splitlines()
    if line.strip()
]
_FIRST_THAT_ENDS_THE_WORKER = _NAMES.index("leaked descriptors")
_SETTINGS = {"scoring_timeout_ms": 300, "stream_timeout_ms": 300, "max_request_wait_time": 10_000}


def ask(one: Replica, given: dict[str, object]) -> int:
    """The status; 0 when the connection broke."""
    try:
        with contextlib.closing(one.client()) as client:
            answer = one.score(given, client)
    except (OSError, http.client.HTTPException):
        return 0
    if "good" in given and answer.status == 200:
        assert answer.json == given
    return answer.status


def recovers(one: Replica, kind: str, seconds: float) -> None:
    """After this kind of call, the service answers rightly again within so long, and goes on."""
    status = ask(one, {"kind": kind})
    assert status in (0, 200, 500, 503, 504), (kind, status)
    end = time.monotonic() + seconds
    while (status := ask(one, {"good": kind})) != 200:
        assert time.monotonic() < end, (kind, status, one.output()[-2000:])
        time.sleep(0.05)
    assert [ask(one, {"good": number}) for number in range(5)] == [200] * 5, kind
    assert one.request("/readyz").status == 200, kind


def test_there_are_many_kinds() -> None:
    assert len(_NAMES) >= 39


def test_bad_calls_leave_the_service_as_it_was(replica: Callable[..., Replica]) -> None:
    one = replica(SCRIPT, **_SETTINGS)
    for kind in _NAMES[:_FIRST_THAT_ENDS_THE_WORKER]:
        recovers(one, kind, 20)
    one.stop()
    assert one.process.returncode == 0
    # Every line can be read, however long what the script raised was.
    long = [line for line in one.log() if "characters are left out" in line.get("traceback", "")]
    assert [line["message"] for line in long] == ["run() raised an exception"]


@pytest.mark.parametrize(
    "kind",
    [
        "leaked descriptors",
        *(pytest.param(k, marks=pytest.mark.reliability) for k in _NAMES[_FIRST_THAT_ENDS_THE_WORKER + 1 :]),
    ],
)
def test_a_worker_that_is_lost_is_replaced(replica: Callable[..., Replica], kind: str) -> None:
    one = replica(SCRIPT, **_SETTINGS)
    before = one.workers
    recovers(one, kind, 90)
    end = time.monotonic() + 90
    while one.workers == before:
        assert time.monotonic() < end
        time.sleep(0.1)
    recovers(one, "exception", 30)
    assert one.stop() == 0
