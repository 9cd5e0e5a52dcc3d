import type { DeviceRule } from '../../base/oci.ts';
import { type DeviceException, deviceList } from '../devices/device-list.ts';

/**
 * Device rules as unit properties, for version 1 alone: there systemd writes the list again when its configuration is reloaded, and allows everything
 * where it has not been told. (On version 2 it leaves a program that is not its own alone.) Rules that take something out of everything have
 * no words in systemd. Pure.
 * @param devices /proc/devices: systemd knows majors by their names.
 */
export function deviceProperties(rules: readonly DeviceRule[], devices: string): readonly string[] {
  const { otherwise, exceptions } = deviceList(rules);
  if (otherwise === 'allow') return [];
  const names = parseMajors(devices);
  const allowed = exceptions.flatMap((each) => {
    const node = nodeOf(each, names);
    return node === undefined ? [] : [`DeviceAllow=${node} ${each.access}`];
  });
  return ['DevicePolicy=strict', ...allowed];
}

function nodeOf(
  { type, major, minor }: DeviceException,
  names: ReadonlyMap<string, string>,
): string | undefined {
  const kind = type === 'c' ? 'char' : 'block';
  if (major === undefined) return minor === undefined ? `${kind}-*` : undefined;
  if (minor !== undefined) return `/dev/${kind}/${major}:${minor}`;
  const name = names.get(`${type} ${major}`);
  return name === undefined ? undefined : `${kind}-${name}`;
}

/** `c 136` → `pts`. */
function parseMajors(devices: string): ReadonlyMap<string, string> {
  const [characters = '', blocks = ''] = devices.split('Block devices:');
  const names = (text: string, type: 'b' | 'c') =>
    [...text.matchAll(/^\s*(\d+) (\S+)$/gm)].map(
      ([, major, name = '']) => [`${type} ${major}`, name] as const,
    );
  return new Map([...names(characters, 'c'), ...names(blocks, 'b')]);
}
