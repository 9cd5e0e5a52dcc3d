import { join } from 'node:path';
import type { CodeSplittingGroup } from 'rolldown';

/**
 * The files that hull is bundled into, by what is loaded together: one file for a start of the daemon, one for what most scenarios
 * ask of it next. Left to the bundler a start reads seventy small files, which costs an emulated guest as much as Node itself.
 * Everything else that hull loads on demand goes into files of its own.
 */
const files: Readonly<Record<string, readonly string[]>> = {
  start: [
    'cli/commands/daemon.ts',
    'daemon/routes/system.ts',
    // What the storage drivers share; each is a file of its own.
    'storage/recorded-driver.ts',
    'storage/folder-backend.ts',
    'storage/driver-options.ts',
    'base/command.ts',
    'kernel/probe.ts',
    'launch/hold-mounts.ts',
  ],
  containers: [
    'daemon/routes/containers.ts',
    'daemon/routes/container-streams.ts',
    'daemon/routes/exec.ts',
    'containers/create-request.ts',
  ],
};

/** Each with all that it imports. What two of them need is in the first. */
export function loadedTogether(runtimeDir: string): CodeSplittingGroup[] {
  return Object.entries(files).map(([name, from], index, { length }) => {
    const modules = new Set(from.map((file) => join(runtimeDir, file)));
    let complete = false;
    return {
      priority: length - index,
      name: (id, bundle) => {
        // Such a loop goes on to what it adds.
        for (const one of complete ? [] : modules) {
          for (const next of bundle.getModuleInfo(one)?.importedIds ?? []) modules.add(next);
        }
        complete = true;
        return modules.has(id) ? name : null;
      },
    };
  });
}
