"""Life of a replica: start, hand-over, drain, stop, failure."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.serving.replica import TEXT_SCRIPT, Answer, Replica, start

SLOW_START = "import time\ndef init(): time.sleep({})\ndef run(data): return 1\n"


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("def init(:\n", "SyntaxError"),
        ("import missing_package\n", "No module named 'missing_package'"),
        (
            "def init():\n    raise ValueError('no model today')\ndef run(d): pass\n",
            "ValueError: no model today",
        ),
        ("def init(): raise SystemExit(9)\ndef run(d): pass\n", "SystemExit: 9"),
        ("def run(d): pass\n", "no init() function is defined"),
        ("def init(): pass\ndef run(): pass\n", "run() needs a parameter"),
        ("def init(): pass\ndef run(*a): pass\n", "must not have positional-only parameters"),
        (
            "BATCHING = {'row_wise': True}\ndef init(): pass\ndef run(d): pass\n",
            "needs a run() with @input_schema",
        ),
    ],
)
def test_a_script_that_does_not_start_is_told_apart(script: str, text: str) -> None:
    one = start(script, workers=2)
    try:
        assert one.process.wait(30) == 3
        error = one.startup_error()
        assert text in error
        assert "serving/worker.py" not in error
        assert text in next(line for line in one.log() if "traceback" in line)["traceback"]
        assert not Path(one.config["control_socket"]).exists()
    finally:
        one.clean()


def test_the_traceback_starts_in_the_script(replica: Callable[..., Replica]) -> None:
    one = replica(
        "def load():\n    return {}['weights']\ndef init():\n    load()\ndef run(d): pass\n", ready=False
    )
    assert one.process.wait(30) == 3
    lines = one.startup_error().splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].endswith('score.py", line 4, in init')
    assert lines[-1] == "KeyError: 'weights'"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"workers": 0}, "workers: 0 is not allowed; give a number above 0"),
        ({"workers": "two"}, "workers: expected int, found 'two'"),
        ({"entry_script": ""}, "entry_script: missing"),
        ({"ssl": {"cert_file": "/no/cert", "key_file": "/no/key"}}, "/no/cert"),
        ({"http_socket": "/no/such/folder/http.sock"}, "No such file or directory"),
    ],
)
def test_bad_configuration_is_exit_code_2(config: dict[str, object], message: str) -> None:
    one = start(TEXT_SCRIPT, **config)
    try:
        assert one.process.wait(20) == 2
        assert message in one.stderr.read_text()
    finally:
        one.clean()


def test_environment_variables_configure_containers(replica: Callable[..., Replica]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environ = {
        "SERVING_HOST": "127.0.0.1",
        "SERVING_PORT": str(port),
        "SERVING_MODELS": '{"m": "1"}',
        "SERVING_WORKERS": "2",
        "SERVING_AUTH_ENABLED": "true",
    }
    one = replica(TEXT_SCRIPT, environ=environ, tcp=False)
    one.port = port
    assert one.request("/score", "{}").status == 401
    status = one.control("status")
    assert (status["models"], len(status["workers"]), status["accepting"]) == ({"m": "1"}, 2, True)


def test_quotes_in_an_environment_variable_are_said_by_its_name(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, environ={"SERVING_HOST": '"127.0.0.1"'}, ready=False)
    assert one.process.wait(20) == 2
    assert 'SERVING_HOST: "127.0.0.1" is not allowed; write it without quotes' in one.stderr.read_text()


def test_while_starting_it_lives_and_is_not_ready(replica: Callable[..., Replica]) -> None:
    one = replica(SLOW_START.format(1.5), ready=False)
    assert one.control("status")["state"] == "starting"
    one.accept()
    assert one.request("/livez").status == 200
    for path in ("/", "/readyz", "/swagger.json", "/score"):
        answer = one.request(path)
        assert (answer.status, answer.headers["Retry-After"] > "0") == (503, True)
    one.wait_ready()
    assert one.request("/score", "{}").json == 1


def test_requests_wait_for_a_worker_that_is_starting(replica: Callable[..., Replica]) -> None:
    one = replica(SLOW_START.format(0.7), max_request_wait_time=20_000)
    answers: list[Answer] = []
    for _ in range(2):
        (pid,) = one.workers
        os.kill(pid, signal.SIGKILL)
        clients = [
            threading.Thread(target=lambda: answers.append(one.request("/score", "{}"))) for _ in range(5)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert one.workers != [pid]
    assert [answer.status for answer in answers] == [200] * 10


def test_requests_wait_only_so_long_for_a_worker_that_is_starting(replica: Callable[..., Replica]) -> None:
    one = replica(SLOW_START.format(3), max_request_wait_time=300)
    os.kill(one.workers[0], signal.SIGKILL)
    answer = one.request("/score", "{}")
    assert (answer.status, answer.json["message"]) == (503, "The service is starting")
    assert answer.seconds > 0.25
    assert answer.headers["Retry-After"] == "5"


def test_workers_share_one_socket(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, workers=3)
    status = one.control("status")
    assert (status["state"], status["pid"], len(status["workers"])) == ("ready", one.process.pid, 3)
    clients = [one.client() for _ in range(12)]
    threads = [threading.Thread(target=one.score, args=({"sleep": 0.3}, client)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        client.close()
    assert sum(line["message"] == "request" for line in one.log()) <= 12


def test_give_returns_the_listening_socket(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT)
    reply, fds = one.control_fds("give")
    assert reply == {"ok": True}
    with socket.socket(fileno=fds[0]) as given:
        assert given.getsockname()[1] == one.port
    one.control("release")
    assert one.control("give")["ok"] is False
    assert "allowed: status, accept" in one.control("nonsense")["error"]
    assert one.control("accept")["ok"] is False
    with socket.socket() as plain:
        assert "not a listening" in one.control("accept", [plain.fileno()])["error"]


def test_a_swap_under_load_fails_no_request(replica: Callable[..., Replica]) -> None:
    script = "import json\ndef init(): pass\ndef run(data): return [{!r}, json.loads(data)]"
    replicas = [replica(script.format(name), tcp=False) for name in ("old", "new", "newest")]
    problems: list[object] = []
    seen: list[str] = []
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        port = listener.getsockname()[1]
        for one in replicas:
            one.port = port
        assert replicas[0].control("accept", [listener.fileno()])["ok"]

        def load(number: int) -> None:
            client = replicas[0].client()
            count = 0
            while not stop.is_set():
                count += 1
                try:
                    answer = replicas[0].score([number, count], client)
                except OSError as problem:
                    problems.append(problem)
                    return
                if answer.status != 200 or answer.json[1] != [number, count]:
                    problems.append(answer)
                seen.append(answer.json[0])
                time.sleep(0.002)

        threads = [threading.Thread(target=load, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for before, after in itertools.pairwise(replicas):
            time.sleep(0.3)
            assert after.control("accept", [listener.fileno()])["ok"]
            assert before.control("release")["ok"]
            before.control("stop")
            assert before.process.wait(20) == 0
        time.sleep(0.2)
        stop.set()
        for thread in threads:
            thread.join()
    assert problems == []
    assert list(dict.fromkeys(seen)) == ["old", "new", "newest"]


def test_release_lets_open_connections_finish(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, release_grace_seconds=1)
    busy, idle = one.client(), one.client()
    assert one.score({}, idle).status == one.score({}, busy).status == 200
    assert one.control("release") == {"ok": True}
    answer = one.score({"sleep": 0.1}, busy)
    assert (answer.status, answer.headers["Connection"]) == (200, "close")
    with pytest.raises(ConnectionRefusedError):
        one.score({})
    assert idle.sock is not None
    idle.sock.settimeout(5)
    start_time = time.monotonic()
    assert idle.sock.recv(1) == b""
    assert time.monotonic() - start_time > 0.5
    busy.close()
    idle.close()


def test_stop_waits_for_what_runs(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT)
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(one.score({"sleep": 1}).status))
    thread.start()
    time.sleep(0.3)
    assert one.control("stop") == {"ok": True}
    assert one.process.wait(10) == 0
    thread.join()
    assert answers == [200]
    assert not Path(one.config["http_socket"]).exists()


def test_stop_does_not_wait_for_ever(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, drain_seconds=0.5)
    one.raw(b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n" + b'{"sleep": 20}', timeout=0.3)
    start_time = time.monotonic()
    one.process.send_signal(signal.SIGTERM)
    assert one.process.wait(10) == 0
    assert time.monotonic() - start_time < 5


def test_a_killed_worker_is_replaced(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, workers=2)
    before = one.workers
    os.kill(before[0], signal.SIGKILL)
    one.wait_log("a worker ended")
    end = time.monotonic() + 10
    while set(before) & set(one.workers) != {before[1]} or len(one.workers) < 2:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert {one.score({}).status for _ in range(10)} == {200}


def test_a_script_that_kills_its_process_is_restarted_with_back_off(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT)
    for _ in range(2):
        with contextlib.suppress(OSError):
            one.score({"exit": 7})
        end = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError):
                if one.score({}).status == 200:
                    break
            assert time.monotonic() < end
            time.sleep(0.02)
    waits = [line["message"] for line in one.log() if "a worker ended" in line["message"]]
    assert ["exit code 7; next start in 0.0 s" in waits[0], "next start in 0.5 s" in waits[1]] == [True, True]


def test_a_killed_supervisor_leaves_nothing(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, workers=2)
    workers = one.workers
    one.process.kill()
    one.process.wait()
    end = time.monotonic() + 5
    while any(alive(pid) for pid in workers):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_workers_are_replaced_after_max_requests(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, max_requests=20)
    (first,) = one.workers
    pids: set[int] = set()
    end = time.monotonic() + 15
    while len(pids) < 2:
        assert time.monotonic() < end
        answer = one.score({})
        assert answer.status == 200
        pids.add(answer.json["pid"])
    assert first in pids
    assert "max_requests" in one.wait_log("a worker is replaced")["message"]


def test_print_and_logging_become_lines_with_the_request(replica: Callable[..., Replica]) -> None:
    script = """
        import logging, os, sys
        log = logging.getLogger("model")
        def init():
            print("loading", 1, 2)
            os.write(1, b"from C\\n")
        def run(data):
            print("scoring", data)
            print("problem", file=sys.stderr)
            log.warning("careful %s", 3)
            raise KeyError("x")
    """
    one = replica(script)
    one.request("/score", "abc", {"x-request-id": "the-id"})
    one.wait_log("careful 3")
    time.sleep(0.4)
    lines = {line["message"]: line for line in one.log()}
    assert lines["loading 1 2"]["stream"] == "stdout"
    assert lines["from C"]["stream"] == "stdout"
    assert lines["scoring abc"]["request_id"] == "the-id"
    assert lines["problem"]["stream"] == "stderr"
    assert (lines["careful 3"]["level"], lines["careful 3"]["logger"]) == ("warning", "model")
    own = lines["run() raised an exception"]["traceback"]
    assert "KeyError: 'x'" in own and "execution.py" not in own
    assert lines["request"]["status"] == 500
    assert lines["request"]["request_id"] == "the-id"


def test_the_log_is_rotated(replica: Callable[..., Replica]) -> None:
    one = replica(TEXT_SCRIPT, log_max_bytes=20_000, log_keep=2)
    for _ in range(60):
        one.score({"print": "x" * 1000})
    time.sleep(0.4)
    names = sorted(path.name for path in one.folder.glob("replica.log*"))
    assert names == ["replica.log", "replica.log.1", "replica.log.2"]
    assert all(path.stat().st_size <= 21_000 for path in one.folder.glob("replica.log*"))
    for path in one.folder.glob("replica.log*"):
        for line in path.read_text().splitlines():
            json.loads(line)


SHARED = """
    import os, {imports}
    def init():
        global loaded
        loaded = os.getpid()
        {init}
    def run(data):
        if data == "die":
            os._exit(1)
        return [loaded, os.getpid()]
"""


def ask_all(one: Replica, count: int) -> set[tuple[int, int]]:
    """Who loaded the model and who answers, of every worker."""
    end = time.monotonic() + 20
    found: set[tuple[int, int]] = set()
    while len(found) < count:
        assert time.monotonic() < end, found
        clients = [one.client() for _ in range(8)]
        for client in clients:
            answer = one.request("/score", "x", client=client)
            assert answer.status == 200, answer
            found.add(tuple(answer.json))
        for client in clients:
            client.close()
    return found


def test_workers_share_the_model_when_no_threads_run(replica: Callable[..., Replica]) -> None:
    one = replica(
        SHARED.format(imports="numpy", init="numpy.ones((50, 50)) @ numpy.ones((50, 50))"), workers=3
    )
    found = ask_all(one, 3)
    assert len({loaded for loaded, _ in found}) == 1
    assert {pid for _, pid in found} == set(one.workers)
    assert {loaded for loaded, _ in found}.isdisjoint(one.workers)
    with contextlib.suppress(OSError):
        one.request("/score", "die")
    one.wait_log("a worker ended")
    one.wait_ready()
    assert len({loaded for loaded, _ in ask_all(one, 3)}) == 1
    one.control("release")
    one.accept()
    assert len(ask_all(one, 3)) == 3
    assert one.stop() == 0


@pytest.mark.parametrize("share", [None, False])
def test_workers_load_the_model_themselves_when_threads_run(
    replica: Callable[..., Replica], share: bool
) -> None:
    init = "threading.Thread(target=threading.Event().wait, daemon=True).start()" if share is None else "pass"
    one = replica(SHARED.format(imports="threading", init=init), workers=2, share_model=share)
    found = ask_all(one, 2)
    assert all(loaded == pid for loaded, pid in found)
    assert {pid for _, pid in found} == set(one.workers)
