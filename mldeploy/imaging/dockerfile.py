"""The Dockerfile's text. Layers from what changes least to what changes most: the model is last."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mldeploy.artifacts.image_layout import SERVING, SOURCE, START, USER_ID

SITE, MODELS, CONDA = "/opt/site", "/opt/azureml-models", "/opt/conda"
PORT: Final = 5001
BASE_ARGUMENT: Final = "BASE_IMAGE"
"""The build argument that names the base image by digest, where that is known."""
MICROMAMBA: Final = "docker.io/mambaorg/micromamba:2.3-debian12-slim"
_HEALTH: Final = (
    "import http.client,os,ssl,sys;"
    "p=int(os.environ['SERVING_PORT']);"
    "c=http.client.HTTPSConnection('127.0.0.1',p,timeout=4,context=ssl._create_unverified_context())"
    " if os.environ.get('SERVING_SSL') else http.client.HTTPConnection('127.0.0.1',p,timeout=4);"
    "c.request('GET','/readyz');sys.exit(c.getresponse().status!=200)"
)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What the Dockerfile says."""

    image: str
    """The image's name in the manifest."""
    base_image: str
    entry_script: str
    models: Mapping[str, str]
    """Version by name."""
    model_dir: str
    empty_folders: Sequence[str] = ()
    """Folders of models without a file in them: builders are given files only."""
    conda: bool = False
    """Whether packages are needed that only conda has."""
    offline: bool = False
    """Whether packages come from the `wheels` folder of the context only."""
    build_secrets: bool = True
    """Whether the builder can mount a secret `pip.conf` (BuildKit); otherwise an index comes as a build argument."""
    local_files: bool = False
    """Whether requirements name wheels of the context's `files` folder."""
    pip_options: Sequence[str] = ()


def text(recipe: Recipe) -> str:
    """The whole file. Equal recipes give equal bytes."""
    environment = _conda(recipe) if recipe.conda else _pip(recipe)
    # Before the first FROM: it is for those lines only.
    base = f"ARG {BASE_ARGUMENT}={recipe.base_image}"
    return "\n".join([base, *environment, "", *_final(recipe)]) + "\n"


def _pip(recipe: Recipe) -> list[str]:
    """Packages are installed in a stage of their own: pip's caches and credentials never reach the image."""
    if recipe.offline:
        mount, where = (
            "--mount=type=bind,source=wheels,target=/wheels ",
            ["--no-index", "--find-links", "/wheels"],
        )
    else:
        mount, where = _secret(recipe), []
    install = shlex.join(
        [
            *("python", "-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check"),
            *("--root-user-action=ignore", "--no-warn-script-location", "--target", SITE),
            *where,
            *recipe.pip_options,
            *("-r", "requirements.txt", "-r", "serving-requirements.txt"),
        ]
    )
    return [
        f"FROM ${{{BASE_ARGUMENT}}} AS environment",
        "USER 0",
        "WORKDIR /build",
        "COPY check_base.py ./",
        "RUN python check_base.py",
        # Only this stage knows them; the final image's history does not.
        *([] if recipe.offline else ["ARG PIP_INDEX_URL", "ARG PIP_EXTRA_INDEX_URL"]),
        "COPY requirements.txt serving-requirements.txt sbom.py ./",
        *(["COPY files ./files"] if recipe.local_files else []),
        f"RUN {mount}{install} \\",
        f" && python sbom.py {SITE} > {SITE}/sbom.cdx.json \\",
        f" && rm -rf {SITE}/bin",
    ]


def _conda(recipe: Recipe) -> list[str]:
    return [
        f"FROM {MICROMAMBA} AS environment",
        "USER 0",
        "WORKDIR /build",
        "ARG PIP_INDEX_URL",
        "ARG PIP_EXTRA_INDEX_URL",
        "COPY conda.yml serving-requirements.txt sbom.py ./",
        f"RUN {_secret(recipe)}micromamba create -y -q -p {CONDA} -f conda.yml \\",
        f" && {CONDA}/bin/python -m pip install --no-cache-dir --target {SITE} -r serving-requirements.txt \\",
        f" && {CONDA}/bin/python sbom.py {SITE} {CONDA} > {SITE}/sbom.cdx.json \\",
        f" && micromamba clean -y -a -q && rm -rf {CONDA}/pkgs {SITE}/bin",
    ]


def _secret(recipe: Recipe) -> str:
    return "--mount=type=secret,id=pip.conf,target=/etc/pip.conf " if recipe.build_secrets else ""


def _final(recipe: Recipe) -> list[str]:
    path = f"ENV PATH={CONDA}/bin:$PATH" if recipe.conda else ""
    variables = {
        "PYTHONPATH": f"{SERVING}:{SITE}",
        "PYTHONUNBUFFERED": "1",
        "SERVING_PORT": str(PORT),
        "SERVING_SOURCE_DIRECTORY": SOURCE,
        "SERVING_ENTRY_SCRIPT": f"{SOURCE}/{recipe.entry_script}",
    }
    models = {
        "AZUREML_MODEL_DIR": recipe.model_dir,
        "SERVING_MODEL_DIR": recipe.model_dir,
        "SERVING_MODELS": json.dumps(dict(sorted(recipe.models.items())), separators=(",", ":")),
    }
    return [
        f"FROM ${{{BASE_ARGUMENT}}}",
        f"LABEL org.opencontainers.image.title={_quoted(recipe.image)} \\",
        f"      org.opencontainers.image.base.name={_quoted(recipe.base_image)} \\",
        '      org.opencontainers.image.source="mldeploy" io.mldeploy.sbom="/opt/site/sbom.cdx.json"',
        *([f"COPY --from=environment {CONDA} {CONDA}", path] if recipe.conda else []),
        f"COPY --from=environment {SITE} {SITE}",
        f"COPY serving {SERVING}/serving",
        f"COPY source {SOURCE}",
        *(f"ENV {name}={_quoted(value)}" for name, value in sorted(variables.items())),
        f"WORKDIR {SOURCE}",
        *_folders(recipe),
        f"USER {USER_ID}:{USER_ID}",
        f"EXPOSE {PORT}",
        "HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \\",
        f"  CMD {json.dumps(['python', '-I', '-c', _HEALTH])}",
        # Not `-m serving`: that would start a serving.py of the script's.
        f"CMD {json.dumps(['python', START])}",
        # The model is the last layer: a new one reinstalls and copies nothing else.
        f"COPY models {MODELS}",
        *(f"ENV {name}={_quoted(value)}" for name, value in sorted(models.items())),
    ]


def _folders(recipe: Recipe) -> list[str]:
    folders = [f"{MODELS}/{name}" for name in recipe.empty_folders]
    return [f"RUN {json.dumps(['mkdir', '-p', *folders])}"] if folders else []


def _quoted(value: str) -> str:
    """A value for LABEL and ENV, which expand `$` and take C-like escapes."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") + '"'
