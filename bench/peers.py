"""Other servers of models, each in an environment of its own and started as its documentation tells.

All serve the diabetes model with one worker process and take the same ten features. What differs is each server's own
way to wrap a model, its route and its shape of a request.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.serving import tools

ROOT = Path(__file__).resolve().parent.parent
PICKLE = ROOT / "models/diabetes/sklearn_regression_model.pkl"
FEATURES = [[0.04, 0.05, 0.06, 0.02, -0.04, -0.03, -0.04, 0.0, 0.02, -0.02]]
EXPECTED = 188.89996594
_MODEL = ("joblib", "numpy>=2", "scikit-learn>=1.6")
_TENSOR = {"inputs": [{"name": "data", "shape": [1, 10], "datatype": "FP64", "data": FEATURES[0]}]}


@dataclass(frozen=True)
class Peer:
    """How to install, start and ask a server. `{port}`, `{model}` and `{bin}` are filled in."""

    packages: tuple[str, ...]
    files: dict[str, str]
    command: tuple[str, ...]
    path: str
    body: Any
    prepare: tuple[str, ...] = ()
    environ: dict[str, str] = field(default_factory=dict[str, str])


KSERVE = """
import joblib, sys
import numpy as np
from kserve import InferRequest, InferResponse, Model, ModelServer

class Diabetes(Model):
    def __init__(self):
        super().__init__("diabetes")
        self.load()

    def load(self):
        self.model = joblib.load(sys.argv[1])
        self.ready = True
        return True

    def predict(self, payload, headers=None):
        return {"predictions": self.model.predict(np.array(payload["instances"])).tolist()}

ModelServer(http_port=int(sys.argv[2]), workers=1, enable_grpc=False, access_log_format=None).start([Diabetes()])
"""
BENTOML = """
import joblib, os
import bentoml, numpy as np

@bentoml.service(workers=1)
class Diabetes:
    def __init__(self):
        self.model = joblib.load(os.environ["BENCH_MODEL"])

    @bentoml.api
    def predict(self, data: np.ndarray) -> np.ndarray:
        return self.model.predict(data)
"""
LITSERVE = """
import joblib, sys
import litserve as ls
import numpy as np

class Diabetes(ls.LitAPI):
    def setup(self, device):
        self.model = joblib.load(sys.argv[1])

    def decode_request(self, request):
        return np.array(request["data"])

    def predict(self, x):
        return self.model.predict(x)

    def encode_response(self, output):
        return output.tolist()

if __name__ == "__main__":
    ls.LitServer(Diabetes(), accelerator="cpu", workers_per_device=1).run(
        host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, num_api_servers=1, log_level="error"
    )
"""
MLFLOW = """
import joblib, sys
import mlflow.sklearn

mlflow.sklearn.save_model(joblib.load(sys.argv[1]), "model", serialization_format="cloudpickle")
"""
PEERS: dict[str, Peer] = {
    "KServe": Peer(
        packages=("kserve>=0.15", *_MODEL),
        files={"main.py": KSERVE},
        command=("{bin}/python", "main.py", "{model}", "{port}"),
        path="/v1/models/diabetes:predict",
        body={"instances": FEATURES},
    ),
    "BentoML": Peer(
        packages=("bentoml>=1.4", *_MODEL),
        files={"service.py": BENTOML},
        command=("{bin}/bentoml", "serve", "service:Diabetes", "--host", "127.0.0.1", "--port", "{port}"),
        path="/predict",
        body={"data": FEATURES},
        environ={"BENTOML_DO_NOT_TRACK": "true", "BENTOML_HOME": "bentoml"},
    ),
    "MLServer": Peer(
        packages=("mlserver>=1.7", "mlserver-sklearn>=1.7", *_MODEL),
        files={
            "model-settings.json": json.dumps(
                {
                    "name": "diabetes",
                    "implementation": "mlserver_sklearn.SKLearnModel",
                    "parameters": {"uri": "{model}"},
                }
            ),
            # As its documentation advises for one model: without the inference workers behind a queue.
            "settings.json": '{"http_port": {port}, "host": "127.0.0.1", "grpc_port": {other}, '
            '"metrics_port": {third}, "parallel_workers": 0, "debug": false}',
        },
        command=("{bin}/mlserver", "start", "."),
        path="/v2/models/diabetes/infer",
        body=_TENSOR,
    ),
    "LitServe": Peer(
        packages=("litserve>=0.2.10", *_MODEL),
        files={"main.py": LITSERVE},
        command=("{bin}/python", "main.py", "{model}", "{port}"),
        path="/predict",
        body={"data": FEATURES},
    ),
    "MLflow": Peer(
        packages=("mlflow>=3", *_MODEL),
        files={"save.py": MLFLOW},
        prepare=("{bin}/python", "save.py", "{model}"),
        command=(
            "{bin}/mlflow", "models", "serve", "-m", "model", "-p", "{port}", "-w", "1",
            "--env-manager", "local",
        ),
        path="/invocations",
        body={"inputs": FEATURES},
        environ={"MLFLOW_DISABLE_TELEMETRY": "true"},
    ),
}  # fmt: skip


@dataclass
class Started:
    """A peer that answers."""

    pid: int
    port: int
    seconds_to_answer: float
    path: str
    body: Any


@contextlib.contextmanager
def serve(name: str) -> Iterator[Started]:
    """Install (at the first call), start and try a peer.

    Raises:
        tools.UnavailableError: it cannot be installed.
        RuntimeError: it ended, or did not answer with the prediction.
    """
    peer = PEERS[name]
    binaries = tools.environment(f"bench-{name.lower()}", peer.packages) / "bin"
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    ports = free_ports(3)
    values = {"port": ports[0], "other": ports[1], "third": ports[2], "model": PICKLE, "bin": binaries}

    def filled(text: str) -> str:
        for key, value in values.items():
            text = text.replace(f"{{{key}}}", str(value))
        return text

    for file, text in peer.files.items():
        (folder / file).write_text(filled(text))
    environ = {
        **os.environ,
        **peer.environ,
        "BENCH_MODEL": str(PICKLE),
        "PATH": f"{binaries}:{os.environ['PATH']}",
    }
    with (folder / "log").open("wb") as log:
        if peer.prepare:
            subprocess.run(
                [filled(word) for word in peer.prepare],
                cwd=folder, env=environ, stdout=log, stderr=log, check=True,
            )  # fmt: skip
        begin = time.monotonic()
        process = subprocess.Popen(
            [filled(word) for word in peer.command],
            cwd=folder, env=environ, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        wait(process, ports[0], peer, folder / "log")
        yield Started(process.pid, ports[0], time.monotonic() - begin, peer.path, peer.body)
    finally:
        # Some leave children behind when only the parent is told to end.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(folder)


def wait(process: subprocess.Popen[bytes], port: int, peer: Peer, log: Path) -> None:
    """Until the peer answers with the right prediction."""
    end = time.monotonic() + 180
    found = "nothing"
    while time.monotonic() < end and process.poll() is None:
        try:
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            client.request("POST", peer.path, json.dumps(peer.body), {"Content-Type": "application/json"})
            answer = client.getresponse()
            found = f"{answer.status} {answer.read()[:300]!r}"
            if answer.status == 200:
                if "188.8999" in found:
                    return
                break
        except (OSError, http.client.HTTPException) as problem:
            found = repr(problem)
        time.sleep(0.1)
    raise RuntimeError(
        f"no prediction of {EXPECTED:.4f} but {found}; its log ends:\n{log.read_text()[-2000:]}"
    )


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on."""
    import socket

    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [sock.getsockname()[1] for sock in sockets]
