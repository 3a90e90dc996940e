/** What `--help` prints. */

const main = `millrace: a WebSocket engine for Node.js

Usage: millrace <command> [options]

Commands:
  serve     start an echo server with a page to watch it work
  bench     load a server of yours, check its replies and tell how fast it is
  doctor    tell which kernels run here, and why

Options:
  -h, --help       print this, or with a command its options
  -v, --version    print the version

Environment:
  MILLRACE_KERNELS=native|portable    force a tier of kernels
`;

const serve = `Usage: millrace serve [options]

Starts a WebSocket echo server and a page that shows it at work.

Options:
  -p, --port <number>    the port; 0 takes a free one (default: 8080, or a free one if that is taken)
      --host <address>   the address to listen on (default: 127.0.0.1, this machine only)
  -h, --help             print this

Paths:
  /          the page; a WebSocket here is echoed
  /echo      echoes every message; open to pages of any origin
  /stats     the server's counts, as JSON or once a second over a WebSocket; for its own page and for programs

Requests must name the server by an IP address, localhost or the name given with --host, so that no other
site can reach it through a name of its own (DNS rebinding). Ctrl-C closes every connection with 1001.
`;

const bench = `Usage: millrace bench <url> [options]

Loads a WebSocket server, checks every reply, and tells rates and latencies. The server has to echo, unless told
otherwise with --replies. A tenth of the duration goes first, to warm up, and does not count.

Options:
  -c, --connections <number>   connections (default: 64)
  -i, --in-flight <number>     messages that each of them has under way (default: 1)
  -s, --size <bytes>           payload of a message: 64, 16k, 1m (default: 64)
      --text                   text messages in place of binary ones
      --rate <number>          messages a second over all connections, at fixed times, in place of --in-flight; latency
                               counts from when a message was due, so that a server which stalls cannot hide it
  -d, --duration <time>        500ms, 10s, 2m; a number is seconds (default: 10)
      --replies <what>         echo: each reply is the message, in order (default)
                               any: one reply to each message, whatever it is
                               none: nothing is waited for; counts what the server has read
      --deflate                permessage-deflate, which the server has to take
      --insecure               wss: without a check of the certificate
      --ca <file>              wss: certificates to trust, in PEM
      --header <field>         a further field of the request, 'Name: value'; may be repeated
      --protocol <name>        a subprotocol to offer; may be repeated
      --json                   print JSON
  -h, --help                   print this

Exit codes: 0 for done, 1 for a server that did something wrong (told by name: CORRUPT, MISSING, UNEXPECTED, CLOSED,
TIMEOUT, HANDSHAKE), 2 for a wrong command line, 130 for Ctrl-C, which ends the run early and still tells its results.
`;

const doctor = `Usage: millrace doctor [--json]

Tells which tier of kernels runs here and why, and what it runs on. Exits with 1 when the tier that
MILLRACE_KERNELS asks for cannot be had.

Options:
      --json    print JSON
  -h, --help    print this
`;

export const HELP = { main, serve, bench, doctor };
