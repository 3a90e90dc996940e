/** The load: its controls and the two charts. */

import { Chart, linearScale, logScale } from './chart.js';
import { count, duration, short } from './format.js';
import { socketUrl } from './link.js';

const $ = (id) => document.getElementById(id);

const calm = matchMedia('(prefers-reduced-motion: reduce)');
/** Milliseconds between two drawings: charts that move are motion, too. */
const CALM_INTERVAL = 2000;

export class LoadPanel {
  #worker = null;
  #chosen = null;
  #running = false;
  #opened = false;
  #drawn = 0;
  #rates = new Chart($('rate-chart'), {
    scale: linearScale,
    format: (value) => (value >= 1000 ? `${value / 1000}k` : String(value)),
    empty: 'Waiting for the server',
    series: [
      { name: 'page', line: 'line', area: true },
      { name: 'server', line: 'line warm dotted' },
    ],
  });
  #latencies = new Chart($('latency-chart'), {
    scale: logScale,
    format: (value) => (value >= 1000 ? `${value / 1000} s` : `${value} ms`),
    empty: 'Start the load to measure',
    series: [
      { name: 'p99', line: 'line warm' },
      { name: 'p50', line: 'line' },
    ],
  });

  constructor() {
    for (const id of ['connections', 'in-flight']) {
      const show = () => {
        $(`${id}-value`).textContent = $(id).value;
      };
      $(id).addEventListener('input', show);
      // A browser that restores the form after a reload does so without an event.
      show();
    }
    $('load-form').addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#running) this.#stop();
      else this.#start();
    });
  }

  /** What the server counted, of all clients. */
  serverRate(time, rate) {
    this.#rates.add('server', time, rate);
    $('rate-server').textContent = short(rate);
    this.#draw();
  }

  #start() {
    this.#worker ??= this.#makeWorker();
    this.#running = true;
    this.#opened = false;
    $('load-button').textContent = 'Stop';
    $('load-button').dataset.running = 'true';
    this.#lock(true);
    this.#say('Opening connections…');
    this.#chosen = {
      connections: Number($('connections').value),
      inFlight: Number($('in-flight').value),
      size: Number($('size').value),
      binary: $('load-form').elements['load-kind'].value === 'binary',
    };
    this.#worker.postMessage({ type: 'start', url: socketUrl('/echo'), ...this.#chosen });
  }

  #stop() {
    $('load-button').disabled = true;
    this.#worker.postMessage({ type: 'stop' });
  }

  #makeWorker() {
    const worker = new Worker('/load-worker.js', { type: 'module' });
    worker.addEventListener('message', ({ data }) => this[`on${data.type}`](data));
    worker.addEventListener('error', () => {
      this.#worker = null;
      this.onstopped({ reason: 'its worker failed', total: 0, wrong: 0, waiting: 0 });
    });
    return worker;
  }

  /** Browsers take their time over connections to one host: some wait their turn for seconds. */
  onopening({ open }) {
    this.#say(`Opening connections: ${open} of ${this.#chosen.connections}.`);
  }

  onopened() {
    this.#opened = true;
    const { connections, inFlight } = this.#chosen;
    this.#say(`Running: ${connections} × ${inFlight} messages in flight.`);
  }

  onsample({ at, seconds, messages, wrong, p50, p99 }) {
    const rate = messages / seconds;
    this.#rates.add('page', at, rate);
    if (p50 !== null) {
      this.#latencies.add('p50', at, p50);
      this.#latencies.add('p99', at, p99);
    }
    $('rate-page').textContent = short(rate);
    this.#showLatency(p50, p99);
    if (wrong > 0) this.#say(`${count(wrong)} echoes were not what was sent.`, true);
    this.#draw();
  }

  onstopped({ reason, total, wrong, waiting }) {
    this.#running = false;
    $('load-button').textContent = 'Start';
    $('load-button').disabled = false;
    delete $('load-button').dataset.running;
    this.#lock(false);
    $('rate-page').textContent = '–';
    this.#showLatency(null, null);
    const sentences = [];
    if (!this.#opened) sentences.push(reason === null ? 'Stopped.' : 'The connections could not be opened.');
    else if (reason !== null) sentences.push(`Stopped: ${reason}.`);
    if (this.#opened) sentences.push(`${count(total)} messages came back.`);
    if (wrong > 0) sentences.push(`${count(wrong)} of them were not what was sent.`);
    if (waiting > 0) sentences.push(`${count(waiting)} did not.`);
    this.#say(sentences.join(' '), reason !== null || wrong > 0 || waiting > 0);
    this.#draw();
  }

  #showLatency(p50, p99) {
    $('latency-p50').textContent = p50 === null ? '–' : duration(p50);
    $('latency-p99').textContent = p99 === null ? '–' : duration(p99);
    $('tile-p50').textContent = p50 === null ? '–' : duration(p50);
    $('tile-p99').textContent = p99 === null ? 'while the load runs' : `p50, with p99 at ${duration(p99)}`;
  }

  #lock(locked) {
    for (const element of $('load-form').elements) if (element.type !== 'submit') element.disabled = locked;
  }

  #say(text, bad = false) {
    $('load-state').textContent = text;
    $('load-state').classList.toggle('bad', bad);
  }

  #draw() {
    const now = performance.now();
    if (calm.matches && now - this.#drawn < CALM_INTERVAL) return;
    this.#drawn = now;
    this.#rates.draw();
    this.#latencies.draw();
  }
}
