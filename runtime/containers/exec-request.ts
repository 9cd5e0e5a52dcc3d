import { z } from 'zod';
import { HullError } from '../base/errors.ts';
import { consoleSize } from './console-size.ts';

/** The body of POST /containers/{id}/exec. Kind `invalid` names the field. */
export function parseExecRequest(body: unknown): ExecConfig {
  const parsed = execRequest.safeParse(body);
  if (parsed.success) return parsed.data;
  throw misfit('create an exec', parsed.error);
}

export type ExecConfig = z.infer<typeof execRequest>;

/** The body of POST /exec/{id}/start. */
export function parseExecStart(body: unknown): ExecStart {
  const parsed = execStart.safeParse(body ?? {});
  if (parsed.success) return parsed.data;
  throw misfit('start an exec', parsed.error);
}

export type ExecStart = z.infer<typeof execStart>;

const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);
const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');

const execStart = z.object({ Detach: flag, Tty: flag, ConsoleSize: consoleSize });

const execRequest = z.object({
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  Detach: flag,
  DetachKeys: text,
  Tty: flag,
  Privileged: flag,
  User: text,
  WorkingDir: text,
  Env: z
    .array(z.string())
    .nullish()
    .transform((value) => value ?? []),
  Cmd: z.array(z.string()).min(1, 'wanted a command'),
  ConsoleSize: consoleSize,
});

function misfit(action: string, { issues: [issue] }: z.ZodError): HullError {
  const field = issue?.path.map(String).join('.') || 'the body';
  return new HullError(`Cannot ${action}: ${field}: ${issue?.message ?? 'does not fit'}`, {
    kind: 'invalid',
  });
}
