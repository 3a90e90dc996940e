/** The page of `millrace serve` in a real browser, against the built command. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Snapshot } from '../../src/cli/stats.js';
import { Serving, until } from '../cli/support.js';
import { Chromium, chromiumTitle, type Page, skipChromium } from './support-chromium.js';

interface Load {
  readonly connections: number;
  readonly inFlight: number;
  readonly size: number;
  readonly kind: 'text' | 'binary';
}

/** The points of a series: the page draws each as a pair of coordinates behind an M or an L. */
function points(page: Page, chart: string, series: string): Promise<string[]> {
  return page.evaluate<string[]>(
    `document.querySelector('#${chart} [data-series=${series}]').getAttribute('d')?.match(/[ML][^MLh]+/g) ?? []`,
  );
}

/** The milliseconds that a label says. */
function milliseconds(label: string): number {
  const [, number, unit] = /^([\d.]+)\s(ms|s)$/.exec(label) ?? [];
  return Number(number) * (unit === 's' ? 1000 : 1);
}

const number = (label: string): number => Number(label.replace(/[^\d]/g, ''));

describe.skipIf(skipChromium)(chromiumTitle, () => {
  let browser: Chromium;
  let serving: Serving;
  let page: Page;

  beforeAll(async () => {
    serving = await Serving.start();
    browser = await Chromium.launch();
    page = await browser.newPage(serving.url);
    await page.show({ width: 1280, height: 900, dark: false });
  });
  afterAll(async () => {
    serving?.kill();
    await browser?.close();
  });

  const stats = async () => JSON.parse((await serving.get('/stats')).body) as Snapshot;

  async function startLoad({ connections, inFlight, size, kind }: Load): Promise<void> {
    await page.evaluate(`(() => {
      for (const [id, value] of [['connections', ${connections}], ['in-flight', ${inFlight}], ['size', ${size}]]) {
        const element = document.getElementById(id);
        element.value = value;
        element.dispatchEvent(new Event('input', { bubbles: true }));
      }
      document.querySelector('[name=load-kind][value=${kind}]').click();
    })()`);
    await page.click('load-button');
    await page.untilText('load-state', /^Running/);
  }

  /** @returns how many messages came back, as the page says */
  async function stopLoad(): Promise<number> {
    await page.click('load-button');
    return number(await page.untilText('load-state', /came back/));
  }

  test('connects, and shows what the server says of itself', async () => {
    await page.untilText('state', /^Connected$/);
    await page.untilText('talk-state', /^Connected/);
    await page.untilText('server-connections', /^1 open/);
    const { kernels, version } = await stats();
    expect(await page.text('tile-tier')).toBe(kernels.tier);
    expect(await page.text('server-tier')).toBe(kernels.tier);
    expect(await page.text('server-reason')).toBe(kernels.reason);
    expect(await page.text('server-features')).toBe(kernels.features.join(', ') || 'none in use');
    expect(await page.text('server-version')).toBe(version);
    expect(await page.text('endpoint')).toBe(`ws://127.0.0.1:${serving.port}/echo`);
  });

  test('has a clock fine enough to measure with', async () => {
    expect(await page.evaluate('crossOriginIsolated')).toBe(true);
  });

  describe('the conversation', () => {
    const entries = (kind: string) =>
      page.evaluate<string[]>(`[...document.querySelectorAll('#talk-log .${kind} .what')].map((e) => e.textContent)`);

    test.each(['hello', 'grüße 🌾', '<img src=x onerror="document.title=1">'])('echoes %s', async (text) => {
      await page.typeInto('talk-text', text);
      await page.press('Enter');
      await until('the echo is shown', async () => (await entries('echo')).at(-1) === text);
      expect((await entries('sent')).at(-1)).toBe(text);
      expect(await page.evaluate('document.querySelector("#talk-log img")')).toBe(null);
    });

    test('sends binary, by the button', async () => {
      await page.click('talk-send');
      await until('the empty message is back', async () => (await entries('echo')).at(-1) === '');
      await page.evaluate(`document.querySelector('[name=talk-kind][value=binary]').click()`);
      await page.typeInto('talk-text', 'bytes');
      await page.click('talk-send');
      await until('the echo is shown', async () => (await entries('echo')).at(-1) === 'bytes');
      expect(await page.evaluate(`document.querySelector('#talk-log .echo:last-child .meta').textContent`)).toMatch(
        /^binary, 5\sB, [\d.]+\sms$/,
      );
    });

    test('is left and taken up again', async () => {
      await page.click('talk-toggle');
      await page.untilText('talk-state', /^Disconnected/);
      expect(await page.evaluate(`document.getElementById('talk-send').disabled`)).toBe(true);
      await until('the server sees it', async () => (await stats()).connections.open === 0);
      await page.click('talk-toggle');
      await page.untilText('talk-state', /^Connected/);
    });
  });

  describe('the load', () => {
    test.each<Load>([
      { connections: 4, inFlight: 4, size: 256, kind: 'text' },
      { connections: 1, inFlight: 1, size: 16, kind: 'binary' },
      { connections: 32, inFlight: 64, size: 16384, kind: 'binary' },
      { connections: 32, inFlight: 64, size: 16384, kind: 'text' },
    ])('runs: $connections × $inFlight × $size $kind', async (load) => {
      const before = await stats();
      await startLoad(load);
      await until('its connections are counted', async () => (await stats()).connections.open === 1 + load.connections);
      await page.untilText('tile-connections', new RegExp(`^${1 + load.connections}$`));
      await page.untilText('rate-page', /\d/);
      const total = await stopLoad();
      expect(total).toBeGreaterThan(0);
      const after = await stats();
      expect(after.messages.received - before.messages.received).toBe(total);
      expect(after.messages.echoed - before.messages.echoed).toBe(total);
      expect(after.bytes.received - before.bytes.received).toBe(total * load.size);
      expect(await page.text('load-state')).toMatch(/^[\d,]+ messages came back\.$/);
      await until('its connections are closed', async () => (await stats()).connections.open === 1);
    });

    test('moves the plots', async () => {
      await startLoad({ connections: 2, inFlight: 2, size: 64, kind: 'text' });
      for (const [chart, series] of [
        ['rate-chart', 'page'],
        ['rate-chart', 'server'],
        ['latency-chart', 'p50'],
        ['latency-chart', 'p99'],
      ]) {
        const before = await points(page, chart, series);
        const grown = async () => (await points(page, chart, series)).length >= before.length + 3;
        await until(`${series} has three points more`, grown);
        for (const point of await points(page, chart, series)) expect(point).toMatch(/^[ML]-?[\d.]+ [\d.]+$/);
      }
      expect(await page.text('latency-p50')).toBe(await page.text('tile-p50'));
      expect(milliseconds(await page.text('latency-p99'))).toBeGreaterThanOrEqual(
        milliseconds(await page.text('latency-p50')),
      );
      expect(await page.text('tile-rate')).toMatch(/^[\d.]+k?$/);
      await stopLoad();
    });

    // Waiting is told while it lasts: a chart that only knows what has come back would show calm here.
    test.skipIf(process.platform === 'win32')('shows a server that stalls', async () => {
      await startLoad({ connections: 2, inFlight: 4, size: 64, kind: 'text' });
      await page.untilText('latency-p99', /ms$/);
      serving.signal('SIGSTOP');
      try {
        await page.untilText('state', /^No word from the server/);
        expect(milliseconds(await page.text('latency-p50'))).toBeGreaterThan(1000);
        expect(milliseconds(await page.text('latency-p99'))).toBeGreaterThan(1000);
        expect(await page.text('rate-page')).toBe('0');
      } finally {
        serving.signal('SIGCONT');
      }
      await page.untilText('state', /^Connected$/);
      await page.untilText('latency-p50', /^[\d.]+\sms$/);
      await stopLoad();
    });
  });

  describe('on every screen', () => {
    const screens = [
      { width: 1280, height: 900, dark: false },
      { width: 1280, height: 900, dark: true },
      { width: 768, height: 1024, dark: false },
      { width: 390, height: 844, dark: false, mobile: true },
      { width: 390, height: 844, dark: true, mobile: true },
      { width: 320, height: 640, dark: false, mobile: true },
    ];

    test.each(screens)('nothing sticks out, and text is readable: $width, dark: $dark', async (screen) => {
      await page.show(screen);
      await until('it is laid out', () => page.evaluate(`document.documentElement.clientWidth <= ${screen.width}`));
      const outside = await page.evaluate<string[]>(`[...document.querySelectorAll('body *')]
        .filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
        .map((e) => e.outerHTML.slice(0, 80))`);
      expect(outside).toEqual([]);
      expect(await page.evaluate(CONTRASTS)).toEqual([]);
    });

    test('every control has a name', async () => {
      const controls = await page.evaluate<string[]>(
        `[...document.querySelectorAll('input, select, textarea')].filter((e) => !e.labels?.length).map((e) => e.outerHTML)`,
      );
      expect(controls).toEqual([]);
    });
  });

  test('reconnects when the server comes back', async () => {
    await page.show({ width: 1280, height: 900, dark: false });
    const { port } = serving;
    await startLoad({ connections: 2, inFlight: 2, size: 64, kind: 'text' });
    expect(await serving.stop('SIGTERM')).toBe(0);
    await page.untilText('state', /^The server has shut down, trying again$/);
    await page.untilText('load-state', /^Stopped: a connection was lost \(1001\)\./);
    await page.untilText('talk-state', /^Not connected|^Connecting/);
    expect(await page.text('tile-connections')).toBe('–');

    // What the browser says about attempts that fail is no fault of the page's.
    page.faults.splice(0);
    serving = await Serving.start(['--port', String(port)]);
    await page.untilText('state', /^Connected$/);
    await page.untilText('talk-state', /^Connected/);
    await page.untilText('server-connections', /^1 open, 1 since/);
    page.faults.splice(0);
    await page.typeInto('talk-text', 'again');
    await page.press('Enter');
    await page.untilText('talk-log', /serveragain/);
    const total = async () => {
      await startLoad({ connections: 1, inFlight: 1, size: 64, kind: 'binary' });
      return stopLoad();
    };
    expect(await total()).toBeGreaterThan(0);
  });

  test('nothing went wrong on the page', () => {
    expect(page.faults).toEqual([]);
  });
});

/** Texts whose contrast to what is behind them is below 4.5 (WCAG 2.2, 1.4.3), controls that are disabled apart. */
const CONTRASTS = `(() => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const rgb = (...colors) => {
    context.clearRect(0, 0, 1, 1);
    for (const color of colors) {
      context.fillStyle = color;
      context.fillRect(0, 0, 1, 1);
    }
    return context.getImageData(0, 0, 1, 1).data;
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim() !== '');
    if (!own || element.closest('[disabled], noscript, title, option') || element.querySelector('[disabled]')) continue;
    const style = getComputedStyle(element);
    const behind = [];
    for (let e = element; e !== null; e = e.parentElement) behind.unshift(getComputedStyle(e).backgroundColor);
    const ink = style.fill !== 'rgb(0, 0, 0)' && element instanceof SVGElement ? style.fill : style.color;
    const [one, two] = [luminance(rgb(...behind)), luminance(rgb(...behind, ink))];
    const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    if (contrast < 4.5) found.push(contrast.toFixed(2) + ' ' + element.outerHTML.slice(0, 80));
  }
  return found;
})()`;
