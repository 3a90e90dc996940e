"""A server of WebSockets over HTTP/2 made of python3-h2 and python3-wsproto; prints its port, then a line of JSON for
each thing that happens.

What it does with a request, its path says, and with a WebSocket its messages do. The arguments are options as JSON
(`connect`: whether it takes extended CONNECT, `deflate`, `settings`), and for TLS the files of a certificate and its key.
"""

import json
import socket
import ssl
import sys
import threading
from urllib.parse import unquote

from h2 import events as h2_events
from h2.config import H2Configuration
from h2.connection import ConnectionInputs, ConnectionState, H2Connection, H2ConnectionStateMachine
from h2.settings import SettingCodes, Settings
from hyperframe.frame import ContinuationFrame, HeadersFrame
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.extensions import PerMessageDeflate
from wsproto.handshake import server_extensions_handshake

# In h2 nothing goes on after GOAWAY; in HTTP/2 all streams do that there are (RFC 9113 §6.8).
OPEN = ConnectionState.SERVER_OPEN
H2ConnectionStateMachine._transitions[(OPEN, ConnectionInputs.RECV_GOAWAY)] = (None, OPEN)

lock = threading.Lock()


def tell(**fields):
    with lock:
        print(json.dumps(fields), flush=True)


options = json.loads(sys.argv[1])


class Stream:
    def __init__(self, session, stream_id, path, fields):
        self.session = session
        self.id = stream_id
        self.path = path
        self.fields = fields
        self.ws = None
        self.out = b""
        self.ends = False
        self.ended = False
        self.pad = None
        self.whole = None
        self.code = 1006

    # Requests.

    def answer(self):
        _, *words = self.path.split("?")[0].split("/")
        getattr(self, "do_" + words[0].replace("-", "_"), self.accept)(*words[1:])

    def respond(self, status, *fields, end=False):
        self.session.h2.send_headers(self.id, [(":status", str(status)), *fields], end)

    def accept(self, *_, more=()):
        fields = [*more]
        extensions = []
        offered = self.fields.get("sec-websocket-extensions")
        if offered and options.get("deflate"):
            deflate = PerMessageDeflate()
            extensions.append(deflate)
            fields.append(("sec-websocket-extensions", server_extensions_handshake([offered], extensions)))
        protocols = self.fields.get("sec-websocket-protocol", "").split(", ")
        if "chat" in protocols:
            fields.append(("sec-websocket-protocol", "chat"))
        self.respond(200, *fields)
        self.ws = Connection(ConnectionType.SERVER, extensions)

    def do_interim(self):
        self.respond(103, ("link", "</style.css>; rel=preload"))
        self.respond(102)
        self.accept()

    def do_status(self, status):
        self.respond(status, ("x-why", "because"), ("content-length", "7"))
        self.send(b"not you", end=True)

    def do_empty(self, status):
        self.respond(status, end=True)

    def do_redirect(self):
        self.respond(302, ("location", "https://localhost/elsewhere"), end=True)

    def do_trailers(self, status):
        self.respond(status)
        self.session.h2.send_data(self.id, b"a body")
        self.session.h2.send_headers(self.id, [("late", "field")], end_stream=True)

    def do_reset(self, code):
        self.session.h2.reset_stream(self.id, int(code))

    def do_body_reset(self, code):
        self.respond(500)
        self.session.h2.send_data(self.id, b"begun")
        self.session.h2.reset_stream(self.id, int(code))

    def do_accept_end(self):
        self.respond(200, end=True)

    def do_data_first(self):
        # h2 would not.
        self.session.raw += bytes([0, 0, 1, 0, 0]) + self.id.to_bytes(4, "big") + b"x"

    def do_nothing(self):
        pass

    def do_answer(self):
        """As the query says: a list of fields, :status among them."""
        fields = json.loads(unquote(self.path.split("?", 1)[1]))
        self.session.h2.send_headers(self.id, [tuple(field) for field in fields])
        self.ws = Connection(ConnectionType.SERVER)

    def do_continued(self):
        session = self.session
        session.flush()
        self.accept(more=[("x-long", "y" * 100)])
        wire = session.h2.data_to_send()
        block = wire[9:]
        size = -(-len(block) // 8)
        parts = [HeadersFrame(self.id, block[:size], flags=[]), ContinuationFrame(self.id, b"")]
        parts += [ContinuationFrame(self.id, block[i : i + size]) for i in range(size, len(block), size)]
        parts[-1].flags.add("END_HEADERS")
        session.raw += b"".join(part.serialize() for part in parts)

    def do_padded(self):
        self.pad = 255
        self.accept()

    def do_early(self):
        """What it says comes with the answer."""
        self.accept()
        self.say("welcome")

    def do_goaway(self, code):
        self.accept()
        self.session.h2_goaway(int(code), self.id)

    def do_goaway_before(self):
        """Of the first such request nothing is done."""
        if options.get("went"):
            self.accept()
        else:
            options["went"] = True
            self.session.h2_goaway(0, max(0, self.id - 2))

    # WebSockets.

    def receive(self, data):
        if self.ws is None:
            return
        self.ws.receive_data(data)
        for event in self.ws.events():
            if isinstance(event, (TextMessage, BytesMessage)):
                self.whole = event.data if self.whole is None else self.whole + event.data
                if event.message_finished:
                    message, self.whole = self.whole, None
                    self.obey(message)
            elif isinstance(event, Ping):
                self.send(self.ws.send(event.response()))
            elif isinstance(event, Pong):
                self.say("you are")
            elif isinstance(event, CloseConnection):
                self.code = int(event.code)
                tell(path=self.path, code=self.code, reason=event.reason)
                if self.ws.state.name == "REMOTE_CLOSING":
                    self.send(self.ws.send(event.response()))
                self.send(b"", end=True)

    def obey(self, message):
        session = self.session
        command, *words = message.split(" ") if isinstance(message, str) and len(message) < 100 else [None]
        if command == "ping":
            self.send(self.ws.send(Ping(b"are you there")))
        elif command == "fragment":
            for piece, last in (("frag", False), ("", False), ("mented 😀", True)):
                self.send(self.ws.send(TextMessage(piece, message_finished=last)))
        elif command == "pieces":
            data = self.ws.send(TextMessage("in pieces 😀"))
            for i in range(len(data)):
                session.h2.send_data(self.id, data[i : i + 1])
                session.h2.send_data(self.id, b"", pad_length=0)
        elif command == "close":
            self.send(self.ws.send(CloseConnection(code=int(words[0]), reason=words[1] if len(words) > 1 else None)))
        elif command == "closed":
            # With all that is to be said.
            self.send(self.ws.send(CloseConnection(code=int(words[0]))), end=True)
        elif command == "end":
            self.send(b"", end=True)
        elif command == "reset":
            session.h2.reset_stream(self.id, int(words[0]))
        elif command == "trailers":
            self.ends = self.ended = True
            session.h2.send_headers(self.id, [("late", "field")], end_stream=True)
        elif command == "headers":
            # Trailers would have END_STREAM, and h2 insists.
            frame = HeadersFrame(self.id, session.h2.encoder.encode([("late", "field")]), flags=["END_HEADERS"])
            session.raw += frame.serialize()
        elif command == "mask":
            self.send(bytes([0x81, 0x80, 0, 0, 0, 0]))
        elif command == "goaway":
            session.h2_goaway(int(words[0]), session.h2.highest_inbound_stream_id)
        elif command == "hang":
            session.hang_up = True
        else:
            self.say(message)

    def say(self, message):
        event = TextMessage if isinstance(message, str) else BytesMessage
        self.send(self.ws.send(event(data=message)))

    def send(self, data, end=False):
        self.out += data
        self.ends = self.ends or end
        self.push()

    def push(self):
        h2 = self.session.h2
        while self.out:
            room = min(h2.local_flow_control_window(self.id), h2.max_outbound_frame_size)
            room -= 0 if self.pad is None else self.pad + 1
            if room <= 0:
                return
            h2.send_data(self.id, self.out[:room], pad_length=self.pad)
            self.out = self.out[room:]
        if self.ends and not self.ended:
            self.ended = True
            h2.end_stream(self.id)


class Session:
    def __init__(self, sock):
        self.socket = sock
        self.raw = b""
        self.streams = {}
        self.hang_up = False
        self.h2 = H2Connection(
            H2Configuration(
                client_side=False,
                header_encoding="utf-8",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        settings = {int(key): value for key, value in options.get("settings", {}).items()}
        if options.get("connect", True):
            settings[SettingCodes.ENABLE_CONNECT_PROTOCOL] = 1
        self.h2.local_settings = Settings(client=False, initial_values=settings)
        self.h2.initiate_connection()
        self.flush()

    def h2_goaway(self, code, last):
        self.raw += bytes([0, 0, 8, 7, 0, 0, 0, 0, 0]) + last.to_bytes(4, "big") + code.to_bytes(4, "big")

    def flush(self):
        data = self.h2.data_to_send() + self.raw
        self.raw = b""
        self.socket.sendall(data)

    def serve(self):
        tell(session="open")
        try:
            while not self.hang_up:
                data = self.socket.recv(65536)
                if not data:
                    break
                for event in self.h2.receive_data(data):
                    self.handle(event)
                self.flush()
        except OSError:
            pass
        self.socket.close()
        tell(session="closed")

    def handle(self, event):
        stream = self.streams.get(getattr(event, "stream_id", None))
        if isinstance(event, h2_events.RequestReceived):
            fields = dict(event.headers)
            tell(request=event.headers, ended=event.stream_ended is not None)
            stream = Stream(self, event.stream_id, fields[":path"], fields)
            self.streams[event.stream_id] = stream
            stream.answer()
        elif isinstance(event, h2_events.DataReceived):
            if event.flow_controlled_length > 0:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if event.data:
                stream.receive(event.data)
        elif isinstance(event, h2_events.StreamEnded):
            tell(path=stream.path, ended=True)
            if stream.ws is not None:
                stream.send(b"", end=True)
        elif isinstance(event, h2_events.StreamReset):
            tell(path=stream.path, reset=int(event.error_code))
        elif isinstance(event, (h2_events.WindowUpdated, h2_events.RemoteSettingsChanged)):
            for each in self.streams.values():
                if each.out:
                    each.push()
        elif isinstance(event, h2_events.ConnectionTerminated):
            tell(goaway=int(event.error_code))


def main():
    context = None
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*sys.argv[2:])
        context.set_alpn_protocols(["h2"])
    listening = socket.create_server(("127.0.0.1", 0))
    tell(port=listening.getsockname()[1])

    def serve(sock):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Session(context.wrap_socket(sock, server_side=True) if context else sock).serve()
        except (OSError, ssl.SSLError):
            tell(session="failed")

    def accept():
        while True:
            sock, _ = listening.accept()
            threading.Thread(target=serve, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


main()
