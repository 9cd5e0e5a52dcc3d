import { HullError } from '../base/errors.ts';

/** HostConfig.SecurityOpt, read. */
export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  readonly seccomp: SeccompChoice;
  /** Of a profile that is loaded on the host; undefined: unconfined. */
  readonly apparmorProfile: string | undefined;
}

/** The daemon's policy, none, or one that the client sent as JSON (Docker's format, or the OCI runtime spec's). */
export type SeccompChoice = 'default' | 'unconfined' | { readonly profile: string };

/** `name=value` or (Docker's older way) `name:value`. Kind `unsupported` names what hull does not have. */
export function readSecurityOptions(options: readonly string[]): SecurityOptions {
  let noNewPrivileges = false;
  let seccomp: SeccompChoice = 'default';
  let apparmorProfile: string | undefined;
  for (const option of options) {
    const [, name = option, value = ''] = /^([a-z-]+)[=:](.*)$/s.exec(option) ?? [];
    if (name === 'no-new-privileges' && /^(true|false|)$/.test(value)) noNewPrivileges = value !== 'false';
    else if (name === 'seccomp' && value === 'unconfined') seccomp = value;
    else if (name === 'seccomp' && value === 'builtin') seccomp = 'default';
    else if (name === 'seccomp' && value.trimStart().startsWith('{')) seccomp = { profile: value };
    else if (name === 'apparmor' && value !== '')
      apparmorProfile = value === 'unconfined' ? undefined : value;
    else if (!(name === 'label' && value === 'disable')) throw unknownOption(option);
  }
  return { noNewPrivileges, seccomp, apparmorProfile };
}

function unknownOption(option: string): HullError {
  const shown = JSON.stringify(option.length > 80 ? `${option.slice(0, 80)}…` : option);
  return new HullError(
    `Cannot create a container: HostConfig.SecurityOpt is not supported by hull: found ${shown}, ` +
      'wanted no-new-privileges, seccomp=unconfined, seccomp=<a profile as JSON>, apparmor=<profile> or label=disable',
    { kind: 'unsupported' },
  );
}
