import type { HostDefinition } from '../hosts/host.ts';
import type { Ssh } from '../ssh/ssh.ts';
import { parsePackages } from './debian-package.ts';
import { guestPackages } from './guest-packages.ts';

export const guestNode = '/opt/seatrial/bin/node';

/**
 * Afterwards the host has what scenarios need, and is warm: its Node was run once. Probed first, so on a guest whose
 * image holds it all this installs nothing.
 */
export async function prepareGuest(
  ssh: Ssh,
  definition: HostDefinition,
  { signal, progress }: { readonly signal: AbortSignal; readonly progress: (message: string) => void },
): Promise<void> {
  const wanted = parsePackages([...guestPackages.debian, ...definition.packages]).names;
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
  const format = '${Package} ${db:Status-Abbrev}\n';
  const status = await ssh.run(['dpkg-query', '-W', '-f', format, ...wanted], {
    signal,
  });
  const present = new Set(
    status.stdout.split('\n').flatMap((line) => (/ ii $/.test(line) ? [line.split(' ')[0]] : [])),
  );
  const missing = wanted.filter((name) => !present.has(name));
  if (missing.length > 0) {
    progress(`installing ${missing.join(', ')}`);
    const install = 'apt-get update && exec apt-get install -y --no-install-recommends "$@"';
    await ssh.ok(['env', 'DEBIAN_FRONTEND=noninteractive', 'sh', '-c', install, 'sh', ...missing], {
      signal,
    });
  }
  // Until the units of the boot have settled a clone would start with their work still to do.
  await ssh.run(['systemctl', 'is-system-running', '--wait'], { signal, timeoutMs: 60_000 });
  // sshd starts every command by the login shell, and bash takes three times as long as dash.
  await ssh.ok(['usermod', '--shell', '/bin/sh', 'root'], { signal });
  await ssh.ok([guestNode, '-e', '0'], { signal });
}
