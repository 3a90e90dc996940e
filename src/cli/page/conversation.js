/** Sends what is typed and shows what comes back. */

import { duration, size } from './format.js';
import { Link } from './link.js';

const $ = (id) => document.getElementById(id);

const MOST_ENTRIES = 200;
/** Characters of a message that are shown. */
const MOST_TEXT = 2000;

export class Conversation {
  #link = new Link('/echo', { message: (data) => this.#onMessage(data), state: (state) => this.#onState(state) });
  /** When each message that has not come back yet was sent, oldest first. */
  #sentAt = [];
  #state = 'closed';
  /** Whoever has scrolled back to read is left there. */
  #atEnd = true;

  constructor() {
    $('talk-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
    $('talk-text').addEventListener('keydown', (event) => {
      // While an input method composes, Enter belongs to it.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    });
    $('talk-toggle').addEventListener('click', () => {
      if (this.#state === 'closed') this.#link.open();
      else this.#link.close();
    });
    const log = $('talk-log');
    log.addEventListener('scroll', () => {
      this.#atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 8;
    });
    new ResizeObserver(() => this.#followEnd()).observe(log);
    this.#link.open();
  }

  #followEnd() {
    if (this.#atEnd) $('talk-log').scrollTop = $('talk-log').scrollHeight;
  }

  #send() {
    const text = $('talk-text').value;
    const binary = $('talk-form').elements['talk-kind'].value === 'binary';
    const bytes = new TextEncoder().encode(text);
    const sentAt = performance.now();
    if (!this.#link.send(binary ? bytes : text)) return;
    this.#sentAt.push(sentAt);
    this.#addMessage('sent', 'you', text, `${binary ? 'binary, ' : ''}${size(bytes.length)}`);
    $('talk-text').value = '';
    $('talk-text').focus();
  }

  #onMessage(data) {
    const took = duration(performance.now() - this.#sentAt.shift());
    const binary = typeof data !== 'string';
    const bytes = binary ? data : new TextEncoder().encode(data);
    const text = binary ? new TextDecoder().decode(data) : data;
    this.#addMessage('echo', 'server', text, `${binary ? 'binary, ' : ''}${size(bytes.byteLength)}, ${took}`);
  }

  #onState({ name, code, reason, seconds }) {
    const before = this.#state;
    this.#state = name;
    const open = name === 'open';
    $('talk-send').disabled = !open;
    $('talk-toggle').textContent = name === 'closed' ? 'Connect' : 'Disconnect';
    $('talk-state').textContent = {
      connecting: 'Connecting…',
      open: 'Connected. Enter sends, Shift+Enter starts a new line.',
      waiting: `Not connected, trying again in ${seconds} s.`,
      closed: 'Disconnected.',
    }[name];
    if (open) this.#addNotice('Connected.');
    if (name === 'closed') this.#addNotice('Disconnected.');
    if (name === 'waiting' && before === 'open') {
      this.#addNotice(`Connection lost: ${code}${reason === '' ? '' : `, ${reason}`}.`);
    }
    if (!open) this.#sentAt = [];
  }

  #addMessage(kind, who, text, meta) {
    const shown = text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}…` : text;
    this.#add(kind, [
      ['who', who],
      ['what', shown],
      ['meta', meta],
    ]);
  }

  #addNotice(text) {
    this.#add('notice', [['notice-text', text]]);
  }

  #add(kind, parts) {
    const log = $('talk-log');
    const entry = document.createElement('p');
    entry.className = `entry ${kind}`;
    for (const [name, text] of parts) {
      const part = document.createElement('span');
      part.className = name;
      part.textContent = text;
      entry.append(part);
    }
    log.append(entry);
    while (log.childElementCount > MOST_ENTRIES) log.firstElementChild.remove();
    this.#followEnd();
  }
}
