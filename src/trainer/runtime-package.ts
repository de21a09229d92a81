/** Where the installed onnxruntime-node is, found without loading it: its native library may be what does not load. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const manifest = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };

/** The package's folder and version, and the folder of its native libraries for this machine. */
export const runtimePackage: { readonly folder: string; readonly version: string; readonly binaries: string } = {
  folder: dirname(manifest),
  version,
  binaries: join(dirname(manifest), 'bin', 'napi-v6', process.platform, process.arch),
};
