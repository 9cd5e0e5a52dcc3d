import { closeSync, readFileSync } from 'node:fs';
import koffi from 'koffi';
import { errnoName, HullError } from '../base/errors.ts';
import { createMemfd } from './process.ts';

/** One rule of a filter, in the library's numbers. */
export interface FilterRule {
  /** The system call's name; one that the library does not know is passed over, as no machine of this kind has it. */
  readonly name: string;
  /** SECCOMP_RET_* with its data. */
  readonly action: number;
  /** All must hold. */
  readonly args: readonly {
    readonly index: number;
    /** `enum scmp_compare`. */
    readonly op: number;
    readonly a: bigint;
    readonly b: bigint;
  }[];
}

export interface FilterRequest {
  readonly defaultAction: number;
  /** The library's names (`x86_64`); the machine's own is always there. */
  readonly architectures: readonly string[];
  readonly rules: readonly FilterRule[];
}

export interface CompiledFilter {
  /** `struct sock_filter[]`. */
  readonly instructions: Buffer;
  /** Per architecture the highest call number that a rule names (x32's without its marking bit). */
  readonly highest: ReadonlyMap<string, number>;
}

/** libseccomp: rules to a BPF program, with a binary tree over the call numbers where the library has that (2.5). */
export function compileFilter(request: FilterRequest): CompiledFilter {
  const lib = library();
  const context: unknown = lib.init(request.defaultAction);
  if (!context)
    throw new HullError('Cannot make a seccomp filter: libseccomp refused the default action', {
      kind: 'invalid',
    });
  try {
    const tokens = new Map<string, number>();
    for (const name of request.architectures) {
      const token = Number(lib.archResolve(name));
      if (token === 0)
        throw new HullError(
          `Cannot make a seccomp filter: found architecture ${JSON.stringify(name)}, which libseccomp does not know`,
          { kind: 'invalid' },
        );
      tokens.set(name, token);
      const eexist = -17;
      const outcome = Number(lib.archAdd(context, token));
      if (outcome !== eexist) must(outcome, `add architecture ${name}`);
    }
    // Attributes of later versions: without them the filter is the same, only slower.
    const optimize = 8;
    lib.attrSet(context, optimize, 2);
    for (const rule of request.rules) addRule(lib, context, rule);
    const highest = new Map<string, number>();
    for (const [arch, token] of tokens) {
      const numbers = request.rules.map(({ name }) => Number(lib.resolveFor(token, name)));
      highest.set(
        arch,
        numbers.reduce((most, number) => Math.max(most, number & ~x32Bit), 0),
      );
    }
    return { instructions: exportFilter(lib, context), highest };
  } finally {
    lib.release(context);
  }
}

const x32Bit = 0x40000000;

function addRule(lib: Library, context: unknown, { name, action, args }: FilterRule): void {
  const number = Number(lib.resolve(name));
  const unknownCall = -1;
  if (number === unknownCall) return;
  const comparisons = Buffer.alloc(Math.max(args.length, 1) * 24);
  for (const [position, { index, op, a, b }] of args.entries()) {
    comparisons.writeUInt32LE(index, position * 24);
    comparisons.writeUInt32LE(op, position * 24 + 4);
    comparisons.writeBigUInt64LE(BigInt.asUintN(64, a), position * 24 + 8);
    comparisons.writeBigUInt64LE(BigInt.asUintN(64, b), position * 24 + 16);
  }
  must(Number(lib.ruleAdd(context, action, number, args.length, comparisons)), `add a rule for ${name}`);
}

function exportFilter(lib: Library, context: unknown): Buffer {
  const fd = createMemfd('hull-seccomp');
  try {
    must(Number(lib.exportBpf(context, fd)), 'export the program');
    return readFileSync(`/proc/self/fd/${fd}`);
  } finally {
    closeSync(fd);
  }
}

/** seccomp_version(3): `2.5.4`; undefined where the library is not installed. */
export function libseccompVersion(): string | undefined {
  try {
    const numbers: unknown = koffi.decode(library().version(), 'uint32_t', 3);
    return Array.from(numbers as ArrayLike<number>).join('.');
  } catch (error) {
    if (error instanceof HullError && error.kind === 'unsupported') return undefined;
    throw error;
  }
}

function must(outcome: number, action: string): void {
  if (outcome >= 0) return;
  throw new HullError(
    `Cannot make a seccomp filter: libseccomp could not ${action}: ${errnoName(-outcome)}`,
    { kind: 'invalid' },
  );
}

type Library = ReturnType<typeof bind>;

/** seccomp_init(3) and its neighbours; errors are negative errnos, not errno. */
function bind() {
  const lib = load();
  return {
    version: lib.func('const void *seccomp_version()'),
    init: lib.func('void *seccomp_init(uint32_t)'),
    release: lib.func('void seccomp_release(void *)'),
    archResolve: lib.func('uint32_t seccomp_arch_resolve_name(const char *)'),
    archAdd: lib.func('int seccomp_arch_add(void *, uint32_t)'),
    attrSet: lib.func('int seccomp_attr_set(void *, int, uint32_t)'),
    resolve: lib.func('int seccomp_syscall_resolve_name(const char *)'),
    resolveFor: lib.func('int seccomp_syscall_resolve_name_arch(uint32_t, const char *)'),
    ruleAdd: lib.func('int seccomp_rule_add_array(void *, uint32_t, int, unsigned int, void *)'),
    exportBpf: lib.func('int seccomp_export_bpf(void *, int)'),
  };
}

function load() {
  try {
    return koffi.load('libseccomp.so.2');
  } catch (cause) {
    throw new HullError('Cannot make a seccomp filter: the library libseccomp.so.2 is not installed', {
      kind: 'unsupported',
      hint: 'Install it: apt-get install libseccomp2, or dnf install libseccomp. Or start with seccomp=unconfined.',
      cause,
    });
  }
}

const bound: Library[] = [];

function library(): Library {
  const found = bound[0] ?? bind();
  bound[0] = found;
  return found;
}
