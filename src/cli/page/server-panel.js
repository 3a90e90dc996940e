/** The figures of the server, as it sends them once a second. */

import { count, short, size, span } from './format.js';
import { Link } from './link.js';

const $ = (id) => document.getElementById(id);

/** Milliseconds without a snapshot after which the server counts as silent: it sends one a second. */
const SILENCE = 3500;

export class ServerPanel {
  #link = new Link('/stats', { message: (text) => this.#onSnapshot(JSON.parse(text)), state: (s) => this.#onState(s) });
  #onRate;
  #last = null;
  #lastAt = 0;
  #state = 'connecting';

  /** @param {(time: number, rate: number) => void} onRate gets the messages per second of each second */
  constructor(onRate) {
    this.#onRate = onRate;
    this.#link.open();
    setInterval(() => this.#checkSilence(), 500);
  }

  #onState(state) {
    const { name, code, seconds } = state;
    this.#state = name;
    this.#lastAt = performance.now();
    // Rates are differences: a server that was started anew counts from zero again.
    this.#last = null;
    if (name === 'connecting') {
      if ($('state').dataset.state !== 'waiting') this.#show('connecting', 'Connecting…');
      return;
    }
    if (name === 'open') {
      this.#show('open', 'Connected');
      return;
    }
    const why = code === 1001 ? 'The server has shut down' : 'The server is away';
    this.#show('waiting', `${why}, trying again`);
    $('server-age').textContent = `Last figures before the connection was lost (${code}). Next try in ${seconds} s.`;
    for (const id of ['tile-rate', 'tile-connections', 'rate-server']) $(id).textContent = '–';
  }

  #checkSilence() {
    if (this.#state !== 'open') return;
    const silence = performance.now() - this.#lastAt;
    if (silence < SILENCE) return;
    this.#show('silent', 'No word from the server');
    $('server-age').textContent = `Last figures ${span(silence / 1000)} ago.`;
  }

  #show(state, text) {
    const pill = $('state');
    if (pill.textContent === text) return;
    pill.dataset.state = state;
    pill.textContent = text;
  }

  #onSnapshot(now) {
    this.#lastAt = performance.now();
    this.#show('open', 'Connected');
    this.#showFacts(now);
    const last = this.#last;
    this.#last = now;
    if (last === null) return;
    const seconds = (now.uptime - last.uptime) / 1000;
    if (!(seconds > 0)) return;
    const rate = (now.messages.received - last.messages.received) / seconds;
    const received = (now.bytes.received - last.bytes.received) / seconds;
    const echoed = (now.bytes.echoed - last.bytes.echoed) / seconds;
    const cpu = (now.process.cpu - last.process.cpu) / (seconds * 10);
    $('tile-rate').textContent = short(rate);
    $('server-bytes-received').textContent = `${size(now.bytes.received)}, ${size(Math.round(received))}/s`;
    $('server-bytes-echoed').textContent = `${size(now.bytes.echoed)}, ${size(Math.round(echoed))}/s`;
    $('server-cpu').textContent = `${cpu.toFixed(0)} %`;
    this.#onRate(performance.timeOrigin + performance.now(), rate);
  }

  #showFacts({ version, kernels, runtime, uptime, connections, messages, bytes, process }) {
    const { open, total, watching } = connections;
    const features = kernels.features.join(', ');
    $('tile-tier').textContent = kernels.tier;
    $('tile-features').textContent = features || 'TypeScript, no addon';
    $('tile-connections').textContent = count(open);
    $('tile-connections-total').textContent = `${count(total)} since the start`;
    $('server-tier').textContent = kernels.tier;
    $('server-reason').textContent = kernels.reason;
    $('server-features').textContent = features || 'none in use';
    $('server-connections').textContent = `${count(open)} open, ${count(total)} since the start`;
    $('server-received').textContent = count(messages.received);
    $('server-echoed').textContent = count(messages.echoed);
    $('server-bytes-received').textContent = size(bytes.received);
    $('server-bytes-echoed').textContent = size(bytes.echoed);
    $('server-memory').textContent = size(process.memory);
    $('server-uptime').textContent = span(uptime / 1000);
    $('server-watching').textContent = watching === 1 ? 'this page' : `${count(watching)} pages`;
    $('server-runtime').textContent = `Node.js ${runtime.node}, ${runtime.platform} ${runtime.arch}`;
    $('server-version').textContent = version;
    $('server-age').textContent = 'As the server counts, once a second.';
  }
}
