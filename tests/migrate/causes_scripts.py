# ruff: noqa: E501 - a cause is a line
"""Causes in Python scripts; see :mod:`tests.migrate.causes`."""

from tests.migrate.causes import ACI, ALL, BASE, CONFIG, DEPLOY, HEAD, MODEL, SERVED

_ENV = 'ic = InferenceConfig("score.py", source_directory="source", environment=env)\n'
_AKS = "aks = AksWebservice.deploy_configuration(num_replicas=2)\n"
_BATCH = 'from azureml.pipeline.steps import ParallelRunConfig, ParallelRunStep\nconf = ParallelRunConfig(entry_script="score.py", source_directory="source", mini_batch_size="5", error_threshold=1, output_action="append_row", environment=Environment("e"), compute_target="cpu", node_count=2)\n'

VALUES = {
    "format": (HEAD + 'n = "{}-{}".format("ch", 1)\nModel.register(ws, "model.pkl", n)\n', ["base models.ch-1.source = model.pkl"], []),
    "percent": (HEAD + 'Model.register(ws, "model.pkl", "%s_%02d" % ("ch", 3))\n', ["base models.ch_03.source = model.pkl"], []),
    "f-string-with-a-format": (HEAD + 'v = 1.5\nModel.register(ws, "model.pkl", f"ch-{v:.2f}")\n', ["base models.ch-1.50.source = model.pkl"], []),
    "dict-get-default": (HEAD + 'conf = {"a": 1}\nModel.register(ws, "model.pkl", conf.get("name", "churn"))\n', [BASE], []),
    "environment-default": (
        HEAD + 'import os\nModel.register(ws, "model.pkl", os.environ.get("NAME", "churn"))\n', [BASE], ["changed *: a default that whoever ran the script could change"],
    ),
    "argparse-default": (
        HEAD + 'import argparse\np = argparse.ArgumentParser()\np.add_argument("--model-name", default="churn")\np.add_argument("--path", type=str)\n'
        'args = p.parse_args()\nModel.register(ws, args.path, args.model_name)\n',
        ["base models.churn.source = models/churn"],
        ["changed *:11: a default that whoever ran", "to decide *: The script says `--path`"],
    ),
    "json-settings": (
        HEAD + 'import json\nwith open("settings.json") as f:\n    s = json.load(f)\nModel.register(ws, s["path"], s["name"])\n', [BASE], [],
    ),
    "module-of-the-project": (HEAD + 'from common import NAME, config\nmodel = Model.register(ws, "model.pkl", NAME)\nModel.deploy(ws, "svc", [model], config(), None)\n', [BASE, "base images.churn.entry_script = score.py"], []),
    "name-partly-known": (
        ALL.replace('"svc"', '"svc-" + str(uuid.uuid4())[:4]'), ["dev services.svc.image = churn"], ["to decide *: only running it tells, and any name will do"],
    ),
    "path-joined": (HEAD + 'import os\nfrom pathlib import Path\nModel.register(ws, os.path.join(".", "folder"), "churn")\nModel.register(ws, str(Path("folder") / "weights.bin"), "two")\n', ["base models.churn.source = folder", "base models.two.source = folder/weights.bin"], []),
    "loop-over-a-list": (HEAD + 'for name, path in [("a", "model.pkl"), ("b", "folder")]:\n    Model.register(ws, path, name)\n', ["base models.a.source = model.pkl", "base models.b.source = folder"], []),
    "comprehension": (HEAD + MODEL + 'models = [Model.register(ws, p, p.replace(".pkl", "-x")) for p in ["model.pkl"]]\n', ["base models.model-x.source = model.pkl"], []),
}  # fmt: skip

PACKAGES = {
    "conda-saved-and-read-back": (
        HEAD + 'cd = CondaDependencies.create(pip_packages=["numpy==1.26.4"])\ncd.save_to_file(".", "env.yml")\n'
        'env = Environment.from_conda_specification("e", "env.yml")\n' + MODEL + _ENV + ACI + DEPLOY,
        ["base images.churn.conda_file = conda-2.yml"],
        ["changed *: its packages are written to source/conda-2.yml"],
    ),
    "conda-written-with-open": (
        HEAD + 'cd = CondaDependencies()\ncd.add_pip_package("numpy==1.26.4")\nwith open("env.yml", "w") as f:\n    f.write(cd.serialize_to_string())\n' + MODEL
        + 'ic = InferenceConfig("score.py", source_directory="source", conda_file="env.yml", runtime="python")\n' + ACI + DEPLOY,
        ["base images.churn.conda_file = conda-2.yml"],
        [],
    ),
    "environment-registered-and-got": (
        HEAD + 'e = Environment("mine")\ne.python.conda_dependencies.add_pip_package("numpy==1.26.4")\ne.register(ws)\nenv = Environment.get(ws, "mine")\n' + MODEL + _ENV + ACI + DEPLOY,
        ["base images.churn.conda_file = conda-2.yml"],
        [],
    ),
    "computed-version": (
        HEAD + 'import numpy\nenv = Environment("e")\nenv.python.conda_dependencies = CondaDependencies.create(pip_packages=[f"numpy=={numpy.__version__}", "joblib==1.4.2"])\n' + MODEL + _ENV + ACI + DEPLOY,
        ["base images.churn.conda_file = conda-2.yml"],
        ["to decide *: write the version of the training environment (numpy)"],
    ),
    "old-python": (
        HEAD + MODEL + 'ic = InferenceConfig("score.py", source_directory="source", conda_file="old.yml")\n' + ACI + DEPLOY,
        ["base images.churn.conda_file = old-v2.yml"],
        ["changed *: supported are Python 3.10 to 3.13; remove the line or use 3.11", "changed *: 0.22.2.post1 has no wheel", "changed *: the scoring server answers its imports"],
    ),
    "environment-of-a-run": (HEAD + "env = run.get_environment()\n" + MODEL + _ENV + ACI + DEPLOY, SERVED, ["to decide *: the packages of"]),
}  # fmt: skip

BRANCHES = {
    "two-targets": (
        HEAD + MODEL + CONFIG + 'if stage == "dev":\n    dc = AciWebservice.deploy_configuration(cpu_cores=1)\nelse:\n    dc = AksWebservice.deploy_configuration(num_replicas=2)\nModel.deploy(ws, "svc", [model], ic, dc)\n',
        ["dev services.svc.cpu_cores = 1", "prod services.svc.num_replicas = 2"],
        [],
    ),
    "none-overwrites-nothing": (HEAD + MODEL + CONFIG + ACI + 'try:\n    pass\nexcept Exception:\n    ic = None\n' + DEPLOY, ["base images.churn.entry_script = score.py"], []),
    "values-of-a-condition": (
        HEAD + MODEL + CONFIG + "aci = AciWebservice.deploy_configuration(cpu_cores=1 if small else 4)\n" + DEPLOY,
        ["dev services.svc.cpu_cores = 1"],
        ["to decide *: 1 or 4, by a condition"],
    ),
    "unknown-flag-keeps-keys": (
        HEAD + MODEL + CONFIG + 'aci = AciWebservice.deploy_configuration(auth_enabled=flag, primary_key=k)\n' + DEPLOY,
        ["dev services.svc.primary_key = {config: svcPrimaryKey}", "dev services.svc.auth_enabled = true"],
        ["to decide *: the value is `flag`"],
    ),
    "try-update-except-deploy": (
        HEAD + MODEL + CONFIG + ACI + 'try:\n    service = Webservice(ws, "svc")\n    service.update(models=[model], inference_config=ic)\nexcept Exception:\n    ' + DEPLOY,
        [*SERVED, "no dev services.svc-2"],
        [],
    ),
    "deployed-twice": (ALL + DEPLOY.replace("aci)", "aci, overwrite=True)"), [*SERVED, "no dev services.svc-2"], ["changed *: one service, as the later call says"]),
    "local-then-aci": (
        ALL + 'local = LocalWebservice.deploy_configuration(port=8999)\nModel.deploy(ws, "svc", [model], ic, local)\n',
        ["local services.svc.port = 8999", "dev services.svc.cpu_cores = 2", "no local services.svc-2"],
        [],
    ),
    "compute-found-or-made": (
        HEAD + MODEL + CONFIG + _AKS + 'try:\n    t = ComputeTarget(ws, "prod-aks")\nexcept Exception:\n    t = ComputeTarget.create(ws, "prod-aks", AksCompute.provisioning_configuration(agent_count=5))\nModel.deploy(ws, "svc", [model], ic, aks, t)\n',
        ["prod targets.prod-aks.create.agent_count = 5", "prod services.svc.target = prod-aks"],
        [],
    ),
}  # fmt: skip

FUNCTIONS = {
    "function-that-returns-a-config": (HEAD + MODEL + 'def config(script):\n    return InferenceConfig(script, source_directory="source", conda_file="conda.yml")\nic = config("score.py")\n' + ACI + DEPLOY, ["base images.churn.entry_script = score.py", *SERVED], []),
    "methods-of-a-class": (
        HEAD + 'class Deployer:\n    def __init__(self, name):\n        self.name = name\n        self.env = Environment("e")\n    def setup(self):\n        self.env.docker.base_image = "registry.example.org/base:1"\n'
        '    def deploy(self, path="model.pkl"):\n        self.setup()\n        m = Model.register(ws, path, self.name)\n        Model.deploy(ws, self.name + "-svc", [m], InferenceConfig("score.py", source_directory="source", environment=self.env), AciWebservice.deploy_configuration())\n'
        'Deployer("churn").deploy()\n',
        [BASE, "dev services.churn-svc.image = churn", "base images.churn.base_image = registry.example.org/base:1"],
        [],
    ),
    "main-that-nothing-calls": (HEAD + "def main(name='svc'):\n" + "".join(f"    {line}\n" for line in (MODEL + CONFIG + ACI + DEPLOY).replace('"svc"', "name").splitlines()), SERVED, []),
    "a-model-deploys-itself": (HEAD + MODEL + CONFIG + ACI + 'model.deploy(ws, "svc", [model], ic, aci)\n', SERVED, []),
    "called-twice": (HEAD + "def reg(name):\n    return Model.register(ws, 'model.pkl', name)\nreg('a')\nreg('b')\n", ["base models.a.source = model.pkl", "base models.b.source = model.pkl"], []),
}  # fmt: skip

UPDATES = {
    "update-after-deploy": (ALL + 'service.update(enable_app_insights=True, tags={"a": "b"})\n', ["dev services.svc.enable_app_insights = true", "dev services.svc.tags.a = b"], ["mapped *: Service.update.tags"]),
    "update-of-another-scripts-service": (
        HEAD + MODEL + CONFIG + 'service = AksWebservice(ws, "svc")\nservice.update(models=[model], inference_config=ic, num_replicas=3)\n',
        ["prod services.svc.num_replicas = 3", "base images.churn.models = [churn]"],
        [],
    ),
    "versions-of-an-endpoint": (
        HEAD + MODEL + CONFIG + 'e = AksEndpoint.deploy_configuration(cpu_cores=1, version_name="a", traffic_percentile=20)\nservice = Model.deploy(ws, "svc", [model], ic, e)\n'
        'service.create_version(version_name="b", models=[model], inference_config=ic, traffic_percentile=30)\nservice.update_version(version_name="b", is_default=True)\nservice.delete_version(version_name="a")\n',
        ["prod services.svc.rollout.steps = [30, 100]"],
        ["dropped *: the newest version is the default", "dropped *: removing an entry"],
    ),
    "profile-and-delete": (ALL + 'Model.profile(ws, "p", [model], ic, input_data="x")\nservice.delete()\n', SERVED, ["dropped *: measure the running service", "dropped *: removing an entry from the manifest"]),
}  # fmt: skip

REST = {
    "no-code": (
        HEAD + 'from azureml.core.resource_configuration import ResourceConfiguration\nmodel = Model.register(ws, "ridge.pkl", "churn", model_framework=Model.Framework.SCIKITLEARN, model_framework_version="0.22", resource_configuration=ResourceConfiguration(cpu=2, memory_in_gb=3))\nModel.deploy(ws, "svc", [model])\n',
        ["base models.churn.model_framework = ScikitLearn", "base images.churn.runtime = sklearn", "no base images.churn.entry_script", "dev services.svc.cpu_cores = 2", "dev services.svc.memory_gb = 3"],
        ["changed *: v1 made the script for ScikitLearn itself"],
    ),
    "no-code-onnx": (
        HEAD + 'model = Model.register(ws, "net.onnx", "churn", model_framework=Model.Framework.ONNX)\nModel.deploy(ws, "svc", [model])\n',
        ["base images.churn.runtime = onnx"],
        ["changed *: v1 made the script for Onnx itself"],
    ),
    "no-code-tensorflow": (
        HEAD + 'model = Model.register(ws, "folder", "churn", model_framework=Model.Framework.TENSORFLOW)\nModel.deploy(ws, "svc", [model])\n',
        ["base images.churn.entry_script = score.py"],
        ["to decide *: v1 scored TensorFlow models without an entry script"],
    ),
    "fpga": (
        HEAD + MODEL + 'from azureml.accel import AccelContainerImage\nimage = ContainerImage.create(name="i", models=[model], image_config=AccelContainerImage.image_configuration(), workspace=ws)\n' + ACI + 'Webservice.deploy_from_image(ws, "svc", image, aci)\n',
        [BASE, "no dev services.svc"],
        ["dropped *: Azure ML's FPGA service is retired"],
    ),
    "token": (HEAD + MODEL + CONFIG + 'aks = AksWebservice.deploy_configuration(token_auth_enabled=True, auth_enabled=False)\nModel.deploy(ws, "svc", [model], ic, aks)\n', ["prod services.svc.auth_enabled = true"], ["to decide *: tokens are not supported"]),
    "retired-size": (
        HEAD + MODEL + 'ComputeTarget.create(ws, "gpu", AmlCompute.provisioning_configuration("STANDARD_NC6", max_nodes=2))\n',
        ["prod targets.gpu.vm_size = Standard_NC4as_T4_v3"],
        ["changed *: STANDARD_NC6 ended in 2023-09"],
    ),
    "conda-beside-the-folder": (HEAD + MODEL + 'ic = InferenceConfig("score.py", source_directory="scripts", conda_file="../source/conda.yml")\n' + ACI + DEPLOY, ["base images.churn.conda_file = conda-2.yml"], ["changed *: copied from source/conda.yml"]),
    "registered-from-a-run-after-a-dump": (
        HEAD + 'import joblib\njoblib.dump(clf, "model.pkl")\nrun.upload_file("outputs/model.pkl", "model.pkl")\nrun.register_model("churn", model_path="outputs/model.pkl")\n',
        [BASE],
        ["changed *: the script writes model.pkl before it registers it"],
    ),
    "batch-step-names-its-model": (HEAD + MODEL + _BATCH + 'step = ParallelRunStep("s", parallel_run_config=conf, inputs=[d], output=o, arguments=["--model_name", "churn"])\n', ["prod services.churn-batch.batch.mini_batch_size = 5"], ["changed *: what the step scores is given when the batch is started"]),
    "unused-configuration": (HEAD + MODEL + ACI, [BASE], ["dropped *: nothing that is registered or deployed uses it"]),
    "names-that-differ-by-case": (HEAD + 'Model.register(ws, "model.pkl", "churn")\nModel.register(ws, "folder", "Churn")\n', ["base models.Churn-2.source = folder"], ["changed *: only by case"]),
}  # fmt: skip
