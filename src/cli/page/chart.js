/** A line chart over the last minute, in SVG: it takes its colours from the style sheet and is sharp at any size. */

const NAMESPACE = 'http://www.w3.org/2000/svg';
/** Milliseconds that are shown. */
const SPAN = 60_000;
/** Two points further apart than this are not joined: nothing was measured in between. */
const GAP = 2500;
const PAD = { top: 14, right: 12, bottom: 24, left: 52 };

function make(name, attributes = {}) {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** The numbers 1, 2 and 5 times a power of ten, from the nearest at or below `value`. */
function stepBelow(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const lead = value / power;
  return (lead >= 5 ? 5 : lead >= 2 ? 2 : 1) * power;
}

function nextStep(step) {
  return stepBelow(step * 2.5);
}

/** From zero, in steps of equal height. */
export function linearScale(values) {
  const highest = Math.max(10, ...values);
  const wanted = highest / 4;
  const below = stepBelow(wanted);
  const step = below >= wanted ? below : nextStep(below);
  const ticks = [];
  for (let tick = 0; tick < highest + step; tick += step) ticks.push(tick);
  const top = ticks[ticks.length - 1];
  return { ticks, place: (value) => value / top };
}

/** In steps of 1, 2, 5, 10: a slow outlier stays in sight and does not press the rest flat. */
export function logScale(values) {
  const positive = values.filter((value) => value > 0);
  const lowest = stepBelow(Math.min(1, ...positive));
  const highest = Math.max(1, ...positive);
  const ticks = [lowest];
  while (ticks[ticks.length - 1] < highest || ticks.length < 4) ticks.push(nextStep(ticks[ticks.length - 1]));
  const [low, high] = [Math.log(lowest), Math.log(ticks[ticks.length - 1])];
  return { ticks, place: (value) => (Math.log(Math.max(value, lowest)) - low) / (high - low) };
}

export class Chart {
  #scale;
  #format;
  #series = new Map();
  #grid = make('g', { 'aria-hidden': 'true' });
  #empty = make('text', { class: 'empty', 'text-anchor': 'middle' });
  #width = 0;
  #height = 0;

  /**
   * @param {SVGSVGElement} svg
   * @param {{ scale: typeof linearScale, format: (value: number) => string, empty: string,
   *   series: { name: string, line: string, area?: boolean }[] }} options `line` is the class of the line
   */
  constructor(svg, { scale, format, empty, series }) {
    this.#scale = scale;
    this.#format = format;
    this.#empty.textContent = empty;
    svg.append(this.#grid);
    for (const { name, line, area } of series) {
      const paths = { line: make('path', { class: line, 'data-series': name }), area: null };
      if (area) {
        paths.area = make('path', { class: 'area' });
        svg.append(paths.area);
      }
      this.#series.set(name, { points: [], ...paths });
    }
    for (const { line } of this.#series.values()) svg.append(line);
    svg.append(this.#empty);
    new ResizeObserver(([{ contentRect }]) => {
      this.#width = contentRect.width;
      this.#height = contentRect.height;
      svg.setAttribute('viewBox', `0 0 ${this.#width} ${this.#height}`);
      this.draw();
    }).observe(svg);
  }

  /** @param {number} time milliseconds since the epoch, as `now` */
  add(name, time, value) {
    const { points } = this.#series.get(name);
    points.push({ time, value });
    while (points[0].time < time - SPAN - GAP) points.shift();
  }

  draw() {
    if (this.#width < 100) return;
    const now = performance.timeOrigin + performance.now();
    const shown = [];
    for (const { points } of this.#series.values()) {
      for (const { time, value } of points) if (time >= now - SPAN) shown.push(value);
    }
    const scale = this.#scale(shown);
    const { left, top } = PAD;
    const right = this.#width - PAD.right;
    const bottom = this.#height - PAD.bottom;
    const x = (time) => right - ((now - time) / SPAN) * (right - left);
    const y = (value) => bottom - scale.place(value) * (bottom - top);

    this.#drawGrid(scale.ticks, { left, right, bottom, y });
    for (const { points, line, area } of this.#series.values()) {
      const runs = splitAtGaps(points.filter(({ time }) => time >= now - SPAN));
      const drawn = runs.map((run) => `M${run.map(({ time, value }) => at(x(time), y(value))).join('L')}`);
      // A lone point has no length: doubled, its round ends make it a dot.
      line.setAttribute('d', drawn.map((path, i) => (runs[i].length > 1 ? path : `${path}h0`)).join(''));
      area?.setAttribute('d', drawn.map((path, i) => closed(path, runs[i], x, bottom)).join(''));
    }
    this.#empty.setAttribute('x', (left + right) / 2);
    this.#empty.setAttribute('y', (top + bottom) / 2);
    this.#empty.setAttribute('visibility', shown.length > 0 ? 'hidden' : 'visible');
  }

  #drawGrid(ticks, { left, right, bottom, y }) {
    const parts = [];
    for (const tick of ticks) {
      parts.push(make('line', { class: 'grid', x1: left, x2: right, y1: y(tick), y2: y(tick) }));
      parts.push(label(left - 8, y(tick) + 4, 'end', this.#format(tick)));
    }
    parts.push(label(left, bottom + 17, 'start', '60 s ago'));
    parts.push(label((left + right) / 2, bottom + 17, 'middle', '30 s'));
    parts.push(label(right, bottom + 17, 'end', 'now'));
    this.#grid.replaceChildren(...parts);
  }
}

function label(x, y, anchor, text) {
  const element = make('text', { x, y, 'text-anchor': anchor });
  element.textContent = text;
  return element;
}

function at(x, y) {
  return `${x.toFixed(1)} ${y.toFixed(1)}`;
}

function splitAtGaps(points) {
  const runs = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const point of points) {
    if (point.time - last > GAP) runs.push([]);
    runs[runs.length - 1].push(point);
    last = point.time;
  }
  return runs;
}

function closed(path, run, x, bottom) {
  return `${path}L${at(x(run[run.length - 1].time), bottom)}L${at(x(run[0].time), bottom)}Z`;
}
