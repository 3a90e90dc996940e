/** What servers do wrong, at the twentieth message of a connection; and which faults a load may call it. */

import type { FaultCode } from '../../../src/cli/load/index.js';
import { type Behaviour, BINARY, CLOSE, type Client, frame, type Message, TEXT } from './support.js';

const AT = 20;

interface Fault {
  readonly name: string;
  /** With several messages in flight. */
  readonly codes: readonly FaultCode[];
  readonly says: RegExp;
  /** With one in flight, where that is another. */
  readonly alone?: readonly FaultCode[];
  /** In place of the echo of message AT, and of the next where it returns true. */
  wrong(client: Client, message: Message): void;
  /** In place of the one after it. */
  after?(client: Client, message: Message): void;
}

function changed(message: Message, change: (payload: Buffer) => Buffer): Message {
  return { ...message, payload: change(Buffer.from(message.payload)) };
}

export const FAULTS: readonly Fault[] = [
  {
    name: 'drops a message',
    codes: ['MISSING'],
    says: /message 20 was left out or overtaken: message 21 came in its place/,
    alone: ['TIMEOUT'],
    wrong() {},
  },
  {
    name: 'repeats a message',
    codes: ['UNEXPECTED'],
    says: /message 20 came again, in place of message 21|nothing was waited for/,
    wrong(client, message) {
      client.send(message);
      client.send(message);
    },
  },
  {
    name: 'swaps two messages',
    codes: ['MISSING'],
    says: /message 20 was left out or overtaken/,
    alone: ['TIMEOUT'],
    wrong(client, message) {
      client.held = message;
    },
    after(client, message) {
      client.send(message);
      client.send(client.held as Message);
    },
  },
  {
    name: 'flips a bit',
    codes: ['CORRUPT'],
    says: /message 20 differs from byte 17 on/,
    wrong(client, message) {
      client.send(
        changed(message, (payload) => {
          payload[17] ^= 1;
          return payload;
        }),
      );
    },
  },
  {
    name: 'flips the last bit',
    codes: ['CORRUPT'],
    says: /message 20 differs from byte/,
    wrong(client, message) {
      client.send(
        changed(message, (payload) => {
          payload[payload.length - 1] ^= 1;
          return payload;
        }),
      );
    },
  },
  {
    name: 'changes the kind',
    codes: ['CORRUPT'],
    says: /message 20 came as (text in place of binary|binary in place of text)/,
    wrong(client, message) {
      // As text it must be UTF-8, or the protocol is broken before the kind is looked at.
      client.send({ ...message, opcode: message.opcode === TEXT ? BINARY : TEXT });
    },
  },
  {
    name: 'cuts a message',
    codes: ['CORRUPT'],
    says: /message 20 differs from byte \d+ on: expected \d+ bytes with .* there, \d+ bytes came$/,
    wrong(client, message) {
      client.send(changed(message, (payload) => payload.subarray(0, -1)));
    },
  },
  {
    name: 'makes a message longer',
    codes: ['CORRUPT'],
    says: /message 20 differs from byte \d+ on: expected \d+ bytes, \d+ bytes came with 21 there/,
    wrong(client, message) {
      client.send(changed(message, (payload) => Buffer.concat([payload, Buffer.from('!')])));
    },
  },
  {
    name: 'empties a message',
    codes: ['CORRUPT'],
    says: /message 20 differs from byte 0 on/,
    wrong(client, message) {
      client.send(changed(message, () => Buffer.alloc(0)));
    },
  },
  {
    name: 'runs two messages into one',
    codes: ['CORRUPT'],
    says: /message 20 differs/,
    alone: ['TIMEOUT'],
    wrong(client, message) {
      client.held = message;
    },
    after(client, message) {
      client.send(changed(message, (payload) => Buffer.concat([(client.held as Message).payload, payload])));
    },
  },
  {
    name: 'sends a Close',
    codes: ['CLOSED'],
    says: /the server sent a Close with 1001 \(enough\)/,
    wrong(client) {
      client.write(frame(CLOSE, Buffer.from('\x03\xe9enough', 'latin1')));
    },
  },
  {
    name: 'ends the connection',
    codes: ['CLOSED'],
    says: /the connection is gone: the server ended it without a Close/,
    wrong(client) {
      client.socket.end();
    },
  },
  {
    name: 'resets the connection',
    codes: ['CLOSED'],
    says: /the connection is gone: /,
    wrong(client) {
      // Node ends a socket before it resets it, and either may be what is seen.
      client.socket.resetAndDestroy();
    },
  },
  {
    name: 'masks a frame',
    codes: ['CORRUPT'],
    says: /breaks the protocol: .*mask/i,
    wrong(client, message) {
      client.send(message, { masked: true });
    },
  },
  {
    name: 'sets a bit that is reserved',
    codes: ['CORRUPT'],
    says: /breaks the protocol/,
    wrong(client, message) {
      client.send(message, { rsv: 0x20 });
    },
  },
  {
    name: 'sends half a message and stalls',
    codes: ['TIMEOUT'],
    says: /nothing has come for 0.5 s; \d+ messages are still to come/,
    wrong(client, message) {
      const bytes = frame(message.opcode, message.payload);
      client.write(bytes.subarray(0, bytes.length / 2));
      client.index = Number.NEGATIVE_INFINITY;
    },
  },
];

/** An echo that does it. */
export function behaviourOf({ wrong, after }: Fault, deflate = false): Behaviour {
  return {
    deflate,
    message(client, message, index) {
      if (Number.isNaN(index) || index < 0) return;
      if (index === AT) wrong(client, message);
      else if (index === AT + 1 && after !== undefined) after(client, message);
      else client.send(message);
    },
  };
}

/** A room that does it to its last member, and to that one alone. */
export function roomOf({ wrong, after }: Fault): Behaviour {
  let index = 0;
  return {
    message(sender, message) {
      const members = sender.server.clients;
      const last = members[members.length - 1];
      const at = index++;
      for (const member of members) {
        if (member.index < 0 || !member.socket.writable) continue;
        if (member === last && at === AT) wrong(member, message);
        else if (member === last && at === AT + 1 && after !== undefined) after(member, message);
        else member.send(message);
      }
    },
  };
}
