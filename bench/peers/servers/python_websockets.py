"""websockets on asyncio, with its own broadcast."""

import asyncio

import websockets

from host import IS_DEFLATED, IS_ROOM, raise_file_limit, report, tls_context

members = set()


async def echo(ws):
    try:
        async for message in ws:
            await ws.send(message)
    except websockets.ConnectionClosed:
        pass


async def room(ws):
    members.add(ws)
    try:
        async for message in ws:
            websockets.broadcast(members, message)
    except websockets.ConnectionClosed:
        pass
    finally:
        members.discard(ws)


async def main():
    raise_file_limit()
    server = await websockets.serve(
        room if IS_ROOM else echo,
        "127.0.0.1",
        0,
        compression="deflate" if IS_DEFLATED else None,
        ssl=tls_context(),
        backlog=1024,
    )
    report(server)
    await asyncio.Future()


asyncio.run(main())
