import { basename, dirname } from 'node:path';
import { HullError } from '../../base/errors.ts';

/** What a container is called where `linux.cgroupsPath` does not say. */
export interface UnitDefaults {
  readonly slice: string;
  readonly prefix: string;
  readonly name: string;
}

/**
 * The cgroup that systemd gives a container, below that of the systemd manager: `machine.slice/libpod-1a2b.scope`. `linux.cgroupsPath` is
 * `slice:prefix:name`, with runc's meaning: the scope `prefix-name.scope` in the slice. A part that is empty is the default; a name that ends in
 * `.slice` is a slice, and says by itself where it is.
 */
export function unitPath(cgroupsPath: string | undefined, defaults: UnitDefaults): string {
  if (cgroupsPath === undefined || cgroupsPath === '')
    return pathIn(defaults.slice, `${defaults.prefix}-${defaults.name}.scope`);
  const [slice, prefix, name, ...more] = cgroupsPath.split(':');
  if (name === undefined || more.length > 0)
    throw new HullError(
      `Cannot use linux.cgroupsPath ${JSON.stringify(cgroupsPath)}: expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups`,
      { kind: 'invalid' },
    );
  const named = name || defaults.name;
  if (named.endsWith('.slice')) return pathIn(slice || defaults.slice, named);
  return pathIn(slice || defaults.slice, `${prefix ? `${prefix}-` : ''}${named}.scope`);
}

/** Of a unit in a slice. */
export function pathIn(slice: string, unit: string): string {
  // systemd.unit(5); systemd-run would escape others, and make another unit than was asked for.
  if (!/^[\w:.\\@-]+$/.test(unit) || unit.length > 255)
    throw new HullError(
      `Cannot use ${JSON.stringify(unit)} as a systemd unit: wanted at most 255 letters, digits and ":-_.\\@"`,
      { kind: 'invalid' },
    );
  return unit.endsWith('.slice') ? slicePath(unit) : [slicePath(slice), unit].filter(Boolean).join('/');
}

/** The slice that a unit's cgroup is in. A user's manager has its own, which is none, at the root. */
export function sliceOf(path: string): string {
  const slice = basename(dirname(path));
  return slice.endsWith('.slice') ? slice : '-.slice';
}

/** `a-b.slice` is `a.slice/a-b.slice`; `-.slice`, the root, is nothing (systemd.slice(5)). */
export function slicePath(slice: string): string {
  const stem = slice.slice(0, -'.slice'.length);
  if (slice === '-.slice') return '';
  const words = stem.split('-');
  if (!slice.endsWith('.slice') || words.includes('') || !/^[\w:.\\@-]+$/.test(slice))
    throw new HullError(
      `Cannot use ${JSON.stringify(slice)} as a systemd slice: wanted a name as "machine.slice" or "machine-web.slice"`,
      { kind: 'invalid' },
    );
  return words.map((_, index) => `${words.slice(0, index + 1).join('-')}.slice`).join('/');
}
