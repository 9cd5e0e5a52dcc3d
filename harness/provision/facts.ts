import type { HostFacts } from '../hosts/host.ts';
import type { Ssh } from '../ssh/ssh.ts';
import { guestNode } from './prepare-guest.ts';

const script = `uname -r; uname -m; . /etc/os-release; echo "$PRETTY_NAME"
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo v2
elif [ -e /sys/fs/cgroup/unified/cgroup.controllers ] && [ -n "$(cat /sys/fs/cgroup/unified/cgroup.controllers)" ]; then echo hybrid
else echo v1; fi
"$0" -p 'process.version + "-" + v8.cachedDataVersionTag().toString(16)'`;

/** What a host says of itself. systemd's v1 layout has an empty v2 hierarchy for its own names, which counts as v1. */
export async function readFacts(ssh: Ssh, accelerator: string, signal?: AbortSignal): Promise<HostFacts> {
  const text = await ssh.ok(['sh', '-c', script, guestNode], signal ? { signal } : {});
  const [kernel = '', machine, distribution = '', cgroups, v8 = ''] = text.split('\n');
  if (machine !== 'x86_64' && machine !== 'aarch64') {
    throw new Error(`Cannot use this host: found machine ${machine}, wanted x86_64 or aarch64`);
  }
  if (cgroups !== 'v1' && cgroups !== 'v2' && cgroups !== 'hybrid') {
    throw new Error(`Cannot use this host: found cgroups ${cgroups}, wanted v1, v2 or hybrid`);
  }
  const arch = machine === 'x86_64' ? 'x64' : 'arm64';
  return { kernel, distribution, cgroups, arch, accelerator, v8 };
}
