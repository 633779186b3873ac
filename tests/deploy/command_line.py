"""The CDK command line, run as usual, against the emulator."""

import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.emulator import ACCOUNT, REGION, Emulator
from tests.fixtures.containers import ROOT, Podman

CDK = ROOT / "cdk/node_modules/.bin/cdk"
ARCHITECTURE = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
COMMAND_TIMEOUT_SECONDS = 1500.0  # packing a gigabyte of image takes minutes on a busy machine
PROGRESS = ("✅", "❌", "_FAILED ")  # lines with one of these are printed immediately


@dataclass(frozen=True)
class CommandLine:
    """`cdk` with the emulator as endpoint and its output in a log; podman builds and pushes images."""

    emulator: Emulator
    podman: Podman
    log: Path

    def bootstrap(self) -> None:
        """Create the resources that CDK itself needs in an account."""
        self._run("bootstrap", f"aws://{ACCOUNT}/{REGION}")

    def synthesize(self, folder: Path) -> None:
        """Write the assembly of dev, for this machine's architecture and with layers built."""
        app = f"{sys.executable} -m cdk.app"
        context = ("-c", "env=dev", "-c", f"architecture={ARCHITECTURE}")
        self._run("synth", "--app", app, *context, "--output", str(folder), "--quiet")

    def deploy(self, assembly: Path) -> None:
        """Deploy every stack of the assembly in dependency order."""
        self._run(
            *("deploy", "--app", str(assembly), "--all", "--require-approval", "never"),
            *("--progress", "events", "--concurrency", "1", "--asset-parallelism", "false"),
        )

    def destroy(self, assembly: Path) -> None:
        """Destroy every stack of the assembly."""
        self._run("destroy", "--app", str(assembly), "--all", "--force", "--progress", "events")

    def _run(self, *arguments: str) -> None:
        """Run one command; raises AssertionError with the end of its output if it fails."""
        _install()
        started = time.monotonic()
        print(f"cdk {arguments[0]} ...", flush=True)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **{name: value for name, value in self.podman.environment().items() if "CONTAINERS_" in name},
            **self.emulator.environment(),
            "CDK_DOCKER": str(ROOT / "tests/deploy/docker"),
            "PYTHONPATH": str(ROOT),
            "PYTHON": sys.executable,
            "REGISTRY": self.emulator.registry,
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
            "NODE_OPTIONS": "--no-warnings",
        }
        output = []
        command = [CDK, *arguments, "--no-notices", "--no-version-reporting", "--ci"]
        with (
            self.log.open("a") as log,
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            ) as process,
        ):
            assert process.stdout
            # CloudFormation would wait an hour for a custom resource that crashed.
            watchdog = threading.Timer(COMMAND_TIMEOUT_SECONDS, process.kill)
            watchdog.start()
            for line in process.stdout:
                log.write(line)
                log.flush()
                output.append(line)
                if any(word in line for word in PROGRESS):
                    print("   ", line.rstrip(), flush=True)
            watchdog.cancel()
        print(f"cdk {arguments[0]}: {time.monotonic() - started:.0f} s", flush=True)
        tail = "".join(output[-60:])
        assert process.returncode == 0, (
            f"cdk {arguments[0]} failed; the full output is in {self.log}:\n{tail}"
        )


def _install() -> None:
    if not CDK.exists():
        npm = shutil.which("npm")
        assert npm, "npm is not installed; the CDK command line needs Node.js 20 or newer"
        subprocess.run([npm, "ci", "--silent", "--no-audit", "--no-fund"], cwd=CDK.parents[2], check=True)
