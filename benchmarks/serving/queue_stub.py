"""A stub of SQS that accepts every message immediately, in its own process.

It implements the HTTP that botocore's SendMessageBatch needs, and responds in one write: a server that sends
headers and body separately would add the 40 ms of a delayed acknowledgment to some requests.
"""

import asyncio
import hashlib
import json
import multiprocessing
import re
from multiprocessing.connection import Connection

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def start_queue_stub() -> str:
    """Start the process, which ends with this one; returns its URL."""
    spawn = multiprocessing.get_context("spawn")
    parent, child = spawn.Pipe()
    spawn.Process(target=_serve, args=(child,), daemon=True).start()
    return f"http://127.0.0.1:{parent.recv()}"


def _serve(connection: Connection) -> None:
    async def run() -> None:
        server = await asyncio.start_server(_accept, "127.0.0.1", 0)
        connection.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


async def _accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            if length is None:
                raise ValueError("a request without Content-Length")
            request = json.loads(await reader.readexactly(int(length[1])))
            writer.write(_response(request["Entries"]))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionResetError):  # the client disconnected
        writer.close()


def _response(entries: list[dict[str, str]]) -> bytes:
    accepted = [
        {
            "Id": entry["Id"],
            "MessageId": entry["Id"],
            "MD5OfMessageBody": hashlib.md5(entry["MessageBody"].encode(), usedforsecurity=False).hexdigest(),
        }
        for entry in entries
    ]
    body = json.dumps({"Successful": accepted, "Failed": []}).encode()
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
