import { HullError } from '../../base/errors.ts';
import type { DeviceRule } from '../../base/oci.ts';

/** What a group may do with devices: one of two ways, and the exceptions from it. */
export interface DeviceList {
  readonly otherwise: 'allow' | 'deny';
  readonly exceptions: readonly DeviceException[];
}

export interface DeviceException {
  readonly type: 'b' | 'c';
  /** Undefined is every one. */
  readonly major: number | undefined;
  readonly minor: number | undefined;
  /** Of `r`, `w` and `m`, in this order. */
  readonly access: string;
}

/** One rule for one type, everything absent filled in. */
export interface PlainRule extends DeviceException {
  readonly allow: boolean;
}

/** A container's last rules, in Docker and every OCI runtime: the nodes of config-linux.md, terminals, and making any node. */
export const defaultDeviceRules: readonly DeviceRule[] = [
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...[3, 5, 7, 8, 9].map((minor): DeviceRule => ({ allow: true, type: 'c', major: 1, minor, access: 'rwm' })),
  // /dev/tty, /dev/console, /dev/ptmx and the slaves below /dev/pts
  ...[0, 1, 2].map((minor): DeviceRule => ({ allow: true, type: 'c', major: 5, minor, access: 'rwm' })),
  { allow: true, type: 'c', major: 136, access: 'rwm' },
];

/** Rules in their order, `a` as one of each type; what comes before a rule about everything says nothing and is left out. */
export function plainRules(rules: readonly DeviceRule[]): {
  readonly otherwise: 'allow' | 'deny';
  readonly rules: readonly PlainRule[];
} {
  const last = rules.findLastIndex((rule) => isEverything(rule));
  return {
    otherwise: rules[last]?.allow ? 'allow' : 'deny',
    rules: rules.slice(last + 1).flatMap((rule) => {
      const { allow, type = 'a', major, minor } = rule;
      const fields = { allow, major: wildcard(major), minor: wildcard(minor), access: accessOf(rule) };
      if (type === 'a')
        return [
          { ...fields, type: 'b' as const },
          { ...fields, type: 'c' as const },
        ];
      if (type === 'p') {
        throw invalid(rule, 'found type "p", wanted "a", "b" or "c": a FIFO is no device');
      }
      return [{ ...fields, type: type === 'u' ? 'c' : type }];
    }),
  };
}

/**
 * The list as the v1 controller has it. Pure.
 * @throws HullError `unsupported` for a rule that takes something out of the middle of an earlier one, which only v2 can do.
 */
export function deviceList(wanted: readonly DeviceRule[]): DeviceList {
  const { otherwise, rules } = plainRules(wanted);
  let exceptions: readonly DeviceException[] = [];
  for (const rule of rules) {
    exceptions =
      rule.allow === (otherwise === 'allow') ? without(exceptions, rule) : withOne(exceptions, rule);
  }
  return { otherwise, exceptions };
}

function withOne(exceptions: readonly DeviceException[], { type, major, minor, access }: PlainRule) {
  const same = exceptions.find((each) => each.type === type && each.major === major && each.minor === minor);
  if (!same) return [...exceptions, { type, major, minor, access }];
  return exceptions.map((each) => (each === same ? { ...each, access: sorted(each.access + access) } : each));
}

function without(exceptions: readonly DeviceException[], rule: PlainRule): readonly DeviceException[] {
  return exceptions.flatMap((each) => {
    const left = [...each.access].filter((one) => !rule.access.includes(one)).join('');
    if (left === each.access || !overlaps(each, rule)) return [each];
    if (!covers(rule, each)) {
      throw new HullError(
        `Cannot apply device rule ${ruleText(rule)}: it takes a part out of ${exceptionText(each)}, which cgroup v1 has no words for; wanted rules that do not overlap`,
        { kind: 'unsupported' },
      );
    }
    return left === '' ? [] : [{ ...each, access: left }];
  });
}

const covers = (wide: DeviceException, narrow: DeviceException): boolean =>
  wide.type === narrow.type &&
  (wide.major === undefined || wide.major === narrow.major) &&
  (wide.minor === undefined || wide.minor === narrow.minor);

const overlaps = (a: DeviceException, b: DeviceException): boolean =>
  a.type === b.type &&
  (a.major === undefined || b.major === undefined || a.major === b.major) &&
  (a.minor === undefined || b.minor === undefined || a.minor === b.minor);

/** `c 1:3 rwm`, `b *:* m`: as devices.list, devices.allow and devices.deny have it. */
export function exceptionText({ type, major, minor, access }: DeviceException): string {
  return `${type} ${major ?? '*'}:${minor ?? '*'} ${access}`;
}

const ruleText = (rule: PlainRule): string =>
  JSON.stringify(`${rule.allow ? 'allow' : 'deny'} ${exceptionText(rule)}`);

const isEverything = (rule: DeviceRule): boolean =>
  (rule.type ?? 'a') === 'a' &&
  wildcard(rule.major) === undefined &&
  wildcard(rule.minor) === undefined &&
  accessOf(rule) === 'rwm';

const wildcard = (number: number | undefined): number | undefined =>
  number === undefined || number < 0 ? undefined : number;

function accessOf(rule: DeviceRule): string {
  const { access = '' } = rule;
  if (/[^rwma]/.test(access)) {
    throw invalid(rule, `found access ${JSON.stringify(access)}, wanted some of "r", "w" and "m"`);
  }
  // "a" is all, as with the type; specifications are seen with it.
  return access === '' || access.includes('a') ? 'rwm' : sorted(access);
}

const sorted = (access: string): string => [...'rwm'].filter((one) => access.includes(one)).join('');

const invalid = (rule: DeviceRule, reason: string): HullError =>
  new HullError(`Cannot use device rule ${JSON.stringify(rule)}: ${reason}`, { kind: 'invalid' });
