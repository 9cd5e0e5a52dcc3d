import { z } from 'zod';
import { HullError } from '../../base/errors.ts';
import type { Seccomp, SeccompRule } from '../../base/oci-seccomp.ts';
import type { SeccompChoice } from '../security-options.ts';
import { defaultSeccomp, isKernelAtLeast, type PolicyFor } from './default-policy.ts';

/** The policy that a container gets, or undefined for none. Kind `invalid` where a client's profile is none. */
export function chooseSeccomp(choice: SeccompChoice, wanted: PolicyFor): Seccomp | undefined {
  if (choice === 'unconfined') return undefined;
  return choice === 'default' ? defaultFor(wanted) : readProfile(choice.profile, wanted);
}

/** By what they are for: a daemon's containers have few different ones, and each is work to make and to compile. */
const defaults = new Map<string, Seccomp>();
const mostDefaults = 16;

function defaultFor(wanted: PolicyFor): Seccomp {
  const key = `${wanted.arch} ${wanted.kernel} ${wanted.capabilities.join()}`;
  const found = defaults.get(key) ?? defaultSeccomp(wanted);
  if (defaults.size >= mostDefaults) defaults.clear();
  defaults.set(key, found);
  return found;
}

const action = z.enum([
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_LOG',
  'SCMP_ACT_NOTIFY',
]);
const names = z.array(z.string()).nullish();
const condition = z
  .object({ caps: names, arches: names, minKernel: z.string().nullish() })
  .nullish()
  .transform((value) => ({
    caps: value?.caps ?? [],
    arches: value?.arches ?? [],
    minKernel: value?.minKernel ?? undefined,
  }));
const rule = z.object({
  name: z.string().nullish(),
  names,
  action,
  errnoRet: z.int().min(0).nullish(),
  args: z
    .array(
      z.object({
        index: z.int().min(0).max(5),
        value: z.number(),
        valueTwo: z.number().nullish(),
        op: z.enum([
          'SCMP_CMP_NE',
          'SCMP_CMP_LT',
          'SCMP_CMP_LE',
          'SCMP_CMP_EQ',
          'SCMP_CMP_GE',
          'SCMP_CMP_GT',
          'SCMP_CMP_MASKED_EQ',
        ]),
      }),
    )
    .nullish(),
  includes: condition,
  excludes: condition,
});
const profile = z.object({
  defaultAction: action,
  defaultErrnoRet: z.int().min(0).nullish(),
  architectures: names,
  archMap: z.array(z.object({ architecture: z.string(), subArchitectures: names })).nullish(),
  flags: names,
  listenerPath: z.string().nullish(),
  syscalls: z.array(rule).nullish(),
});

type Rule = z.infer<typeof rule>;
type Condition = Rule['includes'];

/**
 * A profile as `docker run --security-opt seccomp=<file>` sends it: the OCI runtime spec's `linux.seccomp`, and Docker's additions
 * (`archMap`, rules that hold for some capabilities, machines or kernels), resolved for this container. Pure.
 */
export function readProfile(text: string, wanted: PolicyFor): Seccomp {
  const found = parse(text);
  const own = nativeArchitecture[wanted.arch];
  const mapped = (found.archMap ?? [])
    .filter(({ architecture }) => architecture === own)
    .flatMap(({ architecture, subArchitectures }) => [architecture, ...(subArchitectures ?? [])]);
  return {
    defaultAction: found.defaultAction,
    ...optional('defaultErrnoRet', found.defaultErrnoRet),
    architectures: [...(found.architectures ?? []), ...mapped],
    ...optional('flags', found.flags),
    ...optional('listenerPath', found.listenerPath),
    syscalls: (found.syscalls ?? []).filter((one) => applies(one, wanted)).map(plainRule),
  };
}

function parse(text: string) {
  const bad = (reason: string) =>
    new HullError(
      `Cannot create a container: HostConfig.SecurityOpt: the seccomp profile is none: ${reason}`,
      {
        kind: 'invalid',
      },
    );
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw bad(error instanceof Error ? error.message : 'not JSON');
  }
  const parsed = profile.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw bad(`${issue?.path.map(String).join('.')}: ${issue?.message}`);
}

/** All of what `includes` names must be so, none of what `excludes` names; of machines one of those named. */
function applies({ includes, excludes }: Rule, { capabilities, arch, kernel }: PolicyFor): boolean {
  const machine = dockerMachine[arch] ?? arch;
  const newEnough = ({ minKernel }: Condition) => {
    const [major = 0, minor = 0] = (minKernel ?? '0.0').split('.').map(Number);
    return isKernelAtLeast(kernel, major, minor);
  };
  return (
    includes.caps.every((name) => capabilities.includes(name)) &&
    (includes.arches.length === 0 || includes.arches.includes(machine)) &&
    newEnough(includes) &&
    !excludes.caps.some((name) => capabilities.includes(name)) &&
    !excludes.arches.includes(machine) &&
    !(excludes.minKernel !== undefined && newEnough(excludes))
  );
}

function plainRule({ name, names: several, action: what, errnoRet, args }: Rule): SeccompRule {
  return {
    names: [...(name ? [name] : []), ...(several ?? [])],
    action: what,
    ...optional('errnoRet', errnoRet),
    args: (args ?? []).map(({ index, value, valueTwo, op }) => ({
      index,
      value,
      op,
      ...optional('valueTwo', valueTwo),
    })),
  };
}

function optional<Key extends string, Value>(
  key: Key,
  value: Value | null | undefined,
): Partial<Record<Key, Value>> {
  return value === null || value === undefined ? {} : ({ [key]: value } as Record<Key, Value>);
}

const nativeArchitecture: Readonly<Record<string, string>> = {
  x64: 'SCMP_ARCH_X86_64',
  arm64: 'SCMP_ARCH_AARCH64',
};
/** Profiles name machines as Go does. */
const dockerMachine: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
