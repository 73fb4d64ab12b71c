# ruff: noqa: E501 - a cause is a line
"""What public v1 files have in common, one cause each: the input, what the manifest says, what the report says.

A cause is (source, facts, lines). The source is a Python script, a list of notebook cells, or a shell script (its first line
says so). A fact is "<stack> <dotted path> = <YAML>" of a manifest, `base` for manifest.yaml, or "no <stack> <path>". A line
is "<outcome> <place>: <text>" of the report; `*` is any place.
"""

HEAD = """\
from azureml.core import Workspace
from azureml.core.compute import AksCompute, AmlCompute, ComputeTarget
from azureml.core.conda_dependencies import CondaDependencies
from azureml.core.environment import Environment
from azureml.core.image import ContainerImage, Image
from azureml.core.model import InferenceConfig, Model
from azureml.core.webservice import AciWebservice, AksEndpoint, AksWebservice, LocalWebservice, Webservice
ws = Workspace.from_config()
"""
MODEL = 'model = Model.register(ws, "model.pkl", "churn")\n'
CONFIG = 'ic = InferenceConfig("score.py", source_directory="source", conda_file="conda.yml")\n'
ACI = "aci = AciWebservice.deploy_configuration(cpu_cores=2, memory_gb=4)\n"
DEPLOY = 'service = Model.deploy(ws, "svc", [model], ic, aci)\n'
ALL = HEAD + MODEL + CONFIG + ACI + DEPLOY
IMAGE = 'conf = ContainerImage.image_configuration(execution_script="score.py", runtime="python", conda_file="source/conda.yml")\n'
BASE = "base models.churn.source = model.pkl"
SERVED = [
    "dev services.svc.image = churn",
    "dev services.svc.cpu_cores = 2",
    "local services.svc.image = churn",
]
CONDA = "%%writefile source/env.yml\ndependencies:\n  - python=3.11\n  - pip: [numpy==1.26.4]\n"

NOTEBOOKS = {
    "time": (["%%time\n" + ALL], [BASE, *SERVED], []),
    "capture": ([HEAD, "%%capture out\n" + MODEL, CONFIG + ACI + DEPLOY], [BASE, *SERVED], ["mapped *cell 2, line 2: Model.register.model_path"]),
    "time-with-code": ([HEAD + MODEL + CONFIG + ACI, "%%time " + DEPLOY], SERVED, []),
    "line-time": ([HEAD + MODEL + CONFIG + ACI, "%time " + DEPLOY], SERVED, []),
    "writefile-script": (
        [HEAD, "%%writefile own/score.py\ndef init(): pass\ndef run(raw): return raw\n", MODEL, 'ic = InferenceConfig("own/score.py", conda_file="source/conda.yml")', ACI + DEPLOY],
        ["base images.churn.source_directory = own", "base images.churn.entry_script = score.py"],
        ["changed *cell 4, line 1: written from the cell that wrote it"],
    ),
    "writefile-beside": (
        [HEAD, "%%writefile own/score.py\ndef init(): pass\ndef run(raw): return raw\n", '%%writefile own/extra.json\n{"a": 1}\n', '%%writefile other.json\n{}\n', MODEL, 'ic = InferenceConfig("score.py", source_directory="own", conda_file=None)', ACI + DEPLOY],
        ["base images.churn.source_directory = own"],
        ["changed *cell 6, line 1: InferenceConfig.source_directory: written from the cell that wrote it"],
    ),
    "writefile-variable": (
        [HEAD, 'name = "late.py"', "%%writefile $name\ndef init(): pass\ndef run(raw): return raw\n", MODEL, "ic = InferenceConfig(entry_script=name)", ACI + DEPLOY],
        ["base images.churn.entry_script = late.py"],
        ["changed *: written from the cell that wrote it"],
    ),
    "writefile-conda": (
        [HEAD, CONDA, MODEL, 'ic = InferenceConfig("score.py", source_directory="source", conda_file="source/env.yml")', ACI + DEPLOY],
        ["base images.churn.conda_file = env.yml"],
        ["changed *: written by the script as source/env.yml"],
    ),
    "not-python": (
        [HEAD + MODEL, "run?", "files = !ls", "This is prose, not code.", "!pip install a \\\n  b", CONFIG + ACI + DEPLOY],
        SERVED,
        ["dropped *cell 2, line 1: no Python", "dropped *cell 4, line 1: no Python"],
    ),
    "python-2-print": ([HEAD + MODEL + CONFIG + ACI, DEPLOY + "print service.state\n"], SERVED, ["dropped *cell 2, line 2: no Python"]),
    "az-in-a-cell": (
        [HEAD, "!az ml model register -n churn -p model.pkl", 'name = "svc"', "!az ml model deploy -n {name} -m churn:1 --ic ic.json --dc dc.json"],
        [BASE, "dev services.svc.cpu_cores = 1", "base images.churn.entry_script = score.py"],
        ["mapped *cell 4, line 1: Model.deploy.name"],
    ),
    "bash-cell": (["%%bash\naz ml model register -n churn \\\n  --model-path model.pkl\n"], [BASE], ["mapped *cell 1, line 2: Model.register"]),
    "text-that-looks-like-a-magic": ([HEAD + MODEL, 'text = """\n%matplotlib\n!ls\n"""\n' + CONFIG + ACI + DEPLOY], SERVED, []),
}  # fmt: skip

SHELL = {
    "register-and-deploy": (
        "#!/bin/sh\nNAME=churn\naz ml model register --name $NAME --model-path model.pkl --tag stage=prod\n"
        "az ml model deploy --name ${NAME}-svc --model $NAME:1 \\\n  --ic ic.json --dc dc.json --overwrite -v\n",
        ["base models.churn.tags.stage = prod", "dev services.churn-svc.memory_gb = 1.5"],
        ["mapped *:4: Model.deploy.name", "dropped *:4: Model.deploy.overwrite"],
    ),
    "options-in-place-of-files": (
        "#!/bin/sh\naz ml model deploy -n svc -m churn:1 --es score.py --sd source --cf conda.yml --rt python --cc 2 --gb 3\n",
        ["base images.churn.source_directory = source", "dev services.svc.memory_gb = 3"],
        ["to decide *:2: get the files of the registered model version 1"],
    ),
    "aks": (
        "#!/bin/sh\naz ml computetarget create aks -n prod-aks --agent-count 4 --vm-size Standard_D4s_v5\n"
        "az ml model register -n churn -p model.pkl\naz ml model deploy -n svc -m churn:1 --ic ic.json --dc aks.json -ct prod-aks\n",
        ["prod targets.prod-aks.create.agent_count = 4", "prod services.svc.target = prod-aks", "prod services.svc.num_replicas = 2"],
        [],
    ),
    "update-and-delete": (
        "#!/bin/sh\naz ml model register -n churn -p model.pkl\naz ml model deploy -n svc -m churn:1 --ic ic.json --dc dc.json\n"
        "az ml service update -n svc --ai true\naz ml service delete -n old\n",
        ["dev services.svc.enable_app_insights = true"],
        ["changed *:4: an update is a change of the manifest", "dropped *:5: removing an entry from the manifest deletes it"],
    ),
    "unknown-value": (
        "#!/bin/sh\naz ml model register -n $MODEL_NAME -p model.pkl\n", ["base models.model.source = model.pkl"], ["to decide *:2: the model's name"],
    ),
    "second-version": (
        "#!/bin/sh\naz ml model register -n churn -p model.pkl\naz ml online-endpoint create -f endpoint.yml\n", [BASE], ["dropped *:3: a command of CLI v2"],
    ),
    "file-that-is-not-there": (
        "#!/bin/sh\naz ml model register -n churn -p model.pkl\naz ml model deploy -n svc -m churn:1 --ic absent.json --dc dc.json\n",
        ["dev services.svc.image = churn"],
        ["to decide *:3: absent.json: No such file"],
    ),
}  # fmt: skip

OLD_IMAGES = {
    "deploy-from-image": (
        HEAD + MODEL + IMAGE + 'image = ContainerImage.create(name="img", models=[model], image_config=conf, workspace=ws)\n' + ACI
        + 'Webservice.deploy_from_image(deployment_config=aci, image=image, name="svc", workspace=ws)\n',
        [BASE, *SERVED, "base images.churn.entry_script = score.py"],
        ["mapped *: Image.create.name"],
    ),
    "image-create": (
        HEAD + MODEL + IMAGE + 'image = Image.create(ws, "img", [model], conf)\n' + ACI
        + 'AciWebservice.deploy_from_image(ws, "svc", image, aci)\n',
        SERVED,
        [],
    ),
    "deploy-from-model": (
        HEAD + MODEL + IMAGE + ACI + 'Webservice.deploy_from_model(workspace=ws, name="svc", deployment_config=aci, models=[model], image_config=conf)\n',
        SERVED,
        ["mapped *: ContainerImage.image_configuration.execution_script"],
    ),
    "image-without-a-service": (
        HEAD + MODEL + IMAGE + 'ContainerImage.create(name="edge", models=[model], image_config=conf, workspace=ws)\n',
        ["base images.edge.models = [churn]"],
        ["changed *: an image that nothing here deploys"],
    ),
    "image-of-the-registry": (
        HEAD + ACI + 'Webservice.deploy_from_image(ws, "svc", Image(ws, "img"), aci)\n',
        ["dev services.svc.cpu_cores = 2"],
        ["to decide *: the image 'img' of v1's registry"],
    ),
    "package": (
        HEAD + MODEL + CONFIG + "Model.package(ws, [model], ic)\n",
        ["base images.churn.models = [churn]"],
        ["changed *: an image that nothing here deploys"],
    ),
    "mlflow": (
        'import mlflow.azureml\nmlflow.azureml.deploy(model_uri="runs:/0123456789abcdef0123456789abcdef/model", workspace=ws, service_name="svc")\n',
        ["base models.model.source = runs:/0123456789abcdef0123456789abcdef/model", "base images.model.runtime = mlflow", "dev services.svc.image = model"],
        ["changed *: v1 made the script for MLflow itself", "to decide *: set MLFLOW_TRACKING_URI"],
    ),
    "mlflow-image": (
        'import mlflow.azureml\nfrom azureml.core.webservice import AciWebservice, Webservice\n'
        'image, m = mlflow.azureml.build_image(model_uri="model.pkl", workspace=ws, model_name="churn", image_name="img")\n' + ACI
        + 'Webservice.deploy_from_image(ws, "svc", image, aci)\n',
        ["dev services.svc.cpu_cores = 2"],
        [],
    ),
}  # fmt: skip
