/** Random programs of many connections that send the same and their own: each peer gets what it was sent, in order. */

import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { CloseConnection, Ping } from '../../src/core/events.js';
import type { SharedEncoder } from '../../src/core/extensions/extension.js';
import { FrameLog, PreparedMessage } from '../../src/core/index.js';
import { expectLocalError } from './support.js';
import { deliver, type Line, lines, type Message, messageOf, payloadOf } from './support-shared.js';
import { expectSlabsFree } from './support-slabs.js';

vi.mock('../../src/core/frames/slab.js', async (load) => (await import('./support-slabs.js')).watched(await load()));

const RUNS = Number(process.env['MILLRACE_RUNS'] ?? 120);
const LINES = lines().length;

interface LogState {
  readonly log: FrameLog;
  messages: Message[];
}

/** A line with what was sent on it, what is under way, and what came. */
class Party {
  readonly line: Line;
  readonly expected: Message[] = [];
  readonly found: Message[] = [];
  readonly pings: string[] = [];
  readonly pingsFound: string[] = [];
  #pending: Message | null = null;
  #taken: Uint8Array[] = [];
  isAborted = false;
  isClosed = false;
  /** How far it is in its log. */
  generation = -1;
  size = 0;
  messages = 0;

  constructor(line: Line) {
    this.line = line;
  }

  get canSend(): boolean {
    return this.line.sender.canSend;
  }

  get isInMessage(): boolean {
    return this.#pending !== null;
  }

  send(message: Message, compress: boolean): void {
    const { sender } = this.line;
    const data = payloadOf(message);
    if (typeof data === 'string') sender.queueText(data, true, compress);
    else sender.queueBytes(data, true, compress);
    this.expected.push(message);
  }

  fragment([type, data]: Message, finished: boolean): void {
    const { sender } = this.line;
    const kind = this.#pending?.[0] ?? type;
    const part = payloadOf([kind, data]);
    if (typeof part === 'string') sender.queueText(part, finished);
    else sender.queueBytes(part, finished);
    const whole: Message = [kind, (this.#pending?.[1] ?? '') + data];
    if (finished) this.expected.push(whole);
    this.#pending = finished ? null : whole;
  }

  /** Queues what is in the log and was not queued yet. */
  catchUp({ log, messages }: LogState): void {
    const isInIt = this.generation === log.generation;
    const size = isInIt ? this.size : 0;
    const from = isInIt ? this.messages : 0;
    if (size === log.size) return;
    this.line.sender.queueFrames(log.frames(size, from));
    this.expected.push(...messages.slice(from));
    this.skip(log);
  }

  skip(log: FrameLog): void {
    this.generation = log.generation;
    this.size = log.size;
    this.messages = log.messages;
  }

  take(most: number): void {
    this.line.sender.takeOutput(this.#taken, most);
  }

  /** The peer is given what lies there when it is acknowledged, not when it was taken. */
  acknowledge(most: number): void {
    let left = most;
    let size = 0;
    while (this.#taken.length > 0 && left > 0) {
      const view = this.#taken[0];
      const part = view.subarray(0, left);
      if (!this.isAborted) deliver(part, this.line.receiver, this.found, this.pingsFound);
      if (part.length === view.length) this.#taken.shift();
      else this.#taken[0] = view.subarray(left);
      left -= part.length;
      size += part.length;
    }
    this.line.sender.acknowledge(size);
  }

  ping(): void {
    const payload = `${this.pings.length}`;
    this.line.sender.queue(new Ping(Buffer.from(payload)));
    this.pings.push(payload);
  }

  async settle(): Promise<void> {
    const { sender } = this.line;
    const late = Date.now() + 10_000;
    do {
      this.take(Number.POSITIVE_INFINITY);
      this.acknowledge(Number.POSITIVE_INFINITY);
      if (Date.now() > late) throw new Error(`${this.line.name}: waited too long for ${sender.queuedBytes} bytes`);
      if (sender.queuedBytes > 0) await new Promise((resolve) => setImmediate(resolve));
    } while (sender.queuedBytes > 0);
  }
}

const size = fc.oneof(
  { weight: 3, arbitrary: fc.nat(60) },
  { weight: 4, arbitrary: fc.nat(1500) },
  { weight: 3, arbitrary: fc.nat(20_000) },
  { weight: 1, arbitrary: fc.nat(150_000) },
);
const command = fc.record({
  what: fc.constantFrom(
    'send',
    'send',
    'fragment',
    'prepared',
    'prepared',
    'again',
    'write',
    'write',
    'write',
    'catchUp',
    'catchUp',
    'clear',
    'ping',
    'take',
    'take',
    'acknowledge',
    'acknowledge',
    'wait',
    'close',
    'abort',
  ),
  who: fc.nat(LINES - 1),
  some: fc.nat(2 ** LINES - 1),
  size,
  isText: fc.boolean(),
  flag: fc.boolean(),
});

const program = fc.record({
  commands: fc.array(command, { maxLength: 250, size: 'max' }),
  threshold: fc.constantFrom(0, 1024),
  offThreadFrom: fc.constantFrom(1000, 30_000, Number.POSITIVE_INFINITY),
  maxContexts: fc.constantFrom(0, 1, 1024),
  elsewhere: fc.boolean(),
});

describe('connections that send the same and their own', () => {
  test('peers get all of it in order, and all memory comes back', async () => {
    await fc.assert(
      fc.asyncProperty(program, async ({ commands, elsewhere, ...settings }) => {
        const all = lines(settings).map((line) => new Party(line));
        if (elsewhere) for (const { line } of all) line.sender.onReady = () => {};
        const logs = new Map<SharedEncoder | null, LogState>();
        for (const { line } of all) {
          const encoder = line.sender.sharedEncoder;
          if (encoder !== undefined && !logs.has(encoder))
            logs.set(encoder, { log: new FrameLog(encoder), messages: [] });
        }
        const logOf = ({ line }: Party) => logs.get(line.sender.sharedEncoder as SharedEncoder | null);
        let last: { message: Message; prepared: PreparedMessage } | null = null;
        const sendPrepared = (some: number) => {
          const { message, prepared } = last as NonNullable<typeof last>;
          for (const [i, party] of all.entries()) {
            if (((some >> i) & 1) === 0 || !party.canSend) continue;
            if (party.isInMessage) {
              expectLocalError(() => party.line.sender.queuePrepared(prepared), 'MESSAGE_UNFINISHED');
              continue;
            }
            party.line.sender.queuePrepared(prepared);
            party.expected.push(message);
          }
        };
        for (const [number, { what, who, some, size, isText, flag }] of commands.entries()) {
          const party = all[who];
          const message: Message = [isText ? 'text' : 'bytes', messageOf(number, size, isText)];
          const log = logOf(party);
          switch (what) {
            case 'send':
              if (party.canSend && !party.isInMessage) party.send(message, flag);
              break;
            case 'fragment':
              if (party.canSend) party.fragment(message, flag);
              break;
            case 'prepared':
              last = {
                message,
                prepared: new PreparedMessage(payloadOf(message), { binary: !isText, compress: flag || some % 3 > 0 }),
              };
              sendPrepared(some);
              break;
            case 'again':
              if (last !== null) sendPrepared(some);
              break;
            case 'write':
              for (const each of logs.values()) {
                // Written bytes may change afterwards.
                const data = payloadOf(message);
                each.log.write(data, isText, flag);
                if (typeof data !== 'string') data.fill(0xee);
                each.messages.push(message);
              }
              break;
            case 'catchUp':
              if (log !== undefined && party.canSend && !party.isInMessage) {
                if (flag) log.log.join();
                if (size % 4 > 0) party.catchUp(log);
                else party.skip(log.log);
              }
              break;
            case 'clear':
              for (const each of logs.values()) {
                if (flag) each.log.join();
                for (const other of all) {
                  if (logOf(other) === each && other.canSend && !other.isInMessage) other.catchUp(each);
                }
                each.log.clear();
                each.messages = [];
              }
              break;
            case 'ping':
              if (party.canSend) party.ping();
              break;
            case 'take':
              party.take(size * 4);
              break;
            case 'acknowledge':
              party.acknowledge(size * 4);
              break;
            case 'wait':
              await new Promise((resolve) => setImmediate(resolve));
              break;
            case 'close':
              if (party.canSend && some % 4 === 0) party.line.sender.queue(new CloseConnection(1000));
              break;
            default:
              if (some % 4 > 0) break;
              party.line.sender.abort();
              party.isAborted = true;
          }
        }
        for (const { log } of logs.values()) log.clear();
        for (const party of all) await party.settle();
        // What is under way for those that were given up comes to nothing.
        for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
        for (const { line, expected, found, pings, pingsFound, isAborted } of all) {
          if (isAborted) {
            expect(found, line.name).toEqual(expected.slice(0, found.length));
          } else {
            expect(found.length, line.name).toBe(expected.length);
            for (const [i, message] of found.entries()) {
              if (message[0] !== expected[i][0] || message[1] !== expected[i][1]) {
                expect(message, `${line.name}, message ${i}`).toEqual(expected[i]);
              }
            }
            expect(pingsFound, line.name).toEqual(pings);
          }
        }
        expectSlabsFree();
      }),
      { numRuns: RUNS },
    );
  }, 120_000);
});
