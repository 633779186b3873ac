"""Runs functions that are container images, for which the emulator would need a Docker daemon.

The emulator forwards their events to this server. The first event for a function version starts a container
from the image that CDK pushed, with the variables of the deployed version: its cold start.
"""

import http.client
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from local.processes import HOST, accepts, free_port, wait_until
from local.stand_ins.lambda_runtime import INVOKE_PATH
from tests.deploy.docker import local_name
from tests.deploy.emulator import PROXY, Emulator
from tests.fixtures.containers import Podman

START_SECONDS = 60.0
CA_BUNDLE = "/etc/emulated-ca-bundle.pem"


@dataclass
class ImageFunctions:
    """The running containers, by function and version; each handles one event at a time."""

    emulator: Emulator
    podman: Podman
    certificate: Path  # functions trust it as the database's CA
    stack: ExitStack
    ports: dict[tuple[str, str], int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def invoke(self, name: str, version: str, event: bytes) -> tuple[int, bytes]:
        """Return an HTTP status, an error if the function failed, and the response."""
        with self.lock:
            if (name, version) not in self.ports:
                self.ports[name, version] = self._start(name, version)
            connection = http.client.HTTPConnection(HOST, self.ports[name, version])
            try:
                connection.request("POST", INVOKE_PATH, event)
                response = connection.getresponse()
                body = response.read()
            finally:
                connection.close()
        failed = not body.startswith((b"{", b"[", b'"', b"null")) or b'"errorType"' in body[:2000]
        return (HTTPStatus.BAD_GATEWAY if failed else response.status), body

    def _start(self, name: str, version: str) -> int:
        deployed = self.emulator.client("lambda").get_function(FunctionName=name, Qualifier=version)
        configuration = deployed["Configuration"]
        variables = dict(configuration["Environment"]["Variables"])
        del variables[PROXY]
        port, runtime_port = free_port(), free_port()
        environment = {
            **variables,
            **self.emulator.environment(),
            "SSL_CERT_FILE": CA_BUNDLE,
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": version,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(configuration["Timeout"]),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration["MemorySize"]),
            "LAMBDA_EMULATOR_OPTIONS": (
                f"--runtime-interface-emulator-address {HOST}:{port} "
                f"--runtime-api-address {HOST}:{runtime_port}"
            ),
        }
        options = ("--read-only", "--tmpfs", "/tmp:rw", f"--volume={self.certificate}:{CA_BUNDLE}:ro")  # noqa: S108
        image = local_name(deployed["Code"]["ImageUri"], self.emulator.registry)
        container = self.stack.enter_context(
            self.podman.running(image, environment=environment, options=options)
        )
        ready = wait_until(lambda: accepts(port), seconds=START_SECONDS)
        assert ready, f"{name} did not start:\n{self.podman.attempt('logs', container)}"
        return port


@contextmanager
def served_image_functions(
    emulator: Emulator, podman: Podman, certificate: Path, port: int
) -> Iterator[None]:
    """Handle the events that the emulator sends to a port, in a context."""
    with ExitStack() as stack:
        functions = ImageFunctions(emulator, podman, certificate, stack)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                event = self.rfile.read(int(self.headers["Content-Length"]))
                name = self.headers["X-Amzn-Lambda-Function-Name"]
                version = self.headers["X-Amzn-Lambda-Function-Version"]
                try:
                    status, body = functions.invoke(name, version, event)
                except Exception as error:  # without a response the client would wait
                    status, body = HTTPStatus.INTERNAL_SERVER_ERROR, repr(error).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        with ThreadingHTTPServer((HOST, port), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, name="image-functions")
            thread.start()
            try:
                yield
            finally:
                server.shutdown()
                thread.join()
