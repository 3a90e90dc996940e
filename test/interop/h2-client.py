"""A client of WebSockets over HTTP/2 made of python3-h2 and python3-wsproto, one line of JSON for each thing that happened.

Nothing of h2's own validation is on, so that every header block goes out as it is written here. The arguments are what
to do, a port, the file of the authority to trust or '' for HTTP/2 without TLS, and more as JSON for some.
"""

import json
import socket
import ssl
import sys

from h2 import events as h2_events
from h2.config import H2Configuration
from h2.connection import ConnectionInputs, ConnectionState, H2Connection, H2ConnectionStateMachine
from h2.settings import SettingCodes, Settings
from hyperframe.frame import ContinuationFrame, HeadersFrame
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.extensions import PerMessageDeflate

# In h2 nothing goes on after GOAWAY; in HTTP/2 all streams do that there are (RFC 9113 §6.8).
OPEN = ConnectionState.CLIENT_OPEN
for each in (ConnectionInputs.SEND_GOAWAY, ConnectionInputs.RECV_GOAWAY):
    H2ConnectionStateMachine._transitions[(OPEN, each)] = (None, OPEN)

NO_ERROR, PROTOCOL_ERROR, CANCEL = 0, 1, 8


def tell(**fields):
    print(json.dumps(fields), flush=True)


def noise(size):
    return bytes((i * 31 + size) & 0xFF for i in range(size))


def request(path="/", *fields, scheme="https"):
    return [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", scheme),
        (":path", path),
        (":authority", "localhost"),
        ("sec-websocket-version", "13"),
        *fields,
    ]


class Stream:
    """A stream, and the WebSocket on it once it was accepted."""

    def __init__(self, session, stream_id):
        self.session = session
        self.id = stream_id
        self.status = None
        self.headers = {}
        self.ended = False
        self.reset = None
        self.deflate = None
        self.body = b""
        self.ws = None
        self.got = []  # Whole messages, pongs, and the Close.
        self.part = None
        self.frames = 0  # DATA frames.

    # What comes.

    def accept(self):
        extensions = []
        if "sec-websocket-extensions" in self.headers:
            self.deflate.finalize(self.headers["sec-websocket-extensions"])
            extensions.append(self.deflate)
        self.ws = Connection(ConnectionType.CLIENT, extensions)

    def receive(self, data):
        if self.ws is None:
            self.body += data
            return
        self.frames += 1
        self.ws.receive_data(data)
        for event in self.ws.events():
            if isinstance(event, (TextMessage, BytesMessage)):
                self.part = event.data if self.part is None else self.part + event.data
                if event.message_finished:
                    self.got.append(self.part)
                    self.part = None
            elif isinstance(event, Ping):
                self.raw(self.ws.send(event.response()))
            elif isinstance(event, Pong):
                self.got.append(("pong", bytes(event.payload)))
            elif isinstance(event, CloseConnection):
                self.got.append(("close", int(event.code), event.reason or ""))

    @property
    def close(self):
        return next(([*each[1:]] for each in self.got if isinstance(each, tuple) and each[0] == "close"), None)

    @property
    def over(self):
        return self.ended or self.reset is not None

    # What goes.

    def raw(self, data, pad=None):
        """Bytes in as many DATA frames as the windows ask for; waits where they are used up."""
        session = self.session
        while data:
            room = min(session.h2.local_flow_control_window(self.id), session.h2.max_outbound_frame_size)
            room -= 0 if pad is None else pad + 1
            if room <= 0:
                session.flush()
                session.read()
                if self.reset is not None:
                    return
                continue
            session.h2.send_data(self.id, data[:room], pad_length=pad)
            data = data[room:]
        session.flush()

    def send(self, message, finished=True, pad=None):
        event = TextMessage if isinstance(message, str) else BytesMessage
        self.raw(self.ws.send(event(data=message, message_finished=finished)), pad)

    def end(self):
        self.session.h2.end_stream(self.id)
        self.session.flush()

    def message(self):
        """The next message, once it has come."""
        self.session.until(lambda: self.got or self.over)
        return self.got.pop(0) if self.got else None

    def echoes(self, message):
        self.send(message)
        return self.message() == message

    def shut(self, code=1000, reason=None):
        """Closes in order: the Close, its answer, and END_STREAM both ways."""
        self.raw(self.ws.send(CloseConnection(code=code, reason=reason)))
        self.session.until(lambda: self.over)
        if self.reset is None:
            self.end()
        return {"close": self.close, "ended": self.ended, "reset": self.reset}


class Session:
    def __init__(self, port, ca, settings=None):
        self.scheme = "https" if ca else "http"
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if ca:
            context = ssl.create_default_context(cafile=ca)
            context.set_alpn_protocols(["h2"])
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
            assert self.socket.selected_alpn_protocol() == "h2"
        self.h2 = H2Connection(
            H2Configuration(
                client_side=True,
                header_encoding="utf-8",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
            )
        )
        self.streams = {}
        self.ponged = 0
        self.terminated = None
        self.closed = False
        self.automatic = True  # Whether windows are given back.
        if settings:
            self.h2.local_settings = Settings(client=True, initial_values=settings)
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        try:
            self.socket.sendall(self.h2.data_to_send())
        except ConnectionError:
            self.closed = True

    def read(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        if data == b"":
            self.closed = True
            return
        for event in self.h2.receive_data(data):
            stream = self.streams.get(getattr(event, "stream_id", None))
            if isinstance(event, h2_events.ResponseReceived):
                stream.headers = dict(event.headers)
                stream.status = int(stream.headers[":status"])
                if stream.status < 300:
                    stream.accept()
            elif isinstance(event, h2_events.DataReceived):
                if self.automatic and event.flow_controlled_length > 0:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if event.data:
                    stream.receive(event.data)
            elif isinstance(event, h2_events.StreamEnded):
                stream.ended = True
            elif isinstance(event, h2_events.StreamReset):
                stream.reset = int(event.error_code)
            elif isinstance(event, h2_events.PingAckReceived):
                self.ponged += 1
            elif isinstance(event, h2_events.ConnectionTerminated):
                self.terminated = int(event.error_code)
        self.flush()

    def until(self, done):
        while not done() and not self.closed:
            self.read()

    def settle(self):
        """Waits until the server has answered all that it was sent before."""
        before = self.ponged
        self.h2.ping(b"settled?")
        self.flush()
        self.until(lambda: self.ponged > before)

    def ask(self, headers, end_stream=False):
        """Sends a header block."""
        stream = Stream(self, self.h2.get_next_available_stream_id())
        self.streams[stream.id] = stream
        self.h2.send_headers(stream.id, headers, end_stream)
        return stream

    def answered(self, stream):
        self.flush()
        self.until(lambda: stream.status is not None or stream.over)
        return stream

    def open(self, path="/", *fields, deflate=None):
        stream = self.ask(request(path, *fields, scheme=self.scheme))
        stream.deflate = deflate
        self.answered(stream)
        assert stream.status == 200, (stream.status, stream.reset)
        return stream


def new_session(settings=None):
    return Session(int(sys.argv[2]), sys.argv[3], settings)


def more():
    return json.loads(sys.argv[4])


def echo():
    session = new_session()
    offered = ("sec-websocket-protocol", "a, chat")
    ws = session.open("/chat?x", offered)
    connect = session.h2.remote_settings.get(SettingCodes.ENABLE_CONNECT_PROTOCOL)
    tell(protocol=ws.headers.get("sec-websocket-protocol"), accept="sec-websocket-accept" in ws.headers, connect=connect)
    wrong = []
    for size in (0, 1, 125, 126, 127, 65535, 65536, 2**20 + 1):
        if not ws.echoes(noise(size)):
            wrong.append(f"bytes {size}")
        for character in "aé語😀":
            text = character * (size // len(character.encode()))
            if not ws.echoes(text):
                wrong.append(f"{character} {size}")
    for piece, finished in (("frag", False), ("", False), ("mented 😀", True)):
        ws.send(piece, finished)
    tell(wrong=wrong, fragmented=ws.message())
    ws.raw(ws.ws.send(Ping(b"p" * 125)))
    tell(ponged=ws.message() == ("pong", b"p" * 125))
    others = [session.open(f"/{i}") for i in range(50)]
    for turn in range(5):
        for i, other in enumerate(others):
            other.send(noise(turn * 1000 + i))
    tell(interleaved=all(o.message() == noise(turn * 1000 + i) for turn in range(5) for i, o in enumerate(others)))
    tell(shut=ws.shut(3001, "grüße"))
    tell(others=all(o.echoes("still there") for o in others))
    tell(closes=[o.shut()["close"] for o in others] == [[1000, ""]] * 50)
    session.settle()
    tell(terminated=session.terminated, closed=session.closed)


def deflate():
    session = new_session()
    for options in (
        {},
        {"client_no_context_takeover": True, "server_no_context_takeover": True},
        {"client_max_window_bits": 10, "server_max_window_bits": 9},
    ):
        extension = PerMessageDeflate(**options)
        offer = extension.offer()
        offer = "permessage-deflate" + (f"; {offer}" if isinstance(offer, str) and offer else "")
        ws = session.open("/", ("sec-websocket-extensions", offer), deflate=extension)
        texts = ["much of the same " * 4000, "", "a", "😀" * 3000] * 3
        echoes = [ws.echoes(text) for text in texts] + [ws.echoes(noise(100_000))]
        agreed = ws.headers.get("sec-websocket-extensions", "")
        tell(agreed=agreed.split(";")[0], enabled=extension.enabled(), echoes=all(echoes), shut=ws.shut()["close"])


def ends():
    """The ways in which one WebSocket ends while another goes on."""
    session = new_session()
    other = session.open("/other")

    def after(name, stream, **fields):
        session.settle()
        state = {"close": stream.close, "ended": stream.ended, "reset": stream.reset}
        tell(name=name, other=other.echoes("still there"), **state, **fields)

    for said in ("close 4005 because", "close 1000 ", "terminate"):
        ws = session.open("/" + said.split(" ")[0])
        ws.send(said)
        session.until(lambda: ws.close or ws.over)
        if ws.close:
            ws.raw(ws.ws.send(CloseConnection(code=ws.close[0])))
            session.until(lambda: ws.over)
            ws.end()
        after(said, ws)

    ws = session.open("/end")
    ws.end()
    session.until(lambda: ws.over)
    after("END_STREAM", ws)

    ws = session.open("/end-in-message")
    ws.send("begun", False)
    ws.end()
    session.until(lambda: ws.over)
    after("END_STREAM in a message", ws)

    ws = session.open("/close-end")
    session.h2.send_data(ws.id, ws.ws.send(CloseConnection(code=3000, reason="both")), end_stream=True)
    session.flush()
    session.until(lambda: ws.over)
    after("Close with END_STREAM", ws)

    for code in (NO_ERROR, PROTOCOL_ERROR, CANCEL):
        ws = session.open(f"/reset-{code}")
        session.h2.reset_stream(ws.id, code)
        after(f"RST_STREAM {code}", ws)

    ws = session.open("/trailers")
    session.h2.send_headers(ws.id, [("late", "field")], end_stream=True)
    session.flush()
    session.until(lambda: ws.over)
    after("trailers", ws)

    for name, wire in (
        ("utf8", bytes([0x81, 0x81, 0, 0, 0, 0, 0xFF])),
        ("opcode", bytes([0x83, 0x80, 0, 0, 0, 0])),
        ("unmasked", bytes([0x81, 0x01, 0x61])),
        ("size", bytes([0x82, 0xFF, 0, 0, 0, 0, 0x7F, 0, 0, 0, 0, 0, 0, 0])),
    ):
        ws = session.open(f"/{name}")
        ws.raw(wire)
        session.until(lambda: ws.over)
        after(name, ws)
    tell(shut=other.shut(), terminated=session.terminated)


def refused():
    session = new_session()
    other = session.open("/other")
    for path in ("/refused", "/empty"):
        stream = session.answered(session.ask(request(path, scheme=session.scheme)))
        session.until(lambda: stream.over)
        session.settle()
        fields = {name: value for name, value in stream.headers.items() if not name.startswith(":") and name != "date"}
        tell(status=stream.status, fields=fields, body=stream.body.decode(), ended=stream.ended, reset=stream.reset)
    tell(other=other.echoes("there"))


def rules():
    """Header blocks that break a rule each, and what comes back."""
    session = new_session()
    other = session.open("/other")
    for name, headers, end_stream in more():
        stream = session.answered(session.ask([tuple(field) for field in headers], end_stream))
        session.settle()
        said = {"status": stream.status, "reset": stream.reset, "version": stream.headers.get("sec-websocket-version")}
        if stream.ws is not None:
            said["echo"] = stream.echoes("hello") and stream.shut()["close"]
        tell(name=name, other=other.echoes(name), **said)
    tell(another=session.open("/another").echoes("too"), terminated=session.terminated, closed=session.closed)


def goaway():
    session = new_session()
    streams = [session.open(f"/{i}") for i in range(3)]
    session.h2.close_connection(more())
    session.flush()
    for ws in streams:
        session.until(lambda: ws.close or ws.over)
    for ws in streams:
        if ws.close:
            ws.raw(ws.ws.send(CloseConnection(code=ws.close[0])))
    for ws in streams:
        session.until(lambda: ws.over)
        if ws.close:
            ws.end()
    session.until(lambda: False)
    tell(ends=[ws.close for ws in streams], closed=session.closed)


def vanish():
    """This end of the connection ends without a word of HTTP/2."""
    session = new_session()
    for i in range(3):
        session.open(f"/{i}")
    session.socket.shutdown(socket.SHUT_WR)
    session.until(lambda: False)
    tell(closed=session.closed)


def closing():
    """The server is to close when all are there."""
    session = new_session()
    streams = [session.open(f"/{i}") for i in range(3)]
    tell(open=3)
    for ws in streams:
        session.until(lambda: ws.close or ws.over)
    for ws in streams:
        ws.raw(ws.ws.send(CloseConnection(code=ws.close[0])))
        session.until(lambda: ws.over)
        ws.end()
    if more() == "session":
        session.until(lambda: False)
    ended = all(ws.ended and ws.reset is None for ws in streams)
    tell(ends=[ws.close for ws in streams], ended=ended, terminated=session.terminated, closed=session.closed)


def windows():
    # Of a byte, and a byte more for each that comes.
    session = new_session({SettingCodes.INITIAL_WINDOW_SIZE: 1})
    narrow = session.open("/narrow")
    text = "a byte at a time: 😀" * 10
    narrow.send(text)
    tell(narrow=narrow.message() == text, frames=narrow.frames)

    # None at all: what was said waits, and others go on; then as large as can be.
    session = new_session({SettingCodes.INITIAL_WINDOW_SIZE: 0})
    held = session.open("/held")
    free = session.open("/free")
    session.h2.increment_flow_control_window(2**20, free.id)
    session.h2.increment_flow_control_window(2**20)
    session.flush()
    held.send(noise(60_000))
    tell(free=all(free.echoes(noise(i)) for i in range(100)), held=held.frames)
    session.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 2**30})
    session.h2.increment_flow_control_window(2**31 - 1 - session.h2.inbound_flow_control_window)
    session.flush()
    tell(released=held.message() == noise(60_000))
    large = noise(2**20) * 4
    tell(large=held.echoes(large))

    # The settings change while a message is on its way, to less than what is used up already: the window is negative.
    session = new_session()
    ws = session.open("/negative")
    session.automatic = False
    ws.send(noise(200_000))
    session.until(lambda: session.h2.remote_flow_control_window(ws.id) == 0)
    session.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1000})
    session.settle()
    session.automatic = True
    session.h2.acknowledge_received_data(65535, ws.id)
    session.h2.increment_flow_control_window(200_000, ws.id)
    session.flush()
    tell(negative=ws.message() == noise(200_000))


def frames():
    """The same bytes in other frames: padding, pieces of a byte, empty ones, CONTINUATION, all in one write."""
    session = new_session()
    ws = session.open("/padded")
    ws.send("padded " * 5000, pad=255)
    tell(padded=ws.message() == "padded " * 5000)
    data = ws.ws.send(TextMessage("in pieces 😀"))
    for i in range(len(data)):
        session.h2.send_data(ws.id, data[i : i + 1])
        session.h2.send_data(ws.id, b"")
    session.flush()
    tell(pieces=ws.message())

    stream = session.ask(request("/continued", ("x-long", "y" * 200), scheme=session.scheme))
    wire = session.h2.data_to_send()
    assert wire[3] == 1 and len(wire) == 9 + int.from_bytes(wire[:3], "big")
    block = wire[9:]
    # No more than eight may follow in nghttp2 (CVE-2024-28182).
    size = -(-len(block) // 8)
    parts = [HeadersFrame(stream.id, block[:size], flags=[]), ContinuationFrame(stream.id, b"")]
    parts += [ContinuationFrame(stream.id, block[i : i + size]) for i in range(size, len(block), size)]
    parts[-1].flags.add("END_HEADERS")
    for part in parts:
        session.socket.sendall(part.serialize())
    session.answered(stream)
    tell(continued=stream.echoes("continued"), parts=len(parts))

    # Before the server's settings have come, a request and what is said on it, with more to follow.
    session = new_session()
    early = session.ask(request("/early", scheme=session.scheme))
    early.ws = Connection(ConnectionType.CLIENT)
    session.h2.send_data(early.id, early.ws.send(TextMessage("early ")))
    session.h2.send_data(early.id, early.ws.send(TextMessage("bird")))
    kept = early.ws
    early.accept = lambda: setattr(early, "ws", kept)
    session.flush()
    tell(early=[early.message(), early.message()], status=early.status)


globals()[sys.argv[1]]()
