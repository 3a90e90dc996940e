"""A client of python3-websockets: echoes a matrix of messages with our server, one line of JSON for each result.

The arguments are what to do, a URL, and for wss: the file of the authority to trust.
"""

import asyncio
import json
import ssl
import sys

import websockets


def tell(**fields):
    print(json.dumps(fields), flush=True)


def dial(uri, **options):
    if uri.startswith("wss:"):
        options["ssl"] = ssl.create_default_context(cafile=sys.argv[3])
    return websockets.connect(uri, **options)


def noise(size):
    return bytes((i * 31 + size) & 0xFF for i in range(size))


async def echo(uri):
    options = {"compression": None, "max_size": 2**24, "subprotocols": ["a", "chat"]}
    async with dial(uri, **options) as ws:
        tell(subprotocol=ws.subprotocol)
        for size in (0, 1, 125, 126, 127, 65535, 65536, 2**20 + 1):
            data = noise(size)
            await ws.send(data)
            tell(size=size, kind="bytes", same=await ws.recv() == data)
            for character in "aé語😀":
                text = character * (size // len(character.encode()))
                await ws.send(text)
                tell(size=size, kind=character, same=await ws.recv() == text)
        await ws.send(["frag", "", "mented 😀"])
        tell(fragmented=await ws.recv())
        await ws.send([noise(70000), noise(3)])
        tell(fragments=await ws.recv() == noise(70000) + noise(3))
        sent = [("é" * i if i % 2 else noise(i * 37)) for i in range(200)]
        sender = asyncio.ensure_future(asyncio.gather(*[ws.send(m) for m in sent]))
        got = [await ws.recv() for _ in sent]
        await sender
        tell(pipelined=sorted(map(repr, got)) == sorted(map(repr, sent)))
        await asyncio.wait_for(await ws.ping(b"p" * 125), 5)
        tell(ponged=True)
        await ws.close(3001, "grüße")
        tell(code=ws.close_code, reason=ws.close_reason)


async def closed_by_server(uri):
    async with dial(uri, compression=None) as ws:
        await ws.send("close 4005 because")
        try:
            await ws.recv()
        except websockets.ConnectionClosed as closed:
            tell(code=closed.rcvd.code, reason=closed.rcvd.reason)


async def deflate(uri):
    async with dial(uri, compression="deflate") as ws:
        tell(extensions=[extension.name for extension in ws.extensions])
        await ws.send("not compressed " * 100)
        tell(same=await ws.recv() == "not compressed " * 100)


async def invalid(uri):
    for name, wire in (
        ("utf8", bytes([0x81, 0x81, 0, 0, 0, 0, 0xFF])),
        ("opcode", bytes([0x83, 0x80, 0, 0, 0, 0])),
        ("size", bytes([0x82, 0xFF, 0, 0, 0, 0, 0x7F, 0, 0, 0, 0, 0, 0, 0])),
    ):
        ws = await dial(uri, compression=None)
        ws.transport.write(wire)
        try:
            await ws.recv()
        except websockets.ConnectionClosed as closed:
            tell(name=name, code=closed.rcvd.code if closed.rcvd else 1006)


async def refused(uri):
    try:
        await dial(uri, compression=None)
    except websockets.InvalidStatusCode as error:
        tell(status=error.status_code)


asyncio.run(globals()[sys.argv[1]](sys.argv[2]))
