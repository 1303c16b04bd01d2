"""The values for Dagster's Helm chart agree with the rest of `deploy/`, and Dagster and Kubernetes take them.

The chart's own schema comes with the chart only, which is on no package index: its keys were compared with the chart's
schema by hand. What it hands on is checked by the models of those who get it.
"""

import re
from typing import Any

import pytest
import yaml
from dagster._config import process_config
from dagster_k8s import K8sRunLauncher
from dagster_k8s.job import UserDefinedDagsterK8sConfig
from dagster_k8s.models import k8s_model_from_dict, k8s_snake_case_dict
from kubernetes import client as kubernetes

from fullstory_assets_tests.test_deploy import DEPLOY, HELM, README, USER_CODE
from fullstory_assets_tests.test_docs import ROOT

RUN = HELM["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]


def in_dagsters_words(values: dict[str, Any]) -> dict[str, Any]:
    return {re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", name): value for name, value in values.items()}


def test_the_chart_sets_dagster_as_the_top_level_does():
    here = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    daemon, concurrency = HELM["dagsterDaemon"], HELM["concurrency"]
    kept = HELM["retention"]["sensor"]["purgeAfterDays"]
    longest = {"max_runtime_seconds": RUN["jobSpecConfig"]["activeDeadlineSeconds"]}
    written = {
        "concurrency": {
            "pools": in_dagsters_words(concurrency["pools"]),
            "runs": in_dagsters_words(concurrency["runs"]),
        },
        "run_queue": in_dagsters_words(daemon["runCoordinator"]["config"]["queuedRunCoordinator"]),
        "run_monitoring": in_dagsters_words(daemon["runMonitoring"]) | longest,
        "python_logs": in_dagsters_words(HELM["pythonLogs"]),
        "telemetry": HELM["telemetry"],
        "retention": {"sensor": {"purge_after_days": {"skipped": kept["skipped"]}}},
    }

    assert written == {name: here[name] for name in written}


def test_dagsters_launcher_takes_what_the_chart_hands_it():
    context = {
        "env_secrets": [each["name"] for each in USER_CODE["envSecrets"]],
        "volumes": USER_CODE["volumes"],
        "volume_mounts": USER_CODE["volumeMounts"],
        "resources": USER_CODE["resources"],
        "image_pull_policy": USER_CODE["image"]["pullPolicy"],
        "run_k8s_config": in_dagsters_words(RUN),
    }
    usual = {"service_account_name": "", "instance_config_map": "", "dagster_home": "", "load_incluster_config": True}
    found = process_config(K8sRunLauncher.config_type(), {**usual, **context})

    assert found.success, found.errors
    assert UserDefinedDagsterK8sConfig.from_dict(in_dagsters_words(RUN)).job_spec_config


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (kubernetes.V1PodSecurityContext, USER_CODE["podSecurityContext"]),
        (kubernetes.V1SecurityContext, USER_CODE["securityContext"]),
        (kubernetes.V1ResourceRequirements, USER_CODE["resources"]),
        (kubernetes.V1Probe, {key: value for key, value in USER_CODE["readinessProbe"].items() if key != "enabled"}),
        *((kubernetes.V1Volume, volume) for volume in USER_CODE["volumes"]),
        *((kubernetes.V1VolumeMount, mount) for mount in USER_CODE["volumeMounts"]),
        *((kubernetes.V1SecretEnvSource, source) for source in USER_CODE["envSecrets"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_kubernetes_takes_what_the_chart_hands_it(model, values):
    assert k8s_model_from_dict(model, k8s_snake_case_dict(model, values)).to_dict()


def test_in_kubernetes_each_can_write_to_a_folder_of_its_own_only():
    writable = {mount["mountPath"] for mount in USER_CODE["volumeMounts"] if not mount.get("readOnly")}

    assert USER_CODE["securityContext"] == RUN["containerConfig"]["securityContext"]
    assert USER_CODE["securityContext"]["readOnlyRootFilesystem"]
    assert writable == {"/app/tmp"}


def test_the_chart_is_of_the_version_of_dagster_that_is_locked():
    (locked,) = re.findall(r"^dagster==(\S+)", (ROOT / "requirements.lock").read_text(), flags=re.M)

    assert set(re.findall(r"dagster/dagster --version (\S+)", README + (DEPLOY / "helm-values.yaml").read_text())) == {
        locked
    }
