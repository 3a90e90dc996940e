/** Header fields in the form that node:http has them in. */

import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import type { HeaderList } from '../core/index.js';

/** Header fields as an object without a prototype: a field may be called anything. */
export function headersObject(list: HeaderList): IncomingHttpHeaders {
  const headers: Record<string, string | string[]> = Object.create(null);
  for (const [name, value] of list) {
    const key = name.toLowerCase();
    const before = headers[key];
    // RFC 9110 §5.3: Set-Cookie is the one field whose values cannot be joined.
    if (key === 'set-cookie') headers[key] = [...((before as string[] | undefined) ?? []), value];
    else headers[key] = before === undefined ? value : `${before}, ${value}`;
  }
  return headers;
}

/** Header fields that Node has listed as names and values by turns. */
export function pairsOf(rawHeaders: readonly string[]): HeaderList {
  const headers: [string, string][] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) headers.push([rawHeaders[i], rawHeaders[i + 1]]);
  return headers;
}

/** Header fields as node:http2 takes them: a repeated one as a list. */
export function fieldsOf(headers: HeaderList): OutgoingHttpHeaders {
  const fields: Record<string, string | string[]> = Object.create(null);
  for (const [name, value] of headers) {
    const before = fields[name];
    fields[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
  }
  return fields;
}
