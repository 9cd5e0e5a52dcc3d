import { join } from 'node:path';
import type { Plugin } from 'rolldown';

/** What the snapshot has evaluated: all that a start of the daemon loads, and what most scenarios ask of it next. */
const evaluated = [
  'cli/commands/daemon.ts',
  'daemon/routes/system.ts',
  'daemon/routes/containers.ts',
  'daemon/routes/container-streams.ts',
  'daemon/routes/exec.ts',
  'daemon/routes/images.ts',
  'daemon/routes/image-writing.ts',
  'daemon/routes/volumes.ts',
  'containers/create-request.ts',
  'containers/exec-request.ts',
  'containers/start.ts',
  'containers/mounts/prepare-mounts.ts',
  'storage/overlay/overlay-driver.ts',
  'storage/vfs/vfs-driver.ts',
  'storage/devicemapper/devicemapper-driver.ts',
];

/** Of Node's own. `node:http` cannot be in a snapshot: its parser lives in C++. */
const builtins = [
  'node:child_process',
  'node:cluster', // a listening socket asks for it
  'node:crypto',
  'node:fs/promises',
  'node:net',
  'node:perf_hooks', // so does `performance`
  'node:stream/promises',
  'node:timers/promises',
];

/** Code that zod makes for a schema's first use and V8 compiles: a life of seconds parses too little to earn it back. */
const withoutJit = `import { config } from 'zod';\nconfig({ jitless: true });\n`;

/** The entry of hull's bundle: files that stand nowhere, in a folder from which hull's own imports are found. */
export function entryPlugin(runtimeDir: string): Plugin {
  const texts = new Map([
    [entryFile(runtimeDir), entryText(runtimeDir)],
    [join(runtimeDir, 'without-jit.js'), withoutJit],
  ]);
  return {
    name: 'entry',
    resolveId: (id) => (texts.has(id) ? id : null),
    load: (id) => texts.get(id) ?? null,
  };
}

export const entryFile = (runtimeDir: string) => join(runtimeDir, 'hull-entry.js');

/**
 * hull as it is, or evaluated and kept as a start-up snapshot of Node (`--build-snapshot`). `$SEATRIAL_V8_FLAGS` are for V8
 * from then on; on Node's command line they would make V8 reject the compiled form of Node's own modules.
 */
function entryText(runtimeDir: string): string {
  const from = (path: string) => JSON.stringify(join(runtimeDir, path));
  return `
import ${from('without-jit.js')};
import { setFlagsFromString, startupSnapshot } from 'node:v8';
import { main } from ${from('cli/main.ts')};
${evaluated.map((path) => `import ${from(path)};`).join('\n')}

function start() {
  const flags = process.env.SEATRIAL_V8_FLAGS;
  if (flags) {
    process.getBuiltinModule('node:http');
    for (const flag of flags.split(' ')) setFlagsFromString(flag);
  }
  void main();
}

if (startupSnapshot.isBuildingSnapshot()) {
  for (const name of ${JSON.stringify(builtins)}) process.getBuiltinModule(name);
  startupSnapshot.setDeserializeMainFunction(start);
} else {
  start();
}
`;
}
