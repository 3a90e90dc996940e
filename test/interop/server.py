"""A server of python3-websockets that echoes; prints its port, then a line of JSON for each connection that ends.

Two arguments are the files of a certificate and its key, for TLS.
"""

import asyncio
import http
import json
import ssl
import sys

import websockets


def tell(**fields):
    print(json.dumps(fields), flush=True)


async def handle(ws):
    try:
        async for message in ws:
            if message == "ping me":
                await asyncio.wait_for(await ws.ping(b"are you there"), 5)
                await ws.send("you are")
            elif message == "fragment":
                await ws.send(["frag", "", "mented 😀"])
            elif message == "close":
                await ws.close(4005, "grüße")
            elif message == "terminate":
                ws.transport.abort()
            elif message == "mask":
                ws.transport.write(bytes([0x81, 0x80, 0, 0, 0, 0]))
            else:
                await ws.send(message)
    finally:
        await ws.wait_closed()
        tell(code=ws.close_code, reason=ws.close_reason, path=ws.path)


async def refuse(path, headers):
    return (http.HTTPStatus.FORBIDDEN, [], b"") if path == "/refused" else None


async def main():
    options = {"compression": None, "max_size": 2**22, "subprotocols": ["chat"], "ping_interval": None}
    options["process_request"] = refuse
    if len(sys.argv) > 1:
        options["ssl"] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        options["ssl"].load_cert_chain(*sys.argv[1:])
    async with websockets.serve(handle, "127.0.0.1", 0, **options) as server:
        tell(port=server.sockets[0].getsockname()[1])
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
