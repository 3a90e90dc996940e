/**
 * Who may talk to the server of `millrace serve`.
 *
 * A page on any site can open a connection to a server on this machine, and a site whose name suddenly resolves to
 * 127.0.0.1 (DNS rebinding) even counts as that server's own origin. The first may have its messages echoed, which
 * gives it nothing it did not have, but learns nothing of the server; the second is turned away by the name it uses.
 */

import { isIP } from 'node:net';

/** Decides by the `Host` field whether a request is meant for this server. */
export class HostCheck {
  readonly #own: string;

  /** @param own the host that the server was told to listen on */
  constructor(own: string) {
    this.#own = own.toLowerCase();
  }

  /** Whether an authority names an address, localhost or the host of this server: names that no other site owns. */
  accepts(authority: string | undefined): boolean {
    if (authority === undefined) return false;
    const match = /^(?:\[(?<v6>[\da-f:.]+)\]|(?<name>[^:[\]]+))(?::\d{1,5})?$/i.exec(authority);
    const { v6, name = '' } = match?.groups ?? {};
    if (v6 !== undefined) return isIP(v6) === 6;
    const host = name.toLowerCase();
    return host === 'localhost' || host.endsWith('.localhost') || host === this.#own || isIP(host) === 4;
  }
}

/** Whether a request comes from a page of its own host, or from no page at all: only browsers send `Origin`. */
export function isOwnOrigin(origin: string | undefined, authority: string): boolean {
  if (origin === undefined) return true;
  return (
    /^https?:\/\//i.test(origin) && origin.slice(origin.indexOf('//') + 2).toLowerCase() === authority.toLowerCase()
  );
}

/** Whether only this machine can reach an address. */
export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');
}

/** Where a browser on this machine finds a server that listens on `address`. */
export function authorityOf(address: string, port: number): string {
  if (address === '0.0.0.0' || address === '::') return `localhost:${port}`;
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}
