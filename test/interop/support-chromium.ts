/**
 * Drives a headless Chromium over its DevTools protocol, with the `ws` client and nothing else.
 *
 * Where no Chromium is found the tests are skipped, except under CI: there, being skipped unnoticed would be worse.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { until } from '../cli/support.js';

const CANDIDATES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome-stable'];

const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--remote-debugging-port=0',
];

function findChromium(): string | null {
  const named = process.env['MILLRACE_CHROMIUM'];
  for (const path of named === undefined ? CANDIDATES : [named]) {
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not this one.
    }
  }
  return null;
}

const binary = findChromium();

/** Whether to skip the tests, and what their title says about it. */
export const skipChromium = binary === null && process.env['CI'] === undefined;
export const chromiumTitle = skipChromium
  ? 'Chromium (skipped: none found at /usr/bin/chromium or at MILLRACE_CHROMIUM)'
  : 'Chromium';

interface Answer {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

export class Chromium {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #devtools: WebSocket;
  readonly #waiting = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>();
  readonly #listeners = new Set<(answer: Answer) => void>();
  #lastId = 0;

  private constructor(child: ChildProcess, profile: string, devtools: WebSocket) {
    this.#child = child;
    this.#profile = profile;
    this.#devtools = devtools;
    devtools.on('message', (data) => this.#onMessage(JSON.parse(String(data)) as Answer));
    devtools.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('Chromium is gone'));
      this.#waiting.clear();
    });
  }

  /** @param flags more of them */
  static async launch(...flags: string[]): Promise<Chromium> {
    if (binary === null) throw new Error('no Chromium at /usr/bin/chromium or at MILLRACE_CHROMIUM');
    const profile = await mkdtemp(join(tmpdir(), 'millrace-chromium-'));
    // In a process group of its own, because Chromium is many processes and its start script is another.
    const child = spawn(binary, [...FLAGS, ...flags, `--user-data-dir=${profile}`, 'about:blank'], {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    // A test run that is broken off leaves nothing behind either.
    process.once('exit', () => killGroup(child));
    try {
      const devtools = new WebSocket(await devtoolsUrl(child), { perMessageDeflate: false });
      await once(devtools, 'open');
      return new Chromium(child, profile, devtools);
    } catch (error) {
      await remove(child, profile);
      throw error;
    }
  }

  async newPage(url: string): Promise<Page> {
    const { targetId } = await this.send<{ targetId: string }>('Target.createTarget', { url: 'about:blank' });
    const attached = await this.send<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, attached.sessionId, targetId);
    await page.start();
    await page.goto(url);
    return page;
  }

  send<T = unknown>(method: string, params: object = {}, sessionId?: string): Promise<T> {
    const id = ++this.#lastId;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#devtools.send(JSON.stringify({ id, method, params, sessionId }));
    });
  }

  listen(listener: (answer: Answer) => void): void {
    this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    this.#devtools.terminate();
    await remove(this.#child, this.#profile);
  }

  #onMessage(answer: Answer): void {
    if (answer.id === undefined) {
      for (const listener of this.#listeners) listener(answer);
      return;
    }
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (answer.error === undefined) waiting?.resolve(answer.result as never);
    else waiting?.reject(new Error(answer.error.message));
  }
}

/** What a browser shows, and on what. */
export interface Screen {
  readonly width: number;
  readonly height: number;
  readonly dark: boolean;
  readonly mobile?: boolean;
}

export class Page {
  /** Uncaught exceptions, console errors and what the security policy refused: a good page has none. */
  readonly faults: string[] = [];
  readonly #browser: Chromium;
  readonly #sessionId: string;
  readonly #targetId: string;
  #loads = 0;

  constructor(browser: Chromium, sessionId: string, targetId: string) {
    this.#browser = browser;
    this.#sessionId = sessionId;
    this.#targetId = targetId;
    browser.listen((answer) => {
      if (answer.sessionId === sessionId) this.#onEvent(answer);
    });
  }

  async start(): Promise<void> {
    for (const domain of ['Page', 'Runtime', 'Log']) await this.send(`${domain}.enable`);
  }

  async goto(url: string): Promise<void> {
    const before = this.#loads;
    await this.send('Page.navigate', { url });
    await until(`${url} is loaded`, () => this.#loads > before);
  }

  send<T = unknown>(method: string, params: object = {}): Promise<T> {
    return this.#browser.send<T>(method, params, this.#sessionId);
  }

  /** The value of an expression; a promise is awaited. */
  async evaluate<T>(expression: string): Promise<T> {
    interface Outcome {
      readonly result: { readonly value: T };
      readonly exceptionDetails?: { readonly text: string; readonly exception?: { readonly description?: string } };
    }
    const { result, exceptionDetails } = await this.send<Outcome>('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
      userGesture: true,
    });
    if (exceptionDetails === undefined) return result.value;
    throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  }

  /** The text of the element with an id. */
  text(id: string): Promise<string> {
    return this.evaluate<string>(`document.getElementById(${JSON.stringify(id)}).textContent`);
  }

  async untilText(id: string, matches: RegExp, timeout?: number): Promise<string> {
    let last = '';
    const check = async () => {
      last = await this.text(id);
      return matches.test(last) ? last : null;
    };
    return until(`#${id} matches ${matches}`, check, timeout).catch((error: unknown) => {
      throw new Error(`${error instanceof Error ? error.message : error}; it is ${JSON.stringify(last)}`);
    });
  }

  /** Clicks where the element is, as a finger or a mouse would. */
  async click(id: string): Promise<void> {
    const { x, y } = await this.evaluate<{ x: number; y: number }>(`(() => {
      const element = document.getElementById(${JSON.stringify(id)});
      element.scrollIntoView({ block: 'center', behavior: 'instant' });
      const { x, y, width, height } = element.getBoundingClientRect();
      return { x: x + width / 2, y: y + height / 2 };
    })()`);
    for (const type of ['mousePressed', 'mouseReleased']) {
      await this.send('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 });
    }
  }

  async typeInto(id: string, text: string): Promise<void> {
    await this.evaluate(`document.getElementById(${JSON.stringify(id)}).focus()`);
    await this.send('Input.insertText', { text });
  }

  async press(key: 'Enter'): Promise<void> {
    const event = { key, code: key, windowsVirtualKeyCode: 13, text: '\r' };
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', ...event });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...event });
  }

  async show({ width, height, dark, mobile = false }: Screen): Promise<void> {
    await this.send('Emulation.setDeviceMetricsOverride', {
      width,
      height,
      mobile,
      deviceScaleFactor: mobile ? 2 : 1,
    });
    await this.send('Emulation.setEmulatedMedia', {
      features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }],
    });
  }

  /** A PNG of the whole page, not only of what is in view. */
  async screenshot(): Promise<Buffer> {
    const { data } = await this.send<{ data: string }>('Page.captureScreenshot', { captureBeyondViewport: true });
    return Buffer.from(data, 'base64');
  }

  async close(): Promise<void> {
    await this.#browser.send('Target.closeTarget', { targetId: this.#targetId });
  }

  #onEvent({ method, params = {} }: Answer): void {
    if (method === 'Page.loadEventFired') this.#loads++;
    else if (method === 'Runtime.exceptionThrown') this.faults.push(JSON.stringify(params['exceptionDetails']));
    else if (method === 'Runtime.consoleAPICalled' && params['type'] === 'error')
      this.faults.push(JSON.stringify(params));
    else if (method === 'Log.entryAdded') {
      const entry = params['entry'] as { level: string; text: string };
      if (entry.level === 'error') this.faults.push(entry.text);
    }
  }
}

/** Chromium tells where its DevTools listen, in a line on stderr. */
async function devtoolsUrl(child: ChildProcess): Promise<string> {
  let output = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  let failure: Error | null = null;
  child.once('error', (error) => {
    failure = error;
  });
  const started = () => {
    if (failure !== null || child.exitCode !== null) throw failure ?? new Error('Chromium ended');
    return /DevTools listening on (ws:\S+)/.exec(output)?.[1];
  };
  return until('Chromium starts', started, 100_000).catch((error: unknown) => {
    throw new Error(`${error instanceof Error ? error.message : error}; it said:\n${output}`);
  });
}

/** @returns whether it was still running */
function killGroup({ pid, exitCode, signalCode }: ChildProcess): boolean {
  if (pid === undefined || exitCode !== null || signalCode !== null) return false;
  process.kill(-pid, 'SIGKILL');
  return true;
}

async function remove(child: ChildProcess, profile: string): Promise<void> {
  const exited = once(child, 'exit');
  if (killGroup(child)) await exited;
  // The last of its processes may still be writing when the first has gone.
  await rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
}
