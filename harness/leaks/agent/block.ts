import { list, readOnce } from './read.ts';
import type { Thing } from './thing.ts';

/** Device-mapper and loop devices, from sysfs: neither dmsetup nor losetup is needed in the host. */
export function* blockThings(): Generator<Thing> {
  for (const device of list('/sys/block')) {
    if (device.startsWith('dm-')) {
      const name = attribute(device, 'dm/name');
      if (name === undefined) continue;
      const suspended = attribute(device, 'dm/suspended') === '1' ? ', suspended' : '';
      const id = attribute(device, 'dm/uuid') || name;
      yield { kind: 'dm', id, like: name, what: `${name} (${device}${suspended})`, state: suspended };
    } else if (device.startsWith('loop')) {
      const file = attribute(device, 'loop/backing_file');
      if (file === undefined) continue;
      yield { kind: 'loop', id: `${device} ${file}`, like: file, what: `/dev/${device} of ${file}` };
    }
  }
}

/** Names of devices made on top of this one: `dm-0` below `dm-1`. */
export function deviceHolders(device: string): string[] {
  return list(`/sys/block/${device}/holders`).map((holder) => {
    const name = attribute(holder, 'dm/name');
    return name === undefined ? `device ${holder}` : `dm device ${name} (${holder})`;
  });
}

/** `253:0`, or undefined where there is no such block device. */
export function deviceNumber(device: string): string | undefined {
  return attribute(device, 'dev');
}

function attribute(device: string, name: string): string | undefined {
  return readOnce(`/sys/block/${device}/${name}`)?.trim();
}
