/**
 * The words of HTTP that a handshake is written in: tokens, field values, lists, hosts and targets. Every test here
 * takes time linear in the length of what it is given, since most of it comes from strangers.
 */

/** The characters of a token (RFC 9110 §5.6.2), for use inside a character class. */
export const TOKEN_CHARACTERS = "!#$%&'*+\\-.^_`|~0-9A-Za-z";

const TOKEN = new RegExp(`^[${TOKEN_CHARACTERS}]+$`);
const FIELD_TEXT = /^[\t\x20-\x7e\x80-\xff]*$/;
const ORIGIN_FORM = /^\/[\x21\x22\x24-\x7e]*$/;
const ABSOLUTE_FORM = /^(?:http|ws)s?:\/\/([^/?]*)(.*)$/i;
const HOST =
  /^(?:\[(?:[0-9a-f:.]+|v[0-9a-f]+\.[\w.~!$&'()*+,;=:-]+)\]|(?:[\w.~!$&'()*+,;=-]|%[0-9a-f]{2})+)(?::\d{0,5})?$/i;

/** Whether `value` is a token (RFC 9110 §5.6.2). */
export function isToken(value: string): boolean {
  return typeof value === 'string' && TOKEN.test(value);
}

/**
 * Whether every character of `value` may stand in a field value (RFC 9110 §5.5). Beyond CR, LF and NUL this refuses
 * characters above U+00FF: written as latin1 they would lose their high byte, and U+010A would become a line feed.
 */
export function isFieldText(value: string): boolean {
  return typeof value === 'string' && FIELD_TEXT.test(value);
}

/** Whether `value` is a field value as it may be sent: one that a reader gets back exactly, hence without outer OWS. */
export function isFieldValue(value: string): boolean {
  return isFieldText(value) && trimOws(value) === value;
}

/**
 * Whether `value` is a host with an optional port, as in a Host field (RFC 9110 §7.2, RFC 3986 §3.2). An empty host is
 * none here: http and ws URIs always have one. Userinfo is refused (RFC 9110 §4.2.4).
 */
export function isHost(value: string): boolean {
  return typeof value === 'string' && HOST.test(value);
}

/** Whether `value` is a request target in origin form: visible ASCII from `/` on, and no fragment. */
export function isOriginForm(value: string): boolean {
  return typeof value === 'string' && ORIGIN_FORM.test(value);
}

/**
 * Takes a target in absolute form apart (RFC 9112 §3.2.2).
 *
 * @returns its authority, and the rest in origin form; null when it is not an absolute http(s) or ws(s) URI
 */
export function splitAbsoluteForm(target: string): { readonly host: string; readonly target: string } | null {
  const match = ABSOLUTE_FORM.exec(target);
  if (match === null) return null;
  const [, host, rest] = match;
  return { host, target: rest.startsWith('/') ? rest : `/${rest}` };
}

/** `value` without the optional whitespace around it. By hand: `/[ \t]+$/` is quadratic in inner whitespace. */
export function trimOws(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isOws(value.charCodeAt(start))) start++;
  while (end > start && isOws(value.charCodeAt(end - 1))) end--;
  return value.slice(start, end);
}

function isOws(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** The elements of a comma-separated list, trimmed, empty ones included; `values` are those of a repeated field. */
export function splitList(values: readonly string[]): string[] {
  return values.join(',').split(',').map(trimOws);
}

/** Whether a list such as that of Connection or Upgrade has `element`, given in lower case, in any case. */
export function listHas(values: readonly string[], element: string): boolean {
  return splitList(values).some((found) => found.toLowerCase() === element);
}
