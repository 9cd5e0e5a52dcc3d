import { isAbsolute } from 'node:path';
import { InvalidArgumentError } from 'commander';

/** `unix:///run/hull/hull.sock` → its path. */
export function parseHost(value: string): string {
  const path = value.startsWith('unix://') ? value.slice('unix://'.length) : '';
  if (isAbsolute(path)) return path;
  throw new InvalidArgumentError(`found ${JSON.stringify(value)}, wanted unix:///absolute/path`);
}

/** Collects `--storage-opt key=value`. */
export function parseStorageOption(
  value: string,
  before: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const at = value.indexOf('=');
  if (at > 0) return new Map([...before, [value.slice(0, at), value.slice(at + 1)]]);
  throw new InvalidArgumentError(`found ${JSON.stringify(value)}, wanted key=value`);
}

/** `/machine.slice/hull`, with or without the first slash. */
export function parseCgroupPath(value: string): string {
  const names = value.replace(/^\//, '').split('/');
  if (names.every((name) => !['', '.', '..'].includes(name))) return names.join('/');
  throw new InvalidArgumentError(
    `found ${JSON.stringify(value)}, wanted a path of names such as /machine.slice/hull`,
  );
}

/** dockerd's `--exec-opt`: who makes cgroups. */
export function parseExecOption(value: string): 'cgroupfs' | 'systemd' {
  const [, driver] = /^native\.cgroupdriver=(.*)$/.exec(value) ?? [];
  if (driver === 'cgroupfs' || driver === 'systemd') return driver;
  throw new InvalidArgumentError(
    `found ${JSON.stringify(value)}, wanted native.cgroupdriver=cgroupfs or native.cgroupdriver=systemd`,
  );
}

/** `512m`, `2G`, or -1 for no limit, in bytes. */
export function parseBytes(value: string): number {
  const match = /^(\d+(?:\.\d+)?)([kmgt]?)b?$/i.exec(value.trim());
  if (value.trim() === '-1') return -1;
  if (!match) throw new InvalidArgumentError(`found ${JSON.stringify(value)}, wanted bytes as 512m or 2g`);
  const unit = ['', 'k', 'm', 'g', 't'].indexOf((match[2] ?? '').toLowerCase());
  return Math.round(Number(match[1]) * 1024 ** unit);
}

/** Collects an option that may be repeated. */
export const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];
