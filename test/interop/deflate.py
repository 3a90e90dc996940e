"""Python's websockets with permessage-deflate, one line of JSON for each result.

client URL PARAMETERS...    echoes the probes once for each set of parameters
sizes URL                   echoes messages of all sizes, and in fragments
empty URL                   echoes empty messages
serve PARAMETERS...         one server that echoes for each set; prints their ports

A set of parameters is the JSON of the arguments of a factory of the extension.
"""

import asyncio
import json
import random
import sys

import websockets
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)

LIMITS = {"max_size": None, "max_queue": None, "compression": None, "ping_interval": None}
SIZES = (0, 1, 125, 126, 127, 2**10, 2**16 - 1, 2**16, 2**16 + 1, 2**20)


def tell(**fields):
    print(json.dumps(fields), flush=True)


def noise(size, seed):
    return random.Random(seed).randbytes(size)


def hexadecimal(size, seed):
    return noise(size // 2, seed).hex()


def text_of(size):
    text = ("grüße, 語 und 😀; " * (size // 10))[: size // 4]
    return text + "x" * (size - len(text.encode()))


def probes(*all_bits):
    """As `probes` in support-deflate.ts."""
    first = hexadecimal(100, 1)
    messages = [first, first, first, "", first.encode()]
    for bits in dict.fromkeys(all_bits):
        size = 2**bits
        messages += [hexadecimal(max(100, size - 400), bits), first, hexadecimal(size, bits + 16), first]
    return messages


def dial(url, **parameters):
    return websockets.connect(url, extensions=[ClientPerMessageDeflateFactory(**parameters)], **LIMITS)


def answered(ws):
    return ws.response_headers.get("Sec-WebSocket-Extensions", "")


async def client(url, *sets):
    for each in sets:
        parameters = json.loads(each)
        messages = probes(parameters["server_max_window_bits"], parameters["client_max_window_bits"])
        async with dial(url, **parameters) as ws:
            for message in messages:
                await ws.send(message)
            same = [await ws.recv() for _ in messages] == messages
            tell(answer=answered(ws), same=same)


async def in_pieces(data, pieces):
    """The data in pieces that end anywhere, empty ones among them, with Pings in between."""
    choice = random.Random(pieces)
    ends = sorted(choice.randrange(len(data) + 1) for _ in range(pieces - 1)) + [len(data)]
    for start, end in zip([0] + ends, ends):
        yield data[start:end]


async def sizes(url):
    async with dial(url) as ws:
        for size in SIZES:
            text = text_of(size)
            for name, data in ("text", text), ("noise", noise(size, size)), ("bytes", text.encode()):
                await ws.send(data)
                tell(size=size, kind=name, same=await ws.recv() == data)
        for data in text_of(2**24), noise(2**24, 1):
            await ws.send(data)
            tell(size=2**24, same=await ws.recv() == data)
        for size in SIZES:
            for data in text_of(size), noise(size, size):
                for pieces in 1, 2, 7, 40:
                    pong = await ws.ping()
                    await ws.send(in_pieces(data, pieces))
                    tell(size=size, pieces=pieces, same=await ws.recv() == data)
                    await pong
        messages = [hexadecimal(i * 50, i % 7) if i % 2 else noise(i * 50, i) for i in range(300)]
        for message in messages:
            await ws.send(message)
        tell(pipelined=[await ws.recv() for _ in messages] == messages)


async def empty(url):
    async with dial(url) as ws:
        for message in "", "", "x", "", b"", ["", "", ""]:
            await ws.send(message)
        tell(same=[await ws.recv() for _ in range(6)] == ["", "", "x", "", b"", ""])


async def echo(ws):
    async for message in ws:
        await ws.send(message)


async def serve(*sets):
    servers = [
        await websockets.serve(
            echo, "127.0.0.1", 0, extensions=[ServerPerMessageDeflateFactory(**json.loads(each))], **LIMITS
        )
        for each in sets
    ]
    tell(ports=[server.sockets[0].getsockname()[1] for server in servers])
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(globals()[sys.argv[1]](*sys.argv[2:]))
