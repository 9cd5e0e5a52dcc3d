/** config-linux.md, "Seccomp", under the specification's own names. */
export interface Seccomp {
  readonly defaultAction: SeccompAction;
  /** Errno (or tracer's message) of the default action; default: EPERM. */
  readonly defaultErrnoRet?: number;
  /** `SCMP_ARCH_X86_64`, … beside the machine's own, which is always there. */
  readonly architectures?: readonly string[];
  /** `SECCOMP_FILTER_FLAG_LOG`, … */
  readonly flags?: readonly string[];
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls?: readonly SeccompRule[];
}

export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: SeccompAction;
  readonly errnoRet?: number;
  /** All must hold; of two for the same argument one suffices. */
  readonly args?: readonly SeccompArg[];
}

export interface SeccompArg {
  /** 0 to 5. */
  readonly index: number;
  /** 64-bit, unsigned; for SCMP_CMP_MASKED_EQ the mask. */
  readonly value: number | bigint;
  /** For SCMP_CMP_MASKED_EQ what is compared with; default 0. */
  readonly valueTwo?: number | bigint;
  readonly op: SeccompOperator;
}

export type SeccompAction =
  | 'SCMP_ACT_KILL'
  | 'SCMP_ACT_KILL_PROCESS'
  | 'SCMP_ACT_KILL_THREAD'
  | 'SCMP_ACT_TRAP'
  | 'SCMP_ACT_ERRNO'
  | 'SCMP_ACT_TRACE'
  | 'SCMP_ACT_ALLOW'
  | 'SCMP_ACT_LOG'
  | 'SCMP_ACT_NOTIFY';

export type SeccompOperator =
  | 'SCMP_CMP_NE'
  | 'SCMP_CMP_LT'
  | 'SCMP_CMP_LE'
  | 'SCMP_CMP_EQ'
  | 'SCMP_CMP_GE'
  | 'SCMP_CMP_GT'
  | 'SCMP_CMP_MASKED_EQ';
