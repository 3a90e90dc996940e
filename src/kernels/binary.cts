/**
 * Finds the addon's binary and loads it: the file that `MILLRACE_ADDON` names and no other, or else the one built in
 * this checkout, or else the prebuilt one of this platform.
 *
 * This file is CommonJS, and writes every path of a prebuilt binary out, because bundlers see only a `require` with a
 * literal path, and only here. They fail for a missing file unless the call stands in a `try`. Nothing is required
 * outside of one, so that a bundle without `require` falls back to the portable tier as well.
 */

type Binary = { readonly addon: unknown; readonly path: string } | { readonly error: Error };

/** Never throws: a binary that is missing or cannot be loaded is an `error` whose message is the reason. */
function loadBinary(): Binary {
  const named = process.env['MILLRACE_ADDON'] ?? '';
  return named === '' ? (loadLocal() ?? loadPrebuilt()) : loadNamed(named);
}

function loadNamed(name: string): Binary {
  try {
    // Anything else would be run as JavaScript.
    if (!name.endsWith('.node')) return failed(`MILLRACE_ADDON is "${name}", which is no .node file`);
    const path: string = require('node:path').resolve(name);
    return { addon: requireChecked(path), path };
  } catch (cause) {
    const reason = isMissing(cause) ? 'there is no such file' : firstLine(cause);
    return failed(`MILLRACE_ADDON is "${name}": ${reason}`, cause);
  }
}

/** The binary that `npm run build:native` makes. A package has none, and then this is undefined. */
function loadLocal(): Binary | undefined {
  try {
    const path = beside('build/Release/millrace.node');
    return path === undefined ? undefined : { addon: requireChecked(path), path };
  } catch (cause) {
    return isMissing(cause) ? undefined : failed(firstLine(cause), cause);
  }
}

function loadPrebuilt(): Binary {
  const target = `${process.platform}-${process.arch}`;
  let addon: unknown;
  try {
    const path = beside(`prebuilds/${target}/millrace.node`);
    if (path !== undefined) checkElf(path);
    switch (target) {
      case 'linux-x64':
        addon = require('../../prebuilds/linux-x64/millrace.node');
        break;
      case 'linux-arm64':
        addon = require('../../prebuilds/linux-arm64/millrace.node');
        break;
      case 'darwin-x64':
        addon = require('../../prebuilds/darwin-x64/millrace.node');
        break;
      case 'darwin-arm64':
        addon = require('../../prebuilds/darwin-arm64/millrace.node');
        break;
      case 'win32-x64':
        addon = require('../../prebuilds/win32-x64/millrace.node');
        break;
      case 'win32-arm64':
        addon = require('../../prebuilds/win32-arm64/millrace.node');
        break;
      default:
        return failed(`there is no prebuilt binary for ${target}`);
    }
    return { addon, path: pathOf(addon) ?? path ?? `prebuilds/${target}/millrace.node` };
  } catch (cause) {
    return failed(isMissing(cause) ? `the prebuilt binary for ${target} is missing` : firstLine(cause), cause);
  }
}

/** The path of a file of the package or the checkout; undefined in a bundle, which stands among the files of others. */
function beside(file: string): string | undefined {
  if (typeof __filename === 'undefined' || !/[\\/]kernels[\\/]binary\.c[jt]s$/.test(__filename)) return undefined;
  return require('node:path').resolve(__dirname, '../..', file);
}

function requireChecked(path: string): unknown {
  checkElf(path);
  return require(path);
}

/**
 * Throws for a Linux binary that is cut off: loading it would end the process with SIGBUS, because the loader maps what
 * the headers speak of without a look at the size. And for one of another architecture, whose file the loader claims
 * not to find.
 */
function checkElf(path: string): void {
  const fs: typeof import('node:fs') = require('node:fs');
  if (process.platform !== 'linux' || !fs.existsSync(path)) return;
  const file = fs.openSync(path, 'r');
  try {
    const header = new DataView(new ArrayBuffer(64));
    if (fs.readSync(file, header) < 64 || header.getUint32(0) !== 0x7f45_4c46) return;
    // Of others the headers may look different, and nobody knows what they should say.
    const machine = { x64: 62, arm64: 183 }[process.arch as string];
    if (machine === undefined) return;
    if (header.getUint16(18, true) !== machine) throw new Error(`${path}: the file is not for ${process.arch}`);
    // The table of sections, which stands at the end.
    const end = Number(header.getBigUint64(0x28, true)) + header.getUint16(0x3a, true) * header.getUint16(0x3c, true);
    if (fs.fstatSync(file).size < end) throw new Error(`${path}: the file is cut off`);
  } finally {
    fs.closeSync(file);
  }
}

/** Where an addon was loaded from: a bundler may have moved and renamed the file. */
function pathOf(addon: unknown): string | undefined {
  return Object.values(require.cache ?? {}).find((module) => module?.exports === addon)?.filename;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND';
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0];
}

function failed(reason: string, cause?: unknown): Binary {
  return { error: new Error(reason, { cause }) };
}

export = loadBinary;
