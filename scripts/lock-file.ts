/**
 * Keeps package-lock.json usable everywhere. `npm install` against a registry that lacks a package of another platform
 * leaves it out of the lock file, and `npm ci` then refuses the whole file; and it may record where packages came from.
 * `node scripts/lock-file.ts` mends both; `npm run ok` only looks.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';

const Entry = z.looseObject({
  version: z.string().optional(),
  resolved: z.string().optional(),
  dev: z.boolean().optional(),
  optionalDependencies: z.record(z.string(), z.string()).optional(),
});
const LockFile = z.looseObject({ packages: z.record(z.string(), Entry) });
type LockFile = z.infer<typeof LockFile>;

const path = 'package-lock.json';

/** One sentence for each thing that is wrong. */
export function checkLockFile(): string[] {
  const lock = readLockFile();
  const addresses = Object.keys(lock.packages).filter((name) => lock.packages[name]?.resolved !== undefined);
  const missing = [...missingPackages(lock).keys()];
  return [
    ...addresses.map((name) => `${path}: ${name} has a download address`),
    ...missing.map((name) => `${path}: ${name} is missing; node scripts/lock-file.ts adds it`),
  ];
}

function mendLockFile(): void {
  const lock = readLockFile();
  for (const entry of Object.values(lock.packages)) delete entry.resolved;
  for (const [name, entry] of missingPackages(lock)) lock.packages[name] = entry;
  const sorted = Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, undefined, 2)}\n`);
}

function readLockFile(): LockFile {
  return LockFile.parse(JSON.parse(readFileSync(path, 'utf8')));
}

/** Optional packages with an exact version, as platform binaries are, that no entry stands for. */
function missingPackages(lock: LockFile): Map<string, z.infer<typeof Entry>> {
  const missing = new Map<string, z.infer<typeof Entry>>();
  for (const [place, parent] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
      // A package that lies inside another one has its binaries beside it, as it has another version of them.
      const key = `${place.slice(0, place.lastIndexOf('node_modules/'))}node_modules/${name}`;
      if (key in lock.packages || !/^\d/.test(version)) continue;
      const dev = parent.dev === true ? { dev: true } : {};
      missing.set(key, { version, ...platformOf(name), ...dev, optional: true });
    }
  }
  return missing;
}

/** `@x/binding-linux-arm64-musl` → what npm compares with the machine. */
function platformOf(name: string): Record<string, readonly string[]> {
  if (/wasm32/.test(name)) return { cpu: ['wasm32'] };
  const found =
    /(aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32)-([a-z0-9]+)(?:-(\w+))?$/.exec(
      name,
    );
  if (!found?.[1] || !found[2]) return {};
  const libc = found[1] === 'linux' ? { libc: [found[3] === 'musl' ? 'musl' : 'glibc'] } : {};
  return { os: [found[1]], cpu: [found[2]], ...libc };
}

if (process.argv[1] === import.meta.filename) mendLockFile();
