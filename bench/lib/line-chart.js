/** Line charts as SVG, both axes logarithmic: how a ratio changes with the size. */

const WIDTH = 290;
const HEIGHT = 210;
const LEFT = 38;
const TOP = 46;
const RIGHT = 14;
const BOTTOM = 34;
const COLOURS = ['#1b6ca8', '#d1495b', '#2e8b57', '#edae49', '#7b5ea7', '#66717e', '#00798c'];

const escapeXml = (text) => text.replace(/[&<>]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[sign]);
const text = (x, y, content, rest = '') =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${rest}>${escapeXml(content)}</text>`;

/**
 * @typedef {object} Panel
 * @property {string} title
 * @property {string} against what 1 stands for
 * @property {{ name: string, points: [size: number, ratio: number][] }[]} lines
 */

/**
 * @param {string} title
 * @param {Panel[]} panels side by side
 * @param {(size: number) => string} label of a size
 * @returns {string} an SVG document
 */
export function lineChart(title, panels, label) {
  const legend = 15 * Math.max(...panels.map(({ lines }) => Math.ceil(lines.length / 2)));
  const width = panels.length * WIDTH;
  const height = HEIGHT + legend + 12;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="10">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...panels.map((panel, i) => `<g transform="translate(${i * WIDTH} 0)">${draw(panel, label)}</g>`),
    '</svg>',
    '',
  ].join('\n');
}

function draw({ title, against, lines }, label) {
  const points = lines.flatMap((line) => line.points);
  const sizes = points.map(([size]) => Math.log2(size));
  const ratios = points.map(([, ratio]) => Math.log2(ratio));
  const x = scale(Math.min(...sizes), Math.max(...sizes), LEFT, WIDTH - RIGHT);
  const low = Math.floor(Math.min(-1, ...ratios));
  const high = Math.ceil(Math.max(1, ...ratios));
  const y = scale(low, high, HEIGHT - BOTTOM, TOP);
  const parts = [
    text(LEFT, 18, title, 'font-size="12" font-weight="bold" fill="#222"'),
    text(LEFT, 33, `times as fast as ${against}`, 'fill="#555"'),
  ];
  for (let power = low; power <= high; power++) {
    const at = y(power);
    const stroke = power === 0 ? '#333' : '#ddd';
    parts.push(`<path d="M${LEFT} ${at.toFixed(1)}H${WIDTH - RIGHT}" stroke="${stroke}"/>`);
    parts.push(text(LEFT - 5, at + 3, `${2 ** power}`, 'text-anchor="end" fill="#555"'));
  }
  for (const size of [1, 32, 1024, 32 * 1024, 1024 * 1024]) {
    const at = x(Math.log2(size));
    if (at < LEFT || at > WIDTH - RIGHT) continue;
    parts.push(`<path d="M${at.toFixed(1)} ${TOP}V${HEIGHT - BOTTOM}" stroke="#eee"/>`);
    parts.push(text(at, HEIGHT - BOTTOM + 14, label(size), 'text-anchor="middle" fill="#555"'));
  }
  lines.forEach(({ name, points: line }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const path = line.map(([size, ratio]) => `${x(Math.log2(size)).toFixed(1)} ${y(Math.log2(ratio)).toFixed(1)}`);
    parts.push(`<path d="M${path.join('L')}" fill="none" stroke="${colour}" stroke-width="1.6"/>`);
    const left = LEFT + (i % 2) * ((WIDTH - LEFT) / 2);
    const top = HEIGHT + 4 + Math.floor(i / 2) * 15;
    parts.push(`<path d="M${left} ${top - 3}h14" stroke="${colour}" stroke-width="2.5"/>`);
    parts.push(text(left + 19, top, name, 'fill="#333"'));
  });
  return parts.join('\n');
}

/** Maps [from, to] to [start, end]. */
function scale(from, to, start, end) {
  return (value) => start + ((value - from) / (to - from || 1)) * (end - start);
}
