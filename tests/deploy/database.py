"""A real Postgres in place of RDS, of which the emulator has only the API.

As on RDS, clients connect over TLS (auth_proxy.py), the master user is no superuser, and members of rds_iam
have no password.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pg8000.native
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local.postgres.server import PostgresServer, running_postgres
from local.processes import free_port
from tests.deploy.auth_proxy import AuthProxy, running_auth_proxy

HOST_NAME = "localhost"  # of the certificate
# The master user first: with ADMIN OPTION it counts as a member of rds_iam.
LOGINS = """\
host all {master} 127.0.0.1/32 scram-sha-256
host all +rds_iam 127.0.0.1/32 trust
"""


@dataclass(frozen=True)
class Rds:
    """The database that the stacks use as RDS."""

    server: PostgresServer
    port: int  # of the proxy
    password: str  # of the master user
    certificate: Path  # self-signed, with its key

    def rows(self, query: str, **parameters: Any) -> list[list[Any]]:
        """Run a query as the superuser, which nobody has on RDS."""
        server = self.server
        connection = pg8000.native.Connection(
            server.user,
            host=server.host,
            port=server.port,
            password=server.password,
            database=server.database,
        )
        try:
            return connection.run(query, **parameters) or []
        finally:
            connection.close()


@contextmanager
def running_rds(folder: Path, *, master: str, password: str) -> Iterator[Rds]:
    """Run an empty database with its master user, in a context."""
    folder.mkdir(parents=True, exist_ok=True)
    certificate = _certify(folder)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    with running_postgres(folder / "server", password="of-the-superuser", durable=False) as server:
        proxy = AuthProxy(HOST_NAME, free_port(), master, server.port)
        rds = Rds(server, proxy.port, password, certificate)
        rules = folder / "server/data/pg_hba.conf"
        rules.write_text(LOGINS.format(master=master) + rules.read_text())
        for statement in (
            "CREATE ROLE rds_iam",
            f"CREATE ROLE {master} LOGIN CREATEROLE CREATEDB PASSWORD '{password}'",
            f"GRANT rds_iam TO {master} WITH ADMIN OPTION",
            f"ALTER DATABASE {server.database} OWNER TO {master}",
            "SELECT pg_reload_conf()",
        ):
            rds.rows(statement)
        with running_auth_proxy(proxy, tls):
            yield rds


def _certify(folder: Path) -> Path:
    """Write a self-signed certificate for HOST_NAME and its key into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST_NAME)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST_NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path
