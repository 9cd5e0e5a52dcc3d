import { HullError } from '../base/errors.ts';
import type { Seccomp, SeccompAction, SeccompOperator, SeccompRule } from '../base/oci-seccomp.ts';
import { compileFilter, type FilterRule } from '../sys/libseccomp.ts';
import { answerNewerCalls } from './seccomp-newer-calls.ts';

/** A policy as the kernel takes it. */
export interface SeccompFilter {
  /** SECCOMP_FILTER_FLAG_* for seccomp(2), with their words. */
  readonly flags: number;
  readonly flagsText: string;
  /** `struct sock_filter[]`, 8 bytes each. */
  readonly instructions: Buffer;
  /** Some calls are for a listener: loading answers the descriptor that tells of them. */
  readonly listens: boolean;
}

/** The Docker-like daemon has one policy for most containers; a filter is some milliseconds of work. */
const cacheSize = 16;
const cache = new Map<string, SeccompFilter>();
/** The very same policy needs not even be compared. */
const filters = new WeakMap<Seccomp, SeccompFilter>();

/** By libseccomp, once per policy. Kinds: `invalid` for what is no policy, `unsupported` for what hull or the machine lacks. */
export function seccompFilter(policy: Seccomp): SeccompFilter {
  const found = filters.get(policy) ?? equalPolicy(policy);
  filters.set(policy, found);
  return found;
}

function equalPolicy(policy: Seccomp): SeccompFilter {
  const key = JSON.stringify(policy, (_, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value,
  );
  const known = cache.get(key);
  if (known) return known;
  const filter = makeFilter(policy);
  const [oldest] = cache.keys();
  if (cache.size >= cacheSize && oldest !== undefined) cache.delete(oldest);
  cache.set(key, filter);
  return filter;
}

function makeFilter(policy: Seccomp): SeccompFilter {
  const { defaultAction, defaultErrnoRet, syscalls = [] } = policy;
  const listens = checkNotify(policy);
  const initial = actionNumber(defaultAction, defaultErrnoRet);
  const rules = syscalls.flatMap((rule) => rulesOf(rule, initial));
  const own = machineArchitecture();
  const architectures = [...new Set([own, ...(policy.architectures ?? []).map(architectureName)])];
  const { instructions, highest } = compileFilter({ defaultAction: initial, architectures, rules });
  const flags = filterFlags(policy, listens);
  return {
    flags: flags.reduce((all, [, value]) => all | value, 0),
    flagsText: flags.map(([name]) => name).join('|') || '0',
    instructions:
      permissive.has(defaultAction) || initial === actionNumber('SCMP_ACT_ERRNO', enosys)
        ? instructions
        : answerNewerCalls(instructions, highest),
    listens,
  };
}

const enosys = 38;
const permissive: ReadonlySet<SeccompAction> = new Set(['SCMP_ACT_ALLOW', 'SCMP_ACT_LOG']);

/** The library refuses rules that say what the default says; two conditions on one argument are alternatives. */
function rulesOf(rule: SeccompRule, initial: number): readonly FilterRule[] {
  const action = actionNumber(rule.action, rule.errnoRet);
  if (action === initial) return [];
  const args = (rule.args ?? []).map(({ index, value, valueTwo = 0, op }) => {
    if (!Number.isInteger(index) || index < 0 || index > 5)
      throw new HullError(`Cannot make a seccomp filter: found argument index ${index}, wanted 0 to 5`, {
        kind: 'invalid',
      });
    return { index, op: operatorNumber(op), a: BigInt(value), b: BigInt(valueTwo) };
  });
  const alternatives = new Set(args.map(({ index }) => index)).size < args.length;
  const sets = alternatives ? args.map((arg) => [arg]) : [args];
  return rule.names.flatMap((name) => sets.map((set) => ({ name, action, args: set })));
}

/** SECCOMP_RET_* of linux/seccomp.h. */
const actions: Readonly<Record<SeccompAction, number>> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x00030000,
  SCMP_ACT_ERRNO: 0x00050000,
  SCMP_ACT_TRACE: 0x7ff00000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
  SCMP_ACT_NOTIFY: 0x7fc00000,
};

function actionNumber(action: SeccompAction, errnoRet?: number): number {
  const number = actions[action];
  if (number === undefined) throw unknownWord('action', action, Object.keys(actions));
  const eperm = 1;
  const takesData = action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE';
  if (!takesData && errnoRet !== undefined && errnoRet !== 0)
    throw new HullError(
      `Cannot make a seccomp filter: found errnoRet ${errnoRet} with ${action}, wanted it with SCMP_ACT_ERRNO or SCMP_ACT_TRACE`,
      { kind: 'invalid' },
    );
  return takesData ? number | ((errnoRet ?? eperm) & 0xffff) : number;
}

/** `enum scmp_compare` of seccomp.h. */
const operators: Readonly<Record<SeccompOperator, number>> = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
};

function operatorNumber(op: SeccompOperator): number {
  const number = operators[op];
  if (number === undefined) throw unknownWord('operator', op, Object.keys(operators));
  return number;
}

const flagNumbers: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 32,
};
const newListener = ['SECCOMP_FILTER_FLAG_NEW_LISTENER', 8] as const;

/** Of a filter with a listener: its flag; TSYNC excludes it and means nothing to a process of one thread. */
function filterFlags({ flags = [] }: Seccomp, listens: boolean): readonly (readonly [string, number])[] {
  const wanted = flags.map(filterFlag);
  const killable = wanted.find(([, value]) => value === 32);
  if (!listens && killable)
    throw new HullError(`Cannot make a seccomp filter: found flag ${killable[0]} without SCMP_ACT_NOTIFY`, {
      kind: 'invalid',
    });
  return listens ? [...wanted.filter(([, value]) => value !== 1), newListener] : wanted;
}

function filterFlag(name: string): readonly [name: string, value: number] {
  const value = flagNumbers[name];
  if (value === undefined) throw unknownWord('flag', name, Object.keys(flagNumbers));
  return [name, value];
}

function architectureName(name: string): string {
  const prefix = 'SCMP_ARCH_';
  if (!name.startsWith(prefix))
    throw unknownWord('architecture', name, ['SCMP_ARCH_X86_64 or another of that form']);
  return name.slice(prefix.length).toLowerCase();
}

/** libseccomp's name of this machine. */
function machineArchitecture(): string {
  return process.arch === 'x64' ? 'x86_64' : process.arch === 'arm64' ? 'aarch64' : process.arch;
}

/** Whether a call is for a listener. The words are runc's, which callers know. */
function checkNotify({ defaultAction, listenerPath, syscalls = [] }: Seccomp): boolean {
  const invalid = (reason: string) =>
    new HullError(`Cannot make a seccomp filter: ${reason}`, { kind: 'invalid' });
  if (defaultAction === 'SCMP_ACT_NOTIFY') throw invalid('SCMP_ACT_NOTIFY cannot be used as default action');
  const told = syscalls.filter(({ action }) => action === 'SCMP_ACT_NOTIFY').flatMap(({ names }) => names);
  if (told.includes('write')) throw invalid('SCMP_ACT_NOTIFY cannot be used for the write syscall');
  if (told.length > 0 && !listenerPath)
    throw invalid('found SCMP_ACT_NOTIFY without linux.seccomp.listenerPath, wanted the socket of an agent');
  return told.length > 0;
}

function unknownWord(what: string, found: string, wanted: readonly string[]): HullError {
  return new HullError(
    `Cannot make a seccomp filter: found ${what} ${JSON.stringify(found)}, wanted ${wanted.join(', ')}`,
    { kind: 'invalid' },
  );
}
