"""An ASGI application that echoes, and does what its paths and messages say, in hypercorn; prints its port, then a line
of JSON for each WebSocket that begins or ends. The arguments are the files of a certificate and its key.
"""

import asyncio
import json
import socket
import sys

from hypercorn.asyncio import serve
from hypercorn.config import Config


def tell(**fields):
    print(json.dumps(fields), flush=True)


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["type"] != "websocket":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["http_version"].encode()})
        return
    await receive()
    tell(path=scope["path"], version=scope["http_version"], scheme=scope["scheme"], offered=scope["subprotocols"])
    if scope["path"] == "/refused":
        await send({"type": "websocket.close"})
        return
    if scope["path"] == "/answered":
        headers = [(b"content-length", b"7"), (b"x-why", b"because")]
        await send({"type": "websocket.http.response.start", "status": 418, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b"not you"})
        return
    chosen = "chat" if "chat" in scope["subprotocols"] else None
    await send({"type": "websocket.accept", "subprotocol": chosen})
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            tell(path=scope["path"], code=event["code"])
            return
        if event.get("text") == "close":
            await send({"type": "websocket.close", "code": 4005, "reason": "because"})
        else:
            text, data = event.get("text"), event.get("bytes")
            await send({"type": "websocket.send", **({"bytes": data} if text is None else {"text": text})})


async def main():
    listening = socket.create_server(("127.0.0.1", 0))
    config = Config()
    config.certfile, config.keyfile = sys.argv[1:]
    config.bind = [f"fd://{listening.fileno()}"]
    tell(port=listening.getsockname()[1])
    stop = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await serve(app, config, shutdown_trigger=lambda: stop)


asyncio.run(main())
