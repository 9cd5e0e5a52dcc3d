import { mountOptionWords } from '../../kernel/mount-options.ts';
import { capabilityNames } from '../../launch/capabilities.ts';
import type { Context } from '../context.ts';
import { parseOptions } from '../options.ts';

/** features.md, "Features Structure". */
export async function featuresCommand(context: Context, args: readonly string[]): Promise<number> {
  parseOptions(args, {});
  const features = {
    ociVersionMin: '1.0.0',
    ociVersionMax: '1.2.0',
    hooks: ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'],
    mountOptions: [...mountOptionWords].sort(),
    linux: {
      namespaces: ['cgroup', 'ipc', 'mount', 'network', 'pid', 'time', 'user', 'uts'],
      capabilities: capabilityNames,
      cgroup: { v1: true, v2: true, systemd: true, systemdUser: true, rdma: true },
      seccomp: { enabled: true },
      apparmor: { enabled: false },
      selinux: { enabled: false },
      intelRdt: { enabled: true },
    },
    annotations: {},
  };
  context.caller.write(1, `${JSON.stringify(features, undefined, 2)}\n`);
  return 0;
}
