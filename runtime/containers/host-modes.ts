import { HullError } from '../base/errors.ts';
import type { HostConfig } from './create-request.ts';
import { readSecurityOptions, type SecurityOptions } from './security-options.ts';

/** The namespace questions of HostConfig, answered. */
export interface HostModes {
  readonly network: 'none' | 'host';
  readonly pid: 'private' | 'host';
  readonly ipc: 'private' | 'host' | 'none';
  readonly uts: 'private' | 'host';
  readonly cgroup: 'private' | 'host';
  readonly security: SecurityOptions;
  /** For the create answer. */
  readonly warnings: readonly string[];
}

/** Kind `unsupported` names the field, what was found and what hull has. */
export function chooseModes(host: HostConfig, cgroupMode: 'v1' | 'v2' | 'hybrid'): HostModes {
  const warnings: string[] = [];
  const network = host.NetworkMode || 'default';
  if (network === 'default') {
    warnings.push('hull has no bridge network yet: the container gets network mode "none"');
  }
  const ipc = one(host.IpcMode, 'IpcMode', ['', 'private', 'shareable', 'host', 'none']);
  return {
    network: one(network, 'NetworkMode', ['default', 'none', 'host']) === 'host' ? 'host' : 'none',
    pid: one(host.PidMode, 'PidMode', ['', 'host']) || 'private',
    ipc: ipc === 'host' || ipc === 'none' ? ipc : 'private',
    uts: one(host.UTSMode, 'UTSMode', ['', 'host']) || 'private',
    cgroup:
      one(host.CgroupnsMode, 'CgroupnsMode', ['', 'private', 'host']) ||
      (cgroupMode === 'v2' && !host.Privileged ? 'private' : 'host'),
    security: readSecurityOptions(host.SecurityOpt),
    warnings,
  };
}

function one<const T extends string>(found: string, field: string, wanted: readonly T[]): T {
  const match = wanted.find((value) => value === found);
  if (match !== undefined) return match;
  const list = wanted.filter((value) => value !== '').join(', ');
  throw new HullError(
    `Cannot create a container: HostConfig.${field} ${JSON.stringify(found)} is not supported by hull: wanted ${list}`,
    { kind: 'unsupported' },
  );
}
