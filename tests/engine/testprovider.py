"""A small provider for tests, served inside the engine and as the plugin `pulumi-resource-tp`.

Its objects are JSON files in the folder $TP_ROOT, so tests can count what exists outside. Inputs with a meaning:

- `force`: a change replaces, create first; `dbr`: a change replaces, delete first
- `fail`: a list of operations that fail (create, update, delete, check, diff, read, init, configure)
- `delay`: seconds that create, update and delete take; `crash`: the operation in which the process dies
- `fresh`: the object is to be read before each update
- `auto`: Check makes up a `name` once
- `tp:index:Pair` is a component: two resources, the second needs the first
- outputs: the inputs, `computed` ("<name>=<value>"), `generation` (how often it was updated)
"""

from __future__ import annotations

import asyncio
import contextvars
import fcntl
import json
import os
import signal
import sys
import threading
import time
from concurrent import futures
from pathlib import Path

import grpc
from google.protobuf import any_pb2, empty_pb2, struct_pb2
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

SIG = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_lock = threading.Lock()


def to_dict(message):
    return MessageToDict(message)


def to_struct(data):
    message = struct_pb2.Struct()
    message.update(data)
    return message


def plain(value):
    """Without secret marks."""
    if isinstance(value, dict):
        if value.get(SIG) == SECRET:
            return plain(value["value"])
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def _text(value):
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def pairs():
    """The component of this provider, for the SDK."""
    import pulumi
    from pulumi.provider import CallResult, ConstructResult, Provider

    class Res(pulumi.CustomResource):
        def __init__(self, name, value, opts):
            super().__init__("tp:index:Res", name, {"name": name, "value": value, "computed": None}, opts)

    class Pair(pulumi.ComponentResource):
        def __init__(self, name, inputs, opts):
            super().__init__("tp:index:Pair", name, {}, opts)
            below = pulumi.ResourceOptions(parent=self)
            first = Res(f"{name}-first", inputs.get("value"), below)
            second = Res(f"{name}-second", pulumi.get(first, "computed"), below)
            self.result = pulumi.get(second, "computed")
            self.register_outputs({"result": self.result})

    class Pairs(Provider):
        def construct(self, name, resource_type, inputs, options=None):
            if "value" not in inputs:
                raise ValueError(f"{resource_type} needs a value")
            made = Pair(name, inputs, options)
            return ConstructResult(made.urn, {"result": made.result})

        def call(self, token, args):
            if token != "tp:index:Pair/joined":
                raise ValueError(f"no method {token}")
            joined = pulumi.Output.all(args["__self__"], args["more"]).apply(
                lambda both: f"{both[0].rpartition('::')[2]}+{both[1]}"
            )
            return CallResult({"joined": joined})

    return Pairs("1.0.0")


class TestProvider(provider_pb2_grpc.ResourceProviderServicer):
    __test__ = False

    def __init__(self, root=None, accept_secrets=True):
        self.root = Path(root or os.environ["TP_ROOT"])
        self.root.mkdir(parents=True, exist_ok=True)
        self.accept_secrets = accept_secrets
        self.config = {}
        self.engine = ""
        self.service = None

    # -- objects ------------------------------------------------------------------------------------------

    def _log(self, what, urn, **extra):
        with (self.root / "calls.log").open("a") as file:
            file.write(json.dumps({"call": what, "urn": urn, **extra}) + "\n")

    def _path(self, id_):
        return self.root / f"{id_.replace('/', '_')}.json"

    def _save(self, id_, data):
        target = self._path(id_)
        temporary = target.with_suffix(f".{os.getpid()}.{threading.get_ident()}.tmp")
        temporary.write_text(json.dumps(data))
        temporary.replace(target)

    def objects(self):
        return {p.stem: json.loads(p.read_text()) for p in self.root.glob("*.json")}

    def _maybe(self, operation, props, context):
        if props.get("delay") and operation in ("create", "update", "delete"):
            time.sleep(float(props["delay"]))
        if props.get("crash") == operation:
            os.kill(os.getpid(), signal.SIGKILL)
        if operation in (props.get("fail") or []):
            context.abort(
                grpc.StatusCode.UNKNOWN, f"{operation} of {props.get('name')} failed:\n  the full reason"
            )

    # -- protocol -----------------------------------------------------------------------------------------

    def GetPluginInfo(self, request, context):
        return plugin_pb2.PluginInfo(version="1.0.0")

    def CheckConfig(self, request, context):
        news = to_dict(request.news)
        failures = []
        if news.get("bad"):
            failures.append(provider_pb2.CheckFailure(property="bad", reason="is bad"))
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(self, request, context):
        old, new = to_dict(request.old_inputs), to_dict(request.news)
        changed = sorted(k for k in {*old, *new} if old.get(k) != new.get(k))
        replaces = [k for k in changed if k == "region"]
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=changed,
            replaces=replaces,
        )

    def Configure(self, request, context):
        self.config = plain(to_dict(request.args))
        if "configure" in (self.config.get("fail") or []):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "bad credentials")
        return provider_pb2.ConfigureResponse(
            acceptSecrets=self.accept_secrets, supportsPreview=True, acceptResources=True, acceptOutputs=False
        )

    def Check(self, request, context):
        news, olds = to_dict(request.news), to_dict(request.olds)
        props = plain(news)
        if "check" in (props.get("fail") or []):
            failure = provider_pb2.CheckFailure(property="value", reason="is not allowed; use something else")
            return provider_pb2.CheckResponse(inputs=request.news, failures=[failure])
        if props.get("auto") and "name" not in props:
            kept = plain(olds).get("name")
            news["name"] = kept or f"{request.name}-{len(request.randomSeed)}"
        return provider_pb2.CheckResponse(inputs=to_struct(news))

    def Diff(self, request, context):
        old, new = plain(to_dict(request.old_inputs)), plain(to_dict(request.news))
        if "diff" in (new.get("fail") or []):
            context.abort(grpc.StatusCode.UNKNOWN, "diff failed")
        ignored = {"fail", "delay", "crash"}
        changed = sorted(k for k in {*old, *new} if old.get(k) != new.get(k) and k not in ignored)
        replaces = [k for k in changed if k in ("force", "dbr", "name")]
        detailed = {}
        for key in changed:
            kind = provider_pb2.PropertyDiff.UPDATE
            if key not in old:
                kind = provider_pb2.PropertyDiff.ADD
            elif key not in new:
                kind = provider_pb2.PropertyDiff.DELETE
            if key in replaces:
                kind += 1
            detailed[key] = provider_pb2.PropertyDiff(kind=kind, inputDiff=True)
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=changed,
            replaces=replaces,
            deleteBeforeReplace="dbr" in changed,
            detailedDiff=detailed,
            hasDetailedDiff=True,
        )

    def _outputs(self, inputs, generation, preview=False):
        props = plain(inputs)
        outputs = dict(inputs)
        unknown = UNKNOWN in json.dumps(props)
        outputs["computed"] = (
            UNKNOWN if unknown or preview else f"{props.get('name')}={_text(props.get('value'))}"
        )
        outputs["generation"] = generation
        return outputs

    def _new_id(self, name):
        # A stack may have several processes of this provider.
        with _lock, (self.root / "counters.lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            counter = self.root / "counters.txt"
            counts = json.loads(counter.read_text()) if counter.exists() else {}
            counts[name] = counts.get(name, 0) + 1
            temporary = counter.with_suffix(f".{os.getpid()}.tmp")
            temporary.write_text(json.dumps(counts))
            temporary.replace(counter)
            return f"{name}-{counts[name]}"

    def Create(self, request, context):
        inputs = to_dict(request.properties)
        props = plain(inputs)
        if request.preview:
            return provider_pb2.CreateResponse(
                id="", properties=to_struct(self._outputs(inputs, 1, preview=True))
            )
        self._maybe("create", props, context)
        # `put`: the object's identity is its name, and making it again is harmless (as with cloud APIs that PUT).
        id_ = str(props["name"]) if props.get("put") else self._new_id(request.name)
        self._save(id_, {"inputs": props, "urn": request.urn, "generation": 1})
        self._log("create", request.urn, id=id_)
        if "late" in (props.get("fail") or []):
            context.abort(grpc.StatusCode.UNKNOWN, "created but not confirmed")
        outputs = self._outputs(inputs, 1)
        if props.get("fresh"):
            return provider_pb2.CreateResponse(
                id=id_, properties=to_struct(outputs), refresh_before_update=True
            )
        if "init" in (props.get("fail") or []):
            self._init_failed(context, id_, outputs, inputs)
        return provider_pb2.CreateResponse(id=id_, properties=to_struct(outputs))

    def _init_failed(self, context, id_, outputs, inputs):
        detail = provider_pb2.ErrorResourceInitFailed(
            id=id_, properties=to_struct(outputs), inputs=to_struct(inputs), reasons=["it never became ready"]
        )
        packed = any_pb2.Any()
        packed.Pack(detail)
        rich = status_pb2.Status(code=2, message="init failed", details=[packed])
        context.set_trailing_metadata((("grpc-status-details-bin", rich.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, "init failed")

    def Read(self, request, context):
        state = self.objects().get(request.id)
        if state is None:
            return provider_pb2.ReadResponse(id="")
        if "read" in (state["inputs"].get("fail") or []):
            context.abort(grpc.StatusCode.UNKNOWN, "read failed")
        given = to_dict(request.inputs)
        inputs = dict(state["inputs"])
        for key, value in given.items():  # secret marks and unsent settings stay as they were
            if key in inputs and plain(value) == inputs[key]:
                inputs[key] = value
        outputs = self._outputs(inputs, state["generation"])
        return provider_pb2.ReadResponse(
            id=request.id,
            inputs=to_struct(inputs),
            properties=to_struct(outputs),
            refresh_before_update=bool(state["inputs"].get("fresh")),
        )

    def Update(self, request, context):
        inputs = to_dict(request.news)
        props = plain(inputs)
        generation = int(plain(to_dict(request.olds)).get("generation", 1)) + 1
        if request.preview:
            outputs = self._outputs(inputs, generation, preview=True)
            return provider_pb2.UpdateResponse(properties=to_struct(outputs))
        self._maybe("update", props, context)
        self._save(request.id, {"inputs": props, "urn": request.urn, "generation": generation})
        self._log("update", request.urn, id=request.id)
        return provider_pb2.UpdateResponse(
            properties=to_struct(self._outputs(inputs, generation)),
            refresh_before_update=bool(props.get("fresh")),
        )

    def Delete(self, request, context):
        props = plain(to_dict(request.old_inputs) or to_dict(request.properties))
        self._maybe("delete", props, context)
        self._path(request.id).unlink(missing_ok=True)
        self._log("delete", request.urn, id=request.id)
        return empty_pb2.Empty()

    def Invoke(self, request, context):
        args = to_dict(request.args)
        if request.tok.endswith(":fail"):
            context.abort(grpc.StatusCode.UNKNOWN, "the function failed")
        if request.tok.endswith(":check"):
            failure = provider_pb2.CheckFailure(property="value", reason="is missing")
            return provider_pb2.InvokeResponse(failures=[failure])
        return provider_pb2.InvokeResponse(
            **{"return": to_struct({"result": args, "region": self.config.get("region", "")})}
        )

    def Construct(self, request, context):
        return self._by_the_sdk("Construct", request, context)

    def Call(self, request, context):
        return self._by_the_sdk("Call", request, context)

    def _by_the_sdk(self, method, request, context):
        """In a context and a loop of its own: this server has threads."""
        from pulumi.provider.server import ProviderServicer

        class Ending:
            async def abort_with_status(self, status):
                context.abort(status.code, status.details)

        servicer = ProviderServicer(
            pairs(), [], self.engine if self.service is None else self.service.address
        )
        try:
            made = getattr(servicer, method)
            return contextvars.Context().run(lambda: asyncio.run(made(request, Ending())))
        except Exception as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error).partition(":\n")[0])

    def Handshake(self, request, context):
        self.engine = request.engine_address
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def use_engine(self, engine):
        self.service = engine

    def Cancel(self, request, context):
        return empty_pb2.Empty()


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(16))
    if os.environ.get("TP_HANG"):
        time.sleep(3600)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(TestProvider(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    # At once, whatever it is doing: as if the plugin had been killed by the terminal.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    stop.wait()
    server.stop(0.2)
    sys.exit(0)


if __name__ == "__main__":
    serve()
