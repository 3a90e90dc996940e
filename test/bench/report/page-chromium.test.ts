/** The page in a real browser: on every screen, light, dark and printed. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { html, type Report } from '../../../bench/report/index.js';
import { until } from '../../cli/support.js';
import { Chromium, chromiumTitle, type Page, skipChromium } from '../../interop/support-chromium.js';
import { sampleReport, small } from './samples.js';

const long = 'a name that is much longer than what any chart or table has room for, and goes on and on';

const REPORTS: Record<string, Report> = {
  large: sampleReport({ servers: 12 }),
  smallest: small({ base: [1] }),
  long: {
    ...sampleReport({ workloads: 20 }),
    command: `npm run bench:peers -- --only ${'x'.repeat(300)}`,
    servers: sampleReport().servers.map((server, i) => ({ ...server, name: i % 2 ? long : `W${'M'.repeat(80)}` })),
    workloads: sampleReport({ workloads: 20 }).workloads.map((workload) => ({
      ...workload,
      title: `${workload.title} ${long}`,
    })),
  },
  hostile: {
    ...small({
      base: [1, 2, 3],
      ours: [1, 1, 1],
      peer: '<img src="https://example.com/x.png" onerror="document.title=1">',
    }),
    servers: ['base', 'ours', 'peer'].map((id) => ({ id, name: '<script src="https://example.com/x.js"></script>' })),
  },
};

const SCREENS = [
  { width: 1200, height: 900, dark: false },
  { width: 1200, height: 900, dark: true },
  { width: 820, height: 1100, dark: false },
  { width: 390, height: 844, dark: false, mobile: true },
  { width: 390, height: 844, dark: true, mobile: true },
  { width: 320, height: 640, dark: false, mobile: true },
];

describe.skipIf(skipChromium)(`${chromiumTitle}: a report`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-report-'));
  let browser: Chromium;
  const requests: string[] = [];

  beforeAll(async () => {
    browser = await Chromium.launch();
    browser.listen(({ method, params }) => {
      if (method !== 'Network.requestWillBeSent') return;
      requests.push((params?.['request'] as { url: string } | undefined)?.url ?? 'unknown');
    });
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true });
  });

  describe.each(Object.keys(REPORTS))('%s', (name) => {
    let page: Page;
    let url: string;

    beforeAll(async () => {
      const file = join(folder, `${name}.html`);
      writeFileSync(file, html(REPORTS[name] as Report));
      url = pathToFileURL(file).href;
      page = await browser.newPage('about:blank');
      await page.send('Network.enable');
      await page.goto(url);
    });

    test.each(SCREENS)('nothing sticks out or overlaps, and text is readable: $width, dark: $dark', async (screen) => {
      await page.show(screen);
      await until('it is laid out', () => page.evaluate(`document.documentElement.clientWidth <= ${screen.width}`));
      for (const open of [false, true]) {
        await page.evaluate(`document.querySelectorAll('details').forEach((e) => (e.open = ${open}))`);
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(screen.width);
        expect(await page.evaluate(OUTSIDE)).toEqual([]);
        expect(await page.evaluate(OVERLAPS)).toEqual([]);
      }
      expect(await page.evaluate(CONTRASTS)).toEqual([]);
    });

    test('is printed whole, and light', async () => {
      // A4 upright, in pixels, less the margins.
      await page.show({ width: 718, height: 1000, dark: false });
      await page.send('Emulation.setEmulatedMedia', {
        media: 'print',
        features: [{ name: 'prefers-color-scheme', value: 'dark' }],
      });
      await page.evaluate(`document.querySelectorAll('details').forEach((e) => (e.open = false))`);
      expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(255, 255, 255)');
      expect(await page.evaluate('getComputedStyle(document.body).color')).toBe('rgb(21, 38, 43)');
      const hidden = `[...document.querySelectorAll('details table')].filter((e) => !e.checkVisibility({ contentVisibilityAuto: true })
        || e.getBoundingClientRect().height === 0).length`;
      expect(await page.evaluate(hidden)).toBe(0);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(718);
      await page.send('Emulation.setEmulatedMedia', { media: '', features: [] });
    });

    test('asked for nothing, ran nothing, and nothing went wrong', async () => {
      expect(await page.evaluate('document.scripts.length + document.images.length')).toBe(0);
      expect(new Set(requests.filter((asked) => asked !== 'data:,'))).toEqual(
        new Set(requests.filter((asked) => asked.startsWith('file:'))),
      );
      expect(requests.filter((asked) => asked === url)).toHaveLength(1);
      expect(page.faults).toEqual([]);
      expect(await page.evaluate('document.compatMode')).toBe('CSS1Compat');
    });
  });

  test('hides nothing from those who do not see it', async () => {
    const page = await browser.newPage(pathToFileURL(join(folder, 'large.html')).href);
    const unnamed = `[...document.querySelectorAll('svg')].filter((e) => e.getAttribute('aria-hidden') !== 'true'
      && !(e.getAttribute('role') === 'img' && e.querySelector('title').textContent.trim() && e.querySelector('desc').textContent.trim())).length`;
    expect(await page.evaluate(unnamed)).toBe(0);
    expect(await page.evaluate(`document.documentElement.lang`)).toBe('en');
    expect(
      await page.evaluate(`[...document.querySelectorAll('table')].filter((e) => !e.querySelector('thead th[scope=col]')
      || !e.querySelector('tbody th[scope=row]')).length`),
    ).toBe(0);
    expect(
      await page.evaluate(`[...document.querySelectorAll('a')].filter((e) => !document.querySelector(e.hash)).length`),
    ).toBe(0);
    // Headings leave out no level.
    const levels = await page.evaluate<number[]>(
      `[...document.querySelectorAll('h1, h2, h3')].map((e) => Number(e.tagName[1]))`,
    );
    expect(levels.filter((level, i) => level > (levels[i - 1] ?? 0) + 1)).toEqual([]);
  });
});

/** Elements outside of the page, or of the box that scrolls them; text outside of its drawing. */
const OUTSIDE = `(() => {
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const { left, right, width } = element.getBoundingClientRect();
    if (width === 0 || element.parentElement.closest('.scroll, defs')) continue;
    const svg = element.tagName === 'text' ? element.ownerSVGElement.getBoundingClientRect() : null;
    const [from, to] = svg ? [svg.left, svg.right] : [0, document.documentElement.clientWidth];
    if (left < from - 1 || right > to + 1) found.push([left, right, from, to].map(Math.round) + ' ' + element.outerHTML.slice(0, 120));
  }
  return found;
})()`;

/** Texts of one drawing that cover each other. */
const OVERLAPS = `(() => {
  const found = [];
  for (const svg of document.querySelectorAll('svg.chart')) {
    const texts = [...svg.querySelectorAll('text')].map((e) => [e.textContent, e.getBoundingClientRect()]).filter(([, box]) => box.width > 0);
    for (let i = 0; i < texts.length; i++) {
      for (let j = i + 1; j < texts.length; j++) {
        const [[one, a], [two, b]] = [texts[i], texts[j]];
        const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        // Lines of text may touch: their boxes are higher than what is in them.
        if (across > 0.5 && down > a.height * 0.35) found.push(one + ' | ' + two);
      }
    }
  }
  return found;
})()`;

/** Texts whose contrast to what is behind them is below 4.5 (WCAG 2.2, 1.4.3), and marks below 3 (1.4.11). */
const CONTRASTS = `(() => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const known = new Map();
  const luminance = (colors) => {
    const key = colors.join();
    if (known.has(key)) return known.get(key);
    context.clearRect(0, 0, 1, 1);
    for (const color of colors) {
      context.fillStyle = color;
      context.fillRect(0, 0, 1, 1);
    }
    const [r, g, b] = context.getImageData(0, 0, 1, 1).data;
    const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    known.set(key, 0.2126 * x + 0.7152 * y + 0.0722 * z);
    return known.get(key);
  };
  const contrast = (behind, ink) => {
    const [one, two] = [luminance(behind), luminance([...behind, ink])];
    return (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
  };
  const backgrounds = (element) => {
    const behind = [];
    for (let e = element; e !== null; e = e.parentElement) behind.unshift(getComputedStyle(e).backgroundColor);
    return behind;
  };
  const found = new Set();
  for (const element of document.querySelectorAll('body *')) {
    const isSvg = element instanceof SVGElement;
    const isMark = element.matches('use, rect.bar, path.line');
    const own = [...element.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim() !== '');
    if (!(own || isMark) || element.closest('title, desc, defs')) continue;
    const style = getComputedStyle(element);
    const ink = !isSvg ? style.color : style.fill !== 'none' ? style.fill : style.stroke;
    const best = isMark ? Math.max(contrast(backgrounds(element), ink), contrast(backgrounds(element), style.stroke)) : contrast(backgrounds(element), ink);
    if (best < (isMark ? 3 : 4.5)) found.add(best.toFixed(2) + ' ' + (element.getAttribute('class') ?? element.outerHTML.slice(0, 80)));
  }
  return [...found];
})()`;
