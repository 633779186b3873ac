"""A proxy before Postgres that authenticates as RDS: TLS for all, IAM tokens for all but the master user.

A token must be for this database and user, and fresh. Its signature is not verified: the emulator has no real
credentials.
"""

import asyncio
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from local.processes import HOST

SSL_REQUEST = struct.pack("!II", 8, 80877103)
PASSWORD_REQUEST = b"R" + struct.pack("!II", 8, 3)
TOKEN_LIFE = timedelta(minutes=15)


class LoginError(Exception):
    """A rejected login; the client gets it as an error of Postgres."""


@dataclass(frozen=True)
class AuthProxy:
    """The address for clients, and the Postgres behind it."""

    host: str  # by which clients know this machine
    port: int
    master: str
    postgres_port: int  # which clients do not know

    def check(self, token: str, user: str) -> None:
        """Raise LoginError unless the token is valid for this user."""
        parts = urlsplit(f"//{token}")
        claims = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            made = datetime.strptime(claims["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            matches = (claims["Action"], claims["DBUser"], parts.netloc) == (
                *("connect", user),
                f"{self.host}:{self.port}",
            )
        except (KeyError, ValueError):
            raise LoginError(f"the password of {user} is not an IAM token") from None
        if not matches or not claims.get("X-Amz-Signature") or datetime.now(UTC) - made > TOKEN_LIFE:
            raise LoginError(f"the IAM token is not valid for {user}")

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: ssl.SSLContext
    ) -> None:
        """Serve one client until it or Postgres closes the connection."""
        try:
            if await reader.readexactly(8) != SSL_REQUEST:
                raise LoginError("no encryption, but rds.force_ssl is on")
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(tls)
            (length,) = struct.unpack("!I", await reader.readexactly(4))
            startup = await reader.readexactly(length - 4)
            fields = startup[4:].split(b"\0")
            user = dict(zip(fields[::2], fields[1::2], strict=False))[b"user"].decode()
            if user != self.master:
                writer.write(PASSWORD_REQUEST)
                await writer.drain()
                _, length = struct.unpack("!cI", await reader.readexactly(5))
                self.check((await reader.readexactly(length - 4)).rstrip(b"\0").decode(), user)
            inner_reader, inner_writer = await asyncio.open_connection(HOST, self.postgres_port)
            inner_writer.write(struct.pack("!I", len(startup) + 4) + startup)
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
        except LoginError as error:
            message = b"SFATAL\0C28000\0M" + str(error).encode() + b"\0\0"
            writer.write(b"E" + struct.pack("!I", len(message) + 4) + message)
        except (OSError, asyncio.IncompleteReadError):
            pass  # a health check, or a client that does not trust the certificate
        finally:
            writer.close()


@contextmanager
def running_auth_proxy(proxy: AuthProxy, tls: ssl.SSLContext) -> Iterator[None]:
    """Run the proxy in a context."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        asyncio.start_server(lambda reader, writer: proxy.serve(reader, writer, tls), HOST, proxy.port)
    )
    thread = threading.Thread(target=loop.run_forever, name="rds-auth-proxy")
    thread.start()

    async def close() -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()
