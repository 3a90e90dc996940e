"""wsproto, which does no input and output itself, on an asyncio protocol: one write for whatever a chunk held."""

import asyncio

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Message, Ping, Request, TextMessage
from wsproto.extensions import PerMessageDeflate
from wsproto.utilities import ProtocolError

from host import IS_DEFLATED, IS_ROOM, raise_file_limit, report, tls_context

members = set()


class Server(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.connection = WSConnection(ConnectionType.SERVER)
        self.pieces = []

    def connection_lost(self, error):
        members.discard(self)

    def data_received(self, data):
        try:
            self.connection.receive_data(data)
            out = b"".join([self.answer(event) for event in self.connection.events()])
        except ProtocolError:
            self.transport.abort()
            return
        if out:
            self.transport.write(out)

    def answer(self, event):
        if isinstance(event, Message):
            # A message comes in pieces, as the chunks were.
            self.pieces.append(event.data)
            if not event.message_finished:
                return b""
            empty = "" if isinstance(event, TextMessage) else b""
            message = type(event)(data=empty.join(self.pieces))
            self.pieces.clear()
            if not IS_ROOM:
                return self.connection.send(message)
            for member in members:
                member.transport.write(member.connection.send(message))
            return b""
        if isinstance(event, Request):
            members.add(self)
            return self.connection.send(AcceptConnection(extensions=[PerMessageDeflate()] if IS_DEFLATED else []))
        if isinstance(event, Ping):
            return self.connection.send(event.response())
        if isinstance(event, CloseConnection):
            members.discard(self)
            # What is written before goes out first.
            asyncio.get_running_loop().call_soon(self.transport.close)
            return self.connection.send(event.response())
        return b""


async def main():
    raise_file_limit()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Server, "127.0.0.1", 0, ssl=tls_context(), backlog=1024)
    report(server)
    await server.serve_forever()


asyncio.run(main())
