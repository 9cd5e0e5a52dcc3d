import { readFileSync } from 'node:fs';
import type { Capabilities } from '../base/oci.ts';
import { capabilityNames } from '../launch/capabilities.ts';

/**
 * The sets without what cannot be granted: names that the kernel has not, and capabilities that are not in our own bounding set
 * (config.md, "Linux Process": those are no error).
 */
export function grantable(sets: Capabilities): Capabilities {
  const own = BigInt(
    `0x${/^CapBnd:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`,
  );
  const names: readonly string[] = capabilityNames;
  const has = (name: string) => {
    const number = names.indexOf(name);
    return number >= 0 && (own & (1n << BigInt(number))) !== 0n;
  };
  return Object.fromEntries(
    Object.entries(sets).map(([set, wanted]) => [set, (wanted as string[]).filter(has)]),
  );
}
