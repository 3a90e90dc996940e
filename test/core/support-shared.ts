/** What the tests of frames for many share: agreements of every kind, and peers that decode. */

import { Connection } from '../../src/core/connection.js';
import type { Extension, SharedEncoder } from '../../src/core/extensions/extension.js';
import { RSV2, RSV3 } from '../../src/core/extensions/extension.js';
import { clientExtensionsHandshake, serverExtensionsHandshake } from '../../src/core/extensions/negotiation.js';
import { PerMessageDeflate, type PerMessageDeflateOptions } from '../../src/core/extensions/permessage-deflate.js';
import type { ConnectionOptions } from '../../src/core/options.js';
import type { ConnectionType } from '../../src/core/state.js';
import { CLIENT, SERVER } from './support.js';

const flip = (data: Uint8Array, by: number): Uint8Array => data.map((byte) => byte ^ by);

/** An extension that flips bits, and shares nothing. */
export function flipping(by: number, rsv: number): Extension {
  return {
    name: `x-flip-${by}`,
    rsv,
    decode: (data) => flip(data, by),
    encode: (payload, first) => ({ payload: flip(payload, by), rsv: first ? rsv : 0 }),
  };
}

/** An encoder that flips bits, and counts what it is asked for. */
export function flippingEncoder(by: number, rsv: number) {
  const counts = { messages: 0 };
  const encoder: SharedEncoder = {
    forMessage: () => ({
      encode(payload) {
        counts.messages++;
        return { payload: flip(payload, by), rsv };
      },
      encoded() {
        throw new Error('nothing was to be encoded elsewhere');
      },
    }),
    takesLong: () => false,
  };
  return { encoder, counts };
}

/** One of a connection's, with an encoder for many. */
export function sharing(by: number, rsv: number, shared: SharedEncoder): Extension & { interpositions: number } {
  return {
    ...flipping(by, rsv),
    shared,
    interpositions: 0,
    interposed() {
      this.interpositions++;
    },
  };
}

/** What a server and a client agree on, each with its own configuration. */
export function agree(server: PerMessageDeflate, client: PerMessageDeflateOptions | PerMessageDeflate) {
  const other = client instanceof PerMessageDeflate ? client : new PerMessageDeflate(client);
  const offers = other.offers().map((params) => ({ name: other.name, params }));
  const { header, extensions } = serverExtensionsHandshake(offers, [server]);
  return { server: extensions, client: clientExtensionsHandshake(header as string, [other]) };
}

/** Two connections that speak to each other: the first is the one that sends. */
export interface Line {
  readonly name: string;
  readonly sender: Connection;
  readonly receiver: Connection;
}

/** One line for each kind of agreement. `settings` are those of all who compress. */
export function lines(settings: PerMessageDeflateOptions = {}, options: ConnectionOptions = {}): Line[] {
  const deflate = new PerMessageDeflate(settings);
  const { encoder } = flippingEncoder(0x0f, RSV3);
  const line = (
    name: string,
    type: ConnectionType,
    ours: readonly Extension[] = [],
    theirs: readonly Extension[] = [],
  ): Line => ({
    name,
    sender: new Connection(type, ours, { sendHardLimit: Number.POSITIVE_INFINITY, ...options }),
    receiver: new Connection(type === SERVER ? CLIENT : SERVER, theirs, { maxMessageSize: Number.POSITIVE_INFINITY }),
  });
  const compressing = (name: string, client: PerMessageDeflateOptions): Line => {
    const agreed = agree(deflate, client);
    return line(name, SERVER, agreed.server, agreed.client);
  };
  const fromClient = agree(new PerMessageDeflate(), settings);
  const both = agree(deflate, {});
  return [
    line('nothing', SERVER),
    compressing('deflate', {}),
    compressing('deflate again', {}),
    compressing('no takeover', { serverNoContextTakeover: true }),
    compressing('window of 9', { serverMaxWindowBits: 9 }),
    line('a client', CLIENT),
    line('a client with deflate', CLIENT, fromClient.client, fromClient.server),
    line('an extension that shares nothing', SERVER, [flipping(0x55, RSV2)], [flipping(0x55, RSV2)]),
    line('an extension that shares', SERVER, [sharing(0x0f, RSV3, encoder)], [flipping(0x0f, RSV3)]),
    line('two extensions', SERVER, [flipping(0x55, RSV2), ...both.server], [flipping(0x55, RSV2), ...both.client]),
  ];
}

export type Message = readonly [type: 'text' | 'bytes', data: string];

/** A message that is unlike others but for much of what it says. */
export function messageOf(number: number, size: number, isText: boolean): string {
  const words = isText
    ? `${number} grüße · what is said twice is said once `
    : `${number} \u00e9\u0000\u00ff said once `;
  return words.repeat(Math.ceil(size / words.length)).slice(0, size);
}

/** The data of a message, as it is sent: bytes are what Latin-1 makes of it. */
export function payloadOf([type, data]: Message): string | Buffer {
  return type === 'text' ? data : Buffer.from(data, 'latin1');
}

/** Hands bytes to a connection, and adds the messages that come of it. */
export function deliver(bytes: Uint8Array, receiver: Connection, found: Message[], pings: string[] = []): void {
  receiver.receiveData(Uint8Array.from(bytes));
  for (const event of receiver.events()) {
    if (event.type === 'text') found.push(['text', event.data as string]);
    else if (event.type === 'bytes') found.push(['bytes', Buffer.from(event.data).toString('latin1')]);
    else if (event.type === 'ping') pings.push(Buffer.from(event.payload).toString());
    else if (event.type === 'close' && event.origin !== 'peer') throw new Error(`${event.origin}: ${event.reason}`);
  }
}

/** Moves everything from the sender to the receiver. */
export function flow({ sender, receiver }: Line, found: Message[] = []): Message[] {
  const out: Uint8Array[] = [];
  const size = sender.takeOutput(out);
  for (const view of out) deliver(view, receiver, found);
  sender.acknowledge(size);
  return found;
}
