"""RDS's way in, before a Postgres that has neither: TLS for everybody, and IAM tokens for all but the master.

A token must be for this database, for the user who logs in, and fresh. Its signature is not checked: the
emulator's credentials prove nothing.
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
ASK_FOR_PASSWORD = b"R" + struct.pack("!II", 8, 3)
TOKEN_LIFE = timedelta(minutes=15)


class RefusedError(Exception):
    """The client gets this as Postgres's own error, and is sent away."""


@dataclass(frozen=True)
class Gate:
    """Where clients come in and what lies behind."""

    name: str  # what clients call this machine
    port: int
    master: str
    postgres_port: int  # open to this gate only, as far as clients know

    def check(self, token: str, user: str) -> None:
        """Raise RefusedError unless the token lets this user in."""
        parts = urlsplit(f"//{token}")
        claims = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            made = datetime.strptime(claims["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            right = (claims["Action"], claims["DBUser"], parts.netloc) == (
                *("connect", user),
                f"{self.name}:{self.port}",
            )
        except (KeyError, ValueError):
            raise RefusedError(f"what {user} sent is no IAM token") from None
        if not right or not claims.get("X-Amz-Signature") or datetime.now(UTC) - made > TOKEN_LIFE:
            raise RefusedError(f"this IAM token does not let {user} in")

    async def admit(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: ssl.SSLContext
    ) -> None:
        """Serve one client until it or Postgres hangs up."""
        try:
            if await reader.readexactly(8) != SSL_REQUEST:
                raise RefusedError("no encryption: rds.force_ssl is on")
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(tls)
            (length,) = struct.unpack("!I", await reader.readexactly(4))
            startup = await reader.readexactly(length - 4)
            words = startup[4:].split(b"\0")
            user = dict(zip(words[::2], words[1::2], strict=False))[b"user"].decode()
            if user != self.master:
                writer.write(ASK_FOR_PASSWORD)
                await writer.drain()
                _, length = struct.unpack("!cI", await reader.readexactly(5))
                self.check((await reader.readexactly(length - 4)).rstrip(b"\0").decode(), user)
            inner_reader, inner_writer = await asyncio.open_connection(HOST, self.postgres_port)
            inner_writer.write(struct.pack("!I", len(startup) + 4) + startup)
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
        except RefusedError as error:
            fields = b"SFATAL\0C28000\0M" + str(error).encode() + b"\0\0"
            writer.write(b"E" + struct.pack("!I", len(fields) + 4) + fields)
        except (OSError, asyncio.IncompleteReadError):
            pass  # a health check, or a client that did not like our certificate
        finally:
            writer.close()


@contextmanager
def open_gate(gate: Gate, tls: ssl.SSLContext) -> Iterator[None]:
    """Let clients in until the block ends."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        asyncio.start_server(lambda reader, writer: gate.admit(reader, writer, tls), HOST, gate.port)
    )
    thread = threading.Thread(target=loop.run_forever, name="rds-gate")
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
