"""A real Postgres in the part of RDS, of which the emulator only keeps the books.

As on RDS: clients come in over TLS (gate.py), the master user is no superuser, and members of rds_iam have no
password.
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
from tests.deploy.gate import Gate, open_gate

NAME = "localhost"  # what its certificate is for
# The master user first: who may give rds_iam to others counts as a member of it.
LOGINS = """\
host all {master} 127.0.0.1/32 scram-sha-256
host all +rds_iam 127.0.0.1/32 trust
"""


@dataclass(frozen=True)
class Rds:
    """The database that the stacks find where they expect RDS."""

    server: PostgresServer
    port: int  # where clients come in
    password: str  # of the master user
    certificate: Path  # with its key; its own authority

    def rows(self, query: str, **parameters: Any) -> list[list[Any]]:
        """Run a query as the superuser that RDS keeps to itself."""
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
    """Run an empty database, with its master user, until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    certificate = _certify(folder)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    with running_postgres(folder / "server", password="of-the-superuser", durable=False) as server:
        gate = Gate(NAME, free_port(), master, server.port)
        rds = Rds(server, gate.port, password, certificate)
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
        with open_gate(gate, tls):
            yield rds


def _certify(folder: Path) -> Path:
    """Write a certificate for NAME, which is its own authority, and its key into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
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
