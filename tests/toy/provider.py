"""A fake provider of boxes."""

from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc


class Toys(provider_pb2_grpc.ResourceProviderServicer):
    def GetPluginInfo(self, request, context=None):
        return plugin_pb2.PluginInfo(version="1.0.0")

    def CheckConfig(self, request, context=None):
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request, context=None):
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request, context=None):
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Check(self, request, context=None):
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request, context=None):
        same = request.news == request.olds
        return provider_pb2.DiffResponse(changes=1 if same else 2)

    def Create(self, request, context=None):
        made = struct_pb2.Struct()
        made.CopyFrom(request.properties)
        made["scoring_uri"] = "toy://box/score"
        return provider_pb2.CreateResponse(id="" if request.preview else "a-box", properties=made)

    def Delete(self, request, context=None):
        return empty_pb2.Empty()
