/** node:http2, which is loaded when it is first used: a server or client of HTTP/1.1 does not pay for it. */

export function http2(): typeof import('node:http2') {
  return process.getBuiltinModule('node:http2');
}
