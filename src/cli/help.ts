/** What `--help` prints. */

const main = `millrace: a WebSocket engine for Node.js

Usage: millrace <command> [options]

Commands:
  serve     start an echo server with a page to watch it work
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

const doctor = `Usage: millrace doctor [--json]

Tells which tier of kernels runs here and why, and what it runs on. Exits with 1 when the tier that
MILLRACE_KERNELS asks for cannot be had.

Options:
      --json    print JSON
  -h, --help    print this
`;

export const HELP = { main, serve, doctor };
