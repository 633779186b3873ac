"""What `sam local` needs, for people with Docker: `python -m local.sam` writes it under .local/sam.

The template is derived from the synthesized stacks of dev, so its functions, routes, handlers, memory,
timeouts and variables are the deployed ones. Values come from a running `sentiment up`. Authorization,
throttling and the queue's delivery are left out: `sam local` has none of them.
"""

import argparse
import dataclasses
import json
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cdk.app import add_stacks, make_app
from cdk.environments import ENVIRONMENTS, Architecture
from cdk.layers import DEFAULT_GROUP, GROUPS, build_layer, digest
from cdk.packaging import model_folder
from local.settings import local_settings
from local.state import read_environment

FOLDER = Path(".local/sam")
# So Docker Desktop's containers call what listens on the laptop; on Linux say --host.
HOST_OF_CONTAINERS = "host.docker.internal"
LOOPBACK = "127.0.0.1"
# Variables of the stacks that a running system knows under another name.
SAME_AS = {"ARTIFACT_BUCKET": "UNSENT_BUCKET", "REPORT_BUCKET": "UNSENT_BUCKET"}

Resources = dict[str, dict[str, Any]]


def synthesize(folder: Path, architecture: Architecture) -> tuple[Resources, dict[str, Path]]:
    """Synthesize dev into a folder; return all stacks' resources, and zip assets by their object key."""
    app = make_app(folder, env="dev")
    add_stacks(app, dataclasses.replace(ENVIRONMENTS["dev"], architecture=architecture))
    app.synth()
    resources: Resources = {}
    assets: dict[str, Path] = {}
    for path in sorted(folder.glob("*.template.json")):
        resources |= json.loads(path.read_text())["Resources"]
    for path in sorted(folder.glob("*.assets.json")):
        for key, file in json.loads(path.read_text())["files"].items():
            assets[f"{key}.zip"] = folder / file["source"]["path"]
    return resources, assets


def make_template(
    resources: Resources, assets: dict[str, Path], architecture: Architecture
) -> dict[str, Any]:
    """Make the SAM template: each of our functions, with its routes, and the layers they use."""
    made: Resources = {}
    for id, function in functions(resources):
        properties = function["Properties"]
        folder = properties["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
        name = title(folder)
        image = properties.get("PackageType") == "Image"
        made[name] = {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "Architectures": [architecture],
                "MemorySize": properties["MemorySize"],
                "Timeout": properties["Timeout"],
                # sam sets only variables that the template names; what they are is in env.json.
                "Environment": {"Variables": dict.fromkeys(properties["Environment"]["Variables"], "")},
                "Events": {title(path): route for path, route in routes(resources, id)},
                **(_image(folder) if image else _zip(properties, assets)),
            },
        }
        for extra in ("AWS_ENDPOINT_URL", "DATABASE_PASSWORD", "DATABASE_TLS"):
            made[name]["Properties"]["Environment"]["Variables"][extra] = ""
        if not image:
            group = GROUPS.get(folder, DEFAULT_GROUP)
            made[name]["Properties"]["Layers"] = [{"Ref": f"{title(group)}Layer"}]
            made[f"{title(group)}Layer"] = {
                "Type": "AWS::Serverless::LayerVersion",
                "Properties": {
                    "ContentUri": f"layers/{group}",
                    "CompatibleRuntimes": ["python3.12"],
                    "RetentionPolicy": "Delete",
                },
            }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Description": "Made by `make sam` from the stacks of dev; for sam local only, never deploy it",
        "Resources": made,
    }


def functions(resources: Resources) -> Iterator[tuple[str, dict[str, Any]]]:
    """Find the functions that are ours by the variable that cdk/packaging.py gives each of them."""
    for id, resource in resources.items():
        variables = resource.get("Properties", {}).get("Environment", {})
        if resource["Type"] == "AWS::Lambda::Function" and "POWERTOOLS_SERVICE_NAME" in variables.get(
            "Variables", {}
        ):
            yield id, resource


def routes(resources: Resources, function: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Find the routes of the HTTP API that lead to this function, directly or by an alias."""
    aliases = {
        id
        for id, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Alias"
        and resource["Properties"]["FunctionName"] == {"Ref": function}
    }
    for resource in resources.values():
        if resource["Type"] != "AWS::ApiGatewayV2::Route":
            continue
        integration = resource["Properties"]["Target"]["Fn::Join"][1][-1]["Ref"]
        uri = resources[integration]["Properties"]["IntegrationUri"]
        target = uri.get("Ref") or uri.get("Fn::GetAtt", [None])[0]
        if target == function or target in aliases:
            method, path = resource["Properties"]["RouteKey"].split()
            yield f"{method} {path}", {"Type": "HttpApi", "Properties": {"Method": method, "Path": path}}


def make_variables(
    resources: Resources, template: dict[str, Any], running: dict[str, str], host: str
) -> dict[str, dict[str, str]]:
    """Make env.json: what the stacks write out, and over it what a running system says."""
    known = running | {name: running[other] for name, other in SAME_AS.items() if other in running}
    known = {name: value.replace(LOOPBACK, host) for name, value in known.items()}
    variables = {}
    for _, function in functions(resources):
        written = function["Properties"]["Environment"]["Variables"]
        name = title(written["POWERTOOLS_SERVICE_NAME"])
        wanted = template["Resources"][name]["Properties"]["Environment"]["Variables"].keys()
        literal = {key: value for key, value in written.items() if isinstance(value, str)}
        variables[name] = literal | {key: value for key, value in known.items() if key in wanted}
    return variables


def write(folder: Path = FOLDER, *, host: str = HOST_OF_CONTAINERS, build_layers: bool = True) -> bool:
    """Write template.json, env.json and the layers; return whether a running system filled in the values."""
    folder.mkdir(parents=True, exist_ok=True)
    architecture: Architecture = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    resources, assets = synthesize((folder / "cdk.out").resolve(), architecture)
    template = make_template(resources, assets, architecture)
    running = read_environment(local_settings().up_folder / "system.env")
    variables = make_variables(resources, template, running, host)
    (folder / "template.json").write_text(json.dumps(template, indent=2) + "\n")
    path = folder / "env.json"
    path.touch(mode=0o600)  # it holds the database's password
    path.write_text(json.dumps(variables, indent=2) + "\n")
    groups = {
        Path(resource["Properties"]["ContentUri"]).name
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Serverless::LayerVersion"
    }
    for group in sorted(groups):
        target, mark = folder / "layers" / group, folder / "layers" / f"{group}.digest"
        target.mkdir(parents=True, exist_ok=True)
        if build_layers and not (mark.exists() and mark.read_text() == digest(group, architecture)):
            shutil.rmtree(target / "python", ignore_errors=True)  # of other sources or requirements
            build_layer(group, architecture, target / "python")
            mark.write_text(digest(group, architecture))
    return bool(running)


def title(words: str) -> str:
    """Turn a folder's name or a route into an id of letters and digits: `log_writer` becomes `LogWriter`."""
    parts = "".join(letter if letter.isalnum() else " " for letter in words).split()
    return "".join(part[0].upper() + part[1:] for part in parts)


def _image(folder: str) -> dict[str, Any]:
    return {"PackageType": "Image", "ImageUri": f"sentiment-{folder.replace('_', '-')}:latest"}


def _zip(properties: dict[str, Any], assets: dict[str, Path]) -> dict[str, Any]:
    return {
        "Handler": properties["Handler"],
        "Runtime": properties["Runtime"],
        "CodeUri": str(assets[properties["Code"]["S3Key"]]),
    }


def main() -> None:
    """Write everything and say what to run."""
    parser = argparse.ArgumentParser(prog="python -m local.sam", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--host", default=HOST_OF_CONTAINERS, help="this machine, as containers know it")
    running = write(host=parser.parse_args().host)
    if not running:
        print("No system is running: start `make up` in another terminal and run this again for the values.")
    print(f"Written to {FOLDER}. Build the image, then start the API or call one function:")
    build = f"--build-arg FUNCTION=api --build-arg MODEL={model_folder()}"
    print(f"  docker build -f functions/Dockerfile {build} -t sentiment-api-lambda .")
    # sam adds its emulator to the image by commands that only root may run.
    print("  printf 'FROM sentiment-api-lambda\\nUSER root' | docker build -t sentiment-api -")
    files = f"-t {FOLDER}/template.json --env-vars {FOLDER}/env.json"
    print(f"  sam local start-api {files} --skip-pull-image --warm-containers EAGER")
    print(f"  sam local invoke {files} --skip-pull-image LogWriter -e events/sqs_prediction.json")


if __name__ == "__main__":
    main()
