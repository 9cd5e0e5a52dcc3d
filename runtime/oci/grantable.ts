import { readFileSync, statSync } from 'node:fs';
import type { Process, Spec } from '../base/oci.ts';
import { capabilityNames } from '../launch/capabilities.ts';

/**
 * The process without capabilities that cannot be granted, which are no error (config.md, "Linux Process"): names that the kernel has not, and,
 * outside of another user namespace, what is not in our own bounding set. `passOver` is told of them.
 */
export function withGrantable(
  process: Process,
  namespaces: Spec['linux']['namespaces'],
  passOver: (text: string) => void,
): Process {
  const { capabilities } = process;
  if (!capabilities) return process;
  const own = namespaces.some(isOtherUserNamespace) ? -1n : ownBoundingSet();
  const names: readonly string[] = capabilityNames;
  const lost = new Set<string>();
  const isGrantable = (name: string) => {
    const number = names.indexOf(name);
    if (number >= 0 && (own & (1n << BigInt(number))) !== 0n) return true;
    lost.add(name);
    return false;
  };
  const granted = Object.entries(capabilities).map(([set, wanted]: [string, readonly string[]]) => [
    set,
    wanted.filter(isGrantable),
  ]);
  if (lost.size > 0)
    passOver(`process.capabilities: ${[...lost].join(', ')} cannot be granted here and are passed over`);
  return { ...process, capabilities: Object.fromEntries(granted) };
}

/** In one that is new for us everything can be granted. */
function isOtherUserNamespace({ type, path }: Spec['linux']['namespaces'][number]): boolean {
  if (type !== 'user') return false;
  if (path === undefined) return true;
  return statSync(path, { throwIfNoEntry: false })?.ino !== statSync('/proc/self/ns/user').ino;
}

function ownBoundingSet(): bigint {
  const status = readFileSync('/proc/self/status', 'utf8');
  return BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
}
