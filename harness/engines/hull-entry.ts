import { join } from 'node:path';

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
  'node:crypto',
  'node:fs/promises',
  'node:net',
  'node:stream/promises',
  'node:timers/promises',
];

/**
 * The first file of hull's bundle: hull as it is, or evaluated and kept as a start-up snapshot of Node (`--build-snapshot`).
 * `$SEATRIAL_V8_FLAGS` are for V8 from then on; on Node's command line they would make V8 reject the compiled
 * form of Node's own modules.
 */
export function hullEntry(runtimeDir: string): string {
  const from = (path: string) => JSON.stringify(join(runtimeDir, path));
  return `
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
