"""`ContainerImage`: the scoring image of the container targets, built and pushed, deployed by digest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import pulumi

from components.base import Component, ComponentArgs
from components.sdk.azure import ImageBuild, ImagePresence
from mldeploy.imaging.dockerfile import BASE_ARGUMENT

BUILDERS = ("acr", "docker")
_REPOSITORY = re.compile(r"[a-z0-9]+([._/-][a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
# What built images in states of before.
_BEFORE = "azure-native:containerregistry:TaskRun"


@dataclass(frozen=True, kw_only=True)
class RegistryLogin:
    """A container registry, and who logs in."""

    address: pulumi.Input[str]
    """Its host name."""
    username: pulumi.Input[str]
    """Who logs in."""
    password: pulumi.Input[str]
    """The password."""

    def to_json(self) -> dict[str, pulumi.Input[str]]:
        """As the provider's resources take it."""
        return {"address": self.address, "username": self.username, "password": self.password}


@dataclass(frozen=True, kw_only=True)
class ContainerImageArgs(ComponentArgs):
    """Arguments of :class:`ContainerImage`."""

    context: str
    """The build context's folder, relative to the project (see `mldeploy.imaging`)."""
    tag: str
    """The context's digest, so that an unchanged context builds nothing."""
    base_image: str | None = None
    """The base image, whose digest is part of the tag where it can be asked. Default: the tag is `tag`."""
    packages: Sequence[str] = ()
    """What it installs, as pip requirements: for reviews."""
    repository: str
    """The repository in the registry, `mldeploy/diabetes`."""
    server: pulumi.Input[str]
    """The registry's host name."""
    builder: str = "acr"
    """`acr`: an ACR task builds it, no Docker needed. `docker`: the local Docker engine does."""
    platform: str = "linux/amd64"
    """Operating system and processor."""
    registry_id: pulumi.Input[str] | None = None
    """The registry's resource id (`acr`)."""
    login: RegistryLogin | None = None
    """How to log in to the registry (`docker`). Default: as `docker login` did."""
    base_registry: RegistryLogin | None = None
    """A private registry with the base image (`acr`; with `docker`, log in to it)."""
    package_index: pulumi.Input[str] | None = None
    """The address of a private package index, with its credentials. Only the first stage of the build sees it."""


class ContainerImage(Component):
    """A built image. Its tag is a digest over build context, Dockerfile and base image, so an unchanged `up` builds
    nothing and a base image that moved is built on; a refresh that finds the image gone from the registry makes the
    next `up` build and push it again.
    """

    group: ClassVar[str] = "image"

    reference: pulumi.Output[str]
    digest: pulumi.Output[str]

    def __init__(
        self, name: str, args: ContainerImageArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        validate(name, args)
        super().__init__(name, opts, args.customize)
        presence = ImagePresence(
            f"{name}-presence",
            server=args.server,
            repository=args.repository,
            tag=args.tag,
            base_image=args.base_image,
            packages=list(args.packages) or None,
            base_login=args.base_registry.to_json() if args.base_registry and args.base_image else None,
            opts=self.child(),
        )
        build = self._by_task if args.builder == "acr" else self._by_docker
        digest = build(name, args, presence)
        reference = pulumi.Output.concat(args.server, "/", args.repository, "@", digest)
        self.publish({"reference": reference, "digest": digest})

    def _by_task(self, name: str, args: ContainerImageArgs, presence: ImagePresence) -> pulumi.Output[str]:
        assert args.registry_id is not None
        run = ImageBuild(
            f"{name}-build",
            registry_id=args.registry_id,
            repository=args.repository,
            tag=presence.image_tag,
            # Built once for each value: when the context or what the registry holds changed.
            epoch=presence.epoch,
            context=args.context,
            platform=args.platform,
            arguments={BASE_ARGUMENT: presence.base} if args.base_image else None,
            secret_arguments=_secret_arguments(args),
            base_login=args.base_registry.to_json() if args.base_registry else None,
            opts=self.child(aliases=[pulumi.Alias(type_=_BEFORE)]),
        )
        return run.image_digest

    def _by_docker(self, name: str, args: ContainerImageArgs, presence: ImagePresence) -> pulumi.Output[str]:
        import pulumi_docker as docker

        # The plugin may answer with what it was given: what is secret there is secret in the state as well.
        sealed = [key for key, given in (("registry", args.login), ("build", args.package_index)) if given]
        image = docker.Image(
            f"{name}-build",
            image_name=pulumi.Output.concat(args.server, "/", args.repository, ":", presence.image_tag),
            build=docker.DockerBuildArgs(
                # Relative: an absolute path would be a change on every other machine.
                context=args.context,
                dockerfile=f"{args.context}/Dockerfile",
                platform=args.platform,
                builder_version=docker.BuilderVersion.BUILDER_BUILD_KIT,
                # No stage declares it, so it changes no layer; a new value makes the plugin build and push again.
                args={
                    "MLDEPLOY_EPOCH": presence.epoch,
                    **({BASE_ARGUMENT: presence.base} if args.base_image else {}),
                    **_secret_arguments(args),
                },
            ),
            registry=docker.RegistryArgs(
                server=args.server,
                username=args.login.username,
                password=pulumi.Output.secret(args.login.password),
            )
            if args.login
            else None,
            skip_push=False,
            opts=self.child(additional_secret_outputs=sealed),
        )
        return image.repo_digest.apply(lambda text: text.rsplit("@", 1)[-1])


def _secret_arguments(args: ContainerImageArgs) -> dict[str, pulumi.Output[str]]:
    index = args.package_index
    return {} if index is None else {"PIP_INDEX_URL": pulumi.Output.secret(index)}


def validate(name: str, args: ContainerImageArgs) -> None:
    """Everything that can be known before the first resource.

    Raises:
        ValueError: what is wrong, and what is allowed.
    """
    if args.builder not in BUILDERS:
        raise ValueError(f"image {name!r}: builder {args.builder!r}; allowed: {', '.join(BUILDERS)}")
    if not _REPOSITORY.fullmatch(args.repository):
        raise ValueError(
            f"image {name!r}: repository {args.repository!r}; allowed: lowercase letters, digits, . _ - /"
        )
    if not _TAG.fullmatch(args.tag):
        raise ValueError(
            f"image {name!r}: tag {args.tag!r}; allowed: 1-128 letters, digits, '.', '_' and '-'"
        )
    if args.platform not in ("linux/amd64", "linux/arm64"):
        raise ValueError(f"image {name!r}: platform {args.platform!r}; allowed: linux/amd64, linux/arm64")
    if args.context.startswith(("/", "..")):
        raise ValueError(f"image {name!r}: context {args.context!r} must be a folder of the project")
    if args.builder == "acr" and args.registry_id is None:
        raise ValueError(f"image {name!r}: the builder acr needs registry_id")
    if args.builder == "docker" and args.base_registry:
        raise ValueError(
            f"image {name!r}: the builder docker takes no login of the base image's registry: `docker login` to it, or "
            "use the builder acr"
        )
    if args.builder == "acr" and args.login:
        raise ValueError(f"image {name!r}: the builder acr pushes to its own registry and takes no login")
