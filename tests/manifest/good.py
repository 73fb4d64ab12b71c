"""A manifest that uses every type of target and most keys, as text; what tests mutate."""

SUB = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers"

EVERYTHING = f"""\
version: 1

azure:
  location: westeurope
  tags: {{cost: "12"}}
  workspace: {{existing: {SUB}/Microsoft.MachineLearningServices/workspaces/w}}
  registry: {{sku: Premium}}
  log_analytics: {{retention_days: 60}}
  builder: acr
  deployer_principal_id: 11111111-2222-3333-4444-555555555555
  protect: true

x-labels: &labels {{team: health}}

models:
  m: {{source: models/m.pkl, version: 3, tags: {{approved: "true", year: 2026}}}}
  folder: {{source: models/folder, properties: *labels}}
  run: {{source: "runs:/0123abcd/outputs/model.pkl", model_type: mlflow_model}}
  job: {{source: "azureml://jobs/brave_sky_1/outputs/artifacts/outputs/model.pkl"}}

images:
  one:
    models: [m]
    source_directory: scripts
    entry_script: score.py
    conda_file: conda.yml
    base_image: mcr.microsoft.com/azureml/minimal-py312-inference
    base_image_registry: {{address: example.azurecr.io, username: puller, password: {{config: basePassword}}}}
    environment_variables: {{MODE: fast, WORKERS: 4, TOKEN: {{env: TOKEN}}}}
  many:
    models: [folder, run, job]
    source_directory: scripts
    entry_script: score.py
    base_image: runs:/0123abcd
    package_index: {{url: "https://example.org/simple", username: me, password: {{keyvault: feed}}}}
  plain: {{models: [m], source_directory: scripts, entry_script: score.py}}
  gpu: {{models: [], source_directory: scripts, entry_script: score.py,
        base_image: "mcr.microsoft.com/azureml/openmpi4.1.0-cuda11.8-cudnn8-ubuntu22.04:latest"}}

targets:
  here: {{type: local}}
  docked: {{type: local, runtime: docker}}
  devtest: {{type: aci, zone: "1"}}
  cluster:
    type: aks
    create:
      agent_count: 3
      vm_size: Standard_D4s_v5
      cluster_purpose: fast_prod
      zones: ["1", "2"]
      kubernetes_version: "1.33"
      pools: [{{name: gpu, vm_size: Standard_NC4as_T4_v3, gpu: true}}]
    quota: {{cpu_cores: 20, pods: 50}}
  shared: {{type: aks, attach: {{resource_group: platform-rg, cluster_name: platform-aks}}}}
  anywhere: {{type: kubernetes, kubeconfig: {{env: KUBECONFIG}}, context: staging, namespace: scoring,
             registry: {{address: "registry.example.org:5000"}}}}
  nightly: {{type: batch, vm_size: Standard_DS3_v2, max_nodes: 4}}
  devices:
    type: edge
    hub: my-hub
    create: {{sku: S1}}
    target_condition: "tags.site='plant-7'"
    priority: 10
    runtime_version: "1.5"
    routes: {{up: {{route: "FROM /messages/* INTO $upstream", priority: 1}}}}
    wait: {{reported: 90%, timeout: 10m}}

services:
  local-one:
    image: one
    target: here
    port: 8001
    auth_enabled: true
    primary_key: {{config: primary}}
    key_generation: {{primary: 2}}
    num_replicas: 2
    collect_model_data: true
    golden: [{{request: golden/in.json, response: golden/out.json, tolerance: 1.0e-6}}]
    ssl: {{cert: {{env: CERT}}, key: {{env: KEY}}}}
    rollout: {{strategy: blue_green}}
  docker-one: {{image: one, target: docked, port: 8002}}
  aci-one: {{image: one, target: devtest, memory_gb: 1.5, dns_name_label: scoring, tags: *labels}}
  aks-many:
    image: many
    target: cluster
    autoscale: {{min_replicas: 2, max_replicas: 4}}
    cpu_cores: 0.5
    cpu_cores_limit: 1
    rollout: {{strategy: canary, steps: [10, 100], bake_seconds: 5m}}
    keep_previous: 1
    ssl: {{leaf_domain_label: scoring}}
    probes: {{initial_delay_seconds: 30}}
    tolerations: [{{key: sku, value: gpu, effect: NoSchedule}}]
    node_selector: {{pool: services}}
  aks-gpu: {{image: gpu, target: cluster, gpu_cores: 1, num_replicas: 1}}
  kube-one: {{image: plain, target: anywhere, auth_enabled: false, host: score.example.org,
             ssl: {{issuer: letsencrypt, cname: score.example.org}}}}
  batch-one:
    image: plain
    target: nightly
    batch:
      mini_batch_size: 5
      instance_count: 2
      retry_settings: {{max_retries: 1, timeout: 60}}
      schedule: {{cron: 0 3 * * *, input: "azureml://datastores/workspaceblobstore/paths/incoming/"}}
  edge-one:
    image: plain
    target: devices
    port: 443
    auth_enabled: true
    ssl: {{enabled: true}}
    edge:
      startup_order: 2
      desired: {{threshold: 0.5, nested: {{a: 1}}}}
      create_options: {{HostConfig: {{Privileged: false}}}}
      keys_file: /etc/mldeploy/keys.json
      cert_file: /etc/mldeploy/cert.pem
      key_file: /etc/mldeploy/key.pem
"""
