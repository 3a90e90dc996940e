/** `millrace doctor`: what runs here, and why. */

import { messageOf } from './errors.js';
import { packageVersion } from './version.js';

export interface Diagnosis {
  /** The active tier, or null when the one that was asked for cannot be had. */
  readonly tier: string | null;
  readonly reason: string;
  readonly features: readonly string[];
  /** How messages are compressed: with what was sent before, or each by itself; null without kernels. */
  readonly deflate: 'persistent' | 'whole messages' | null;
  readonly version: string;
  readonly platform: string;
  readonly arch: string;
  /** The C library: `glibc 2.36`, `musl`, or null where there is none or it is not known. */
  readonly libc: string | null;
  readonly node: string;
  readonly v8: string;
  readonly napi: string;
  readonly libuv: string;
}

/** Resolves with the exit code: 1 when there are no kernels to run with. */
export async function doctorCommand({ json }: { readonly json: boolean }): Promise<number> {
  const diagnosis = await diagnose();
  process.stdout.write(json ? `${JSON.stringify(diagnosis, null, 2)}\n` : table(diagnosis));
  if (diagnosis.tier !== null) return 0;
  process.stderr.write(`millrace: ${diagnosis.reason}\n`);
  return 1;
}

export async function diagnose(): Promise<Diagnosis> {
  const { versions, platform, arch } = process;
  return {
    ...(await kernelsHere()),
    version: packageVersion(),
    platform,
    arch,
    libc: libc(),
    node: versions.node,
    v8: versions.v8,
    napi: versions['napi'] ?? '',
    libuv: versions.uv,
  };
}

async function kernelsHere(): Promise<Pick<Diagnosis, 'tier' | 'reason' | 'features' | 'deflate'>> {
  try {
    // Imported here because it throws when the tier that was asked for cannot be had: to tell so is the purpose.
    const { info } = await import('../kernels/index.js');
    const { hasPersistentContexts } = await import('../core/index.js');
    return { ...info, deflate: hasPersistentContexts() ? 'persistent' : 'whole messages' };
  } catch (error) {
    if (!(error instanceof Error && error.name === 'KernelsError')) throw error;
    return { tier: null, reason: messageOf(error), features: [], deflate: null };
  }
}

interface ReportShape {
  readonly header?: { readonly glibcVersionRuntime?: string };
  readonly sharedObjects?: readonly string[];
}

function libc(): string | null {
  if (process.platform !== 'linux') return null;
  const report = process.report?.getReport() as unknown as ReportShape | undefined;
  const glibc = report?.header?.glibcVersionRuntime;
  if (glibc !== undefined) return `glibc ${glibc}`;
  return report?.sharedObjects?.some((path) => /\/(?:ld-musl-|libc\.musl-)/.test(path)) ? 'musl' : null;
}

function table({
  tier,
  reason,
  features,
  deflate,
  version,
  platform,
  arch,
  libc,
  node,
  v8,
  napi,
  libuv,
}: Diagnosis): string {
  const rows: [string, string][] = [
    ['kernels', tier ?? 'none'],
    ['why', reason],
    ['CPU', features.length > 0 ? features.join(', ') : 'no special features in use'],
    ['deflate', deflate ?? 'none'],
    ['millrace', version],
    ['platform', `${platform} ${arch}${libc === null ? '' : `, ${libc}`}`],
    ['Node.js', `${node} (V8 ${v8}, Node-API ${napi}, libuv ${libuv})`],
  ];
  return rows.map(([name, value]) => `${name.padEnd(10)}${value}\n`).join('');
}
