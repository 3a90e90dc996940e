"""What host.js is, for servers in Python."""

import asyncio
import gc
import os
import resource
import ssl
import sys
import threading

IS_ROOM = os.environ.get("BENCH_MODE") == "room"
IS_DEFLATED = os.environ.get("BENCH_DEFLATE") == "1"


def tls_context():
    key = os.environ.get("BENCH_TLS_KEY")
    if key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["BENCH_TLS_CERT"], key)
    return context


def report(server):
    """Tells the port; what is to be said to the server is listened to from then on."""
    loop = asyncio.get_running_loop()

    def collect():
        gc.collect()
        print("GC", flush=True)

    def listen():
        for line in sys.stdin:
            if line.strip() == "gc":
                loop.call_soon_threadsafe(collect)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    print("PORT", server.sockets[0].getsockname()[1], flush=True)


def raise_file_limit():
    """As Node does by itself: a connection needs a file descriptor."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
