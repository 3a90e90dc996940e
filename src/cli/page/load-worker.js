/**
 * The load, in a worker, so that drawing the page does not count as waiting for the server.
 *
 * In: `{ type: 'start', url, connections, inFlight, size, binary }`, `{ type: 'stop' }`.
 * Out: `opening` for every connection, `opened`, a `sample` twice a second, and `stopped` with the reason, or null when it was asked for.
 */

const INTERVAL = 500;
/** Milliseconds to wait for what is still in flight after a stop. */
const LAST_WAIT = 2000;
/** Different messages in turn, so that an echo that belongs to another message is noticed. */
const TEXTS = 8;

/**
 * Durations in buckets that grow by 2 %, from 1 µs on: a percentile is right to 1 %, and recording costs the same
 * however many there are.
 */
class Histogram {
  static #growth = Math.log(1.02);
  #buckets = new Uint32Array(1024);
  count = 0;

  /** @param {number} duration in milliseconds */
  record(duration) {
    const bucket = Math.floor(Math.log(Math.max(duration * 1000, 1)) / Histogram.#growth);
    this.#buckets[Math.min(bucket, this.#buckets.length - 1)]++;
    this.count++;
  }

  /** In milliseconds, or null when nothing was recorded. */
  percentile(share) {
    if (this.count === 0) return null;
    let left = Math.ceil(this.count * share);
    let bucket = 0;
    for (left -= this.#buckets[0]; left > 0; left -= this.#buckets[bucket]) bucket++;
    return Math.exp((bucket + 0.5) * Histogram.#growth) / 1000;
  }

  clear() {
    this.#buckets.fill(0);
    this.count = 0;
  }
}

/** One connection: keeps its messages in flight. Echoes come in the order of the messages. */
class Lane {
  #load;
  #socket;
  #sentAt;
  #sent = 0;
  #returned = 0;
  #bytes;
  #view;

  constructor(load) {
    this.#load = load;
    this.#sentAt = new Float64Array(load.inFlight);
    this.#bytes = new Uint8Array(load.size);
    this.#view = new DataView(this.#bytes.buffer);
    this.#socket = new WebSocket(load.url);
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.addEventListener('open', () => load.opened());
    this.#socket.addEventListener('message', ({ data }) => this.#onEcho(data));
    this.#socket.addEventListener('close', ({ code }) => load.lost(code));
  }

  get waiting() {
    return this.#sent - this.#returned;
  }

  fill() {
    while (this.waiting < this.#load.inFlight) this.#send();
  }

  close() {
    this.#socket.close(1000);
  }

  /** Records how long those still away have waited, where that is longer than an interval. */
  recordWaits(now, histogram) {
    for (let i = this.#returned; i < this.#sent; i++) {
      const wait = now - this.#sentAt[i % this.#load.inFlight];
      if (wait <= INTERVAL) return;
      histogram.record(wait);
    }
  }

  #send() {
    const { inFlight, binary, texts } = this.#load;
    const number = this.#sent++;
    this.#sentAt[number % inFlight] = performance.now();
    if (binary) {
      this.#view.setUint32(0, number);
      this.#socket.send(this.#bytes);
    } else {
      this.#socket.send(texts[number % TEXTS]);
    }
  }

  #onEcho(data) {
    const load = this.#load;
    const number = this.#returned++;
    load.histogram.record(performance.now() - this.#sentAt[number % load.inFlight]);
    if (!this.#isRight(data, number)) load.wrong++;
    load.messages++;
    if (load.running) this.#send();
    else load.settle();
  }

  #isRight(data, number) {
    const { binary, texts, size } = this.#load;
    if (!binary) return data === texts[number % TEXTS];
    return data instanceof ArrayBuffer && data.byteLength === size && new DataView(data).getUint32(0) === number;
  }
}

class Load {
  running = false;
  histogram = new Histogram();
  messages = 0;
  wrong = 0;
  #total = 0;
  #lanes = [];
  #open = 0;
  #over = false;
  #since = 0;
  #ticker;

  constructor({ url, connections, inFlight, size, binary }) {
    this.url = url;
    this.inFlight = inFlight;
    this.size = size;
    this.binary = binary;
    this.texts = Array.from({ length: TEXTS }, (_, i) => `${i}`.padEnd(size, 'millrace '));
    for (let i = 0; i < connections; i++) this.#lanes.push(new Lane(this));
  }

  opened() {
    if (this.#over) return;
    this.#open++;
    postMessage({ type: 'opening', open: this.#open });
    if (this.#open < this.#lanes.length) return;
    this.running = true;
    this.#since = performance.now();
    this.#ticker = setInterval(() => this.#tick(), INTERVAL);
    postMessage({ type: 'opened' });
    for (const lane of this.#lanes) lane.fill();
  }

  lost(code) {
    this.#finish(`a connection was lost (${code})`);
  }

  stop() {
    this.running = false;
    setTimeout(() => this.#finish(null), LAST_WAIT);
    this.settle();
  }

  /** After a stop: it is over when every message has come back. */
  settle() {
    if (this.#lanes.every(({ waiting }) => waiting === 0)) this.#finish(null);
  }

  #tick() {
    const now = performance.now();
    const { messages } = this;
    for (const lane of this.#lanes) lane.recordWaits(now, this.histogram);
    this.#total += messages;
    postMessage({
      type: 'sample',
      at: performance.timeOrigin + now,
      seconds: (now - this.#since) / 1000,
      messages,
      total: this.#total,
      wrong: this.wrong,
      p50: this.histogram.percentile(0.5),
      p99: this.histogram.percentile(0.99),
    });
    this.#since = now;
    this.messages = 0;
    this.histogram.clear();
  }

  #finish(reason) {
    if (this.#over) return;
    this.#over = true;
    this.running = false;
    clearInterval(this.#ticker);
    const waiting = this.#lanes.reduce((sum, lane) => sum + lane.waiting, 0);
    for (const lane of this.#lanes) lane.close();
    postMessage({ type: 'stopped', reason, total: this.#total + this.messages, wrong: this.wrong, waiting });
  }
}

let load = null;

addEventListener('message', ({ data }) => {
  if (data.type === 'start') load = new Load(data);
  else load?.stop();
});
