/** What the package must contain, and what it must not. */

import { TARGETS } from './binary.js';

/** Bytes, unpacked; the promise of a small package. */
const SIZE_LIMIT = 1_000_000;

const WANTED = [
  /^(?:package\.json|README\.md|CHANGELOG\.md|LICENSE|docs\/native\.md)$/,
  /^dist\/.+(?:\.js|\.d\.ts|\.cjs|\.d\.cts)$/,
  /^dist\/cli\/page\/.+\.(?:html|css|js|svg)$/,
  new RegExp(`^prebuilds/(?:${TARGETS.join('|')})/millrace\\.node$`),
];

const NEEDED = [
  'README.md',
  'CHANGELOG.md',
  'LICENSE',
  'docs/native.md',
  'dist/node/index.js',
  'dist/node/index.d.ts',
  'dist/core/index.js',
  'dist/kernels/index.js',
  'dist/kernels/binary.cjs',
  'dist/cli/main.js',
  'dist/cli/page/index.html',
];

/** What npm would run on an install; a binding.gyp would make it run node-gyp as well, and no file pattern lets it in. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'preprepare', 'prepare', 'postprepare'];

/**
 * What is wrong with the contents, in sentences.
 * @param packed what `npm pack --json` tells of the tarball
 * @param manifest the package.json
 */
export function contentProblems(packed, manifest) {
  const paths = packed.files.map(({ path }) => path);
  return [
    ...paths.filter((path) => !WANTED.some((wanted) => wanted.test(path))).map((path) => `${path} is not wanted`),
    ...NEEDED.filter((path) => !paths.includes(path)).map((path) => `${path} is missing`),
    ...INSTALL_SCRIPTS.filter((name) => name in (manifest.scripts ?? {})).map((name) => `there is a script ${name}`),
    ...Object.keys(manifest.dependencies ?? {}).map((name) => `there is a dependency, ${name}`),
    ...(packed.unpackedSize > SIZE_LIMIT ? [`${packed.unpackedSize} bytes are more than ${SIZE_LIMIT}`] : []),
  ];
}
