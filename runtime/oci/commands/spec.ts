import { statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, HullError } from '../../base/errors.ts';
import type { Context } from '../context.ts';
import { parseOptions } from '../options.ts';
import { defaultSpec, rootlessSpec } from '../spec-template.ts';

/** On a host with version 1 cgroups its containers see the host's, as with runc: nested engines look for them. */
function withCgroupNamespace(spec: typeof defaultSpec): typeof defaultSpec {
  const cgroup2 = 0x63677270;
  if (statfsSync('/sys/fs/cgroup', { bigint: false }).type === cgroup2) return spec;
  const namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'cgroup');
  return { ...spec, linux: { ...spec.linux, namespaces } };
}

export async function specCommand(_: Context, args: readonly string[]): Promise<number> {
  const { values } = parseOptions(args, {
    bundle: { takes: 'text', short: 'b' },
    rootless: { takes: 'nothing' },
  });
  const path = join(values.bundle ?? '.', 'config.json');
  const spec = values.rootless
    ? rootlessSpec(process.geteuid?.() ?? 0, process.getegid?.() ?? 0)
    : withCgroupNamespace(defaultSpec);
  try {
    writeFileSync(path, `${JSON.stringify(spec, undefined, '\t')}\n`, { flag: 'wx', mode: 0o666 });
  } catch (cause) {
    if (codeOf(cause) !== 'EEXIST') throw cause;
    throw new HullError('File config.json exists. Remove it first', { kind: 'conflict', cause });
  }
  return 0;
}
