import { HullError } from '../base/errors.ts';
import type { NamespaceType, Spec } from '../base/oci.ts';

/** Of which namespace a sysctl is; undefined for one of the whole machine. ipc_namespaces(7), network_namespaces(7) */
function namespaceOf(name: string): NamespaceType | undefined {
  if (name.startsWith('net.')) return 'network';
  if (name.startsWith('fs.mqueue.')) return 'ipc';
  if (name.startsWith('user.')) return 'user';
  if (/^kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)$/.test(name)) return 'ipc';
  if (/^kernel\.(host|domain)name$/.test(name)) return 'uts';
  return undefined;
}

/**
 * A container sets only what is its own: a sysctl of the machine, or of a namespace that it shares with the host, is an
 * error of kind `invalid`. Names may have slashes for dots, as sysctl(8) takes them.
 */
export function checkSysctls({ linux, domainname }: Spec): void {
  for (const written of Object.keys(linux.sysctl ?? {})) {
    const name = sysctlName(written);
    const refuse = (reason: string) =>
      new HullError(`Cannot set sysctl ${JSON.stringify(written)}: ${reason}`, { kind: 'invalid' });
    if (!/^[\w.*/:@-]+$/.test(name) || name.includes('..')) throw refuse('found a name that is none');
    const type = namespaceOf(name);
    if (type === undefined) throw refuse('it is of the whole machine, wanted one of a namespace');
    if (!linux.namespaces.some((namespace) => namespace.type === type))
      throw refuse(`the container has no ${type} namespace of its own`);
    if (name === 'kernel.hostname') throw refuse("the specification's hostname is for that");
    if (name === 'kernel.domainname' && domainname && domainname !== linux.sysctl?.[written])
      throw refuse("the specification's domainname says otherwise");
  }
}

/** `net/ipv4/conf/eth0.1/forwarding` and `net.ipv4.conf.eth0/1.forwarding` → the second. */
function sysctlName(written: string): string {
  const slash = written.indexOf('/');
  const dot = written.indexOf('.');
  if (slash < 0 || (dot >= 0 && dot < slash)) return written;
  return written.replaceAll(/[./]/g, (separator) => (separator === '/' ? '.' : '/'));
}

/** Its file below /proc/sys. */
export function sysctlFile(written: string): string {
  return sysctlName(written).replaceAll(/[./]/g, (separator) => (separator === '.' ? '/' : '.'));
}
