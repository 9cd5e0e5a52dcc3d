import { HullError } from './errors.ts';

export interface CommandOptions {
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/**
 * Runs a program of the system (mkfs, cp, losetup …) with arguments as an array, never through a shell.
 * A status other than 0 is an error that carries the program's own words; a missing program says which.
 */
export async function run(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  // A hundred files, and a start of the daemon runs no program.
  const { execa } = await import('execa');
  const result = await execa(program, [...args], {
    reject: false,
    stripFinalNewline: false,
    ...(options.input === undefined ? { stdin: 'ignore' } : { input: options.input }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
  });
  if (!result.failed) return { stdout: result.stdout, stderr: result.stderr, exitCode: 0 };
  const words = result.stderr?.trim() || result.shortMessage || 'no message';
  throw new HullError(`Cannot run ${[program, ...args].join(' ')}: ${words}`, {
    kind: result.code === 'ENOENT' ? 'unsupported' : 'internal',
    cause: result,
    ...(result.code === 'ENOENT' ? { hint: `The program ${JSON.stringify(program)} is not installed.` } : {}),
  });
}
