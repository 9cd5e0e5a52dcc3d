import { getJson } from '../api-client.ts';
import { fieldOf } from '../fields.ts';

/** Prints label and value, one line each, the driver's own lines below it. */
export async function infoCommand(socketPath: string): Promise<void> {
  const info = await getJson(socketPath, '/info');
  for (const [label, field] of lines) {
    console.log(`${label.padEnd(16)}${fieldOf(info, field)}`);
    if (field === 'Driver')
      for (const [name, value] of driverStatus(info)) console.log(`  ${name}: ${value}`);
  }
}

function driverStatus(info: unknown): readonly (readonly [string, string])[] {
  if (typeof info !== 'object' || info === null || !('DriverStatus' in info)) return [];
  if (!Array.isArray(info.DriverStatus)) return [];
  return info.DriverStatus.map((pair: unknown) =>
    Array.isArray(pair) ? [String(pair[0]), String(pair[1])] : [String(pair), ''],
  );
}

const lines: readonly (readonly [string, string])[] = [
  ['hull', 'ServerVersion'],
  ['containers', 'Containers'],
  ['  running', 'ContainersRunning'],
  ['  paused', 'ContainersPaused'],
  ['  stopped', 'ContainersStopped'],
  ['images', 'Images'],
  ['storage driver', 'Driver'],
  ['cgroups', 'CgroupMode'],
  ['kernel', 'KernelVersion'],
  ['system', 'OperatingSystem'],
  ['cpus', 'NCPU'],
  ['memory', 'MemTotal'],
  ['data root', 'DockerRootDir'],
  ['exec root', 'ExecRoot'],
];
