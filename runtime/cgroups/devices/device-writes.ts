import { type DeviceList, exceptionText } from './device-list.ts';

export interface DeviceWrite {
  readonly file: 'devices.allow' | 'devices.deny';
  readonly value: string;
}

/** devices.list: `a *:* rwm` where everything is allowed (exceptions from that are not shown), else what is allowed. */
export function parseDeviceList(text: string): DeviceList {
  const lines = text.split('\n').filter((line) => line !== '');
  if (lines.some((line) => line.startsWith('a '))) return { otherwise: 'allow', exceptions: [] };
  const number = (word: string | undefined) => (word === '*' ? undefined : Number(word));
  return {
    otherwise: 'deny',
    exceptions: lines.flatMap((line) => {
      const match = /^([bc]) (\*|\d+):(\*|\d+) ([rwm]+)$/.exec(line);
      if (!match?.[4]) return [];
      const type = match[1] === 'b' ? ('b' as const) : ('c' as const);
      return [{ type, major: number(match[2]), minor: number(match[3]), access: match[4] }];
    }),
  };
}

/**
 * The writes that make a v1 group's list the wanted one. From one list of allowed devices to another nothing that both
 * have is denied for a moment: what is new comes first, then what is too much goes. Kernel: admin-guide/cgroup-v1/devices.rst.
 */
export function deviceWrites(current: DeviceList, wanted: DeviceList): readonly DeviceWrite[] {
  const allow = (value: string): DeviceWrite => ({ file: 'devices.allow', value });
  const deny = (value: string): DeviceWrite => ({ file: 'devices.deny', value });
  if (wanted.otherwise === 'allow') {
    return [allow('a'), ...wanted.exceptions.map((each) => deny(exceptionText(each)))];
  }
  if (current.otherwise === 'allow') {
    return [deny('a'), ...wanted.exceptions.map((each) => allow(exceptionText(each)))];
  }
  return [...beyond(wanted, current).map(allow), ...beyond(current, wanted).map(deny)];
}

/** What `list` allows of a device (or pattern) that `other` does not, in the kernel's words. */
function beyond(list: DeviceList, other: DeviceList): readonly string[] {
  return list.exceptions.flatMap((each) => {
    const same = other.exceptions.find(
      ({ type, major, minor }) => type === each.type && major === each.major && minor === each.minor,
    );
    const access = [...each.access].filter((one) => !same?.access.includes(one)).join('');
    return access === '' ? [] : [exceptionText({ ...each, access })];
  });
}
