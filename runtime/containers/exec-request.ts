import { z } from 'zod';
import { HullError } from '../base/errors.ts';

/** The body of POST /containers/{id}/exec. Kind `invalid` names the field. */
export function parseExecRequest(body: unknown): ExecConfig {
  const parsed = execRequest.safeParse(body);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new HullError(
      `Cannot create an exec: ${issue?.path.map(String).join('.') || 'the body'}: ${issue?.message ?? 'does not fit'}`,
      { kind: 'invalid' },
    );
  }
  if (parsed.data.Tty) {
    throw new HullError('Cannot create an exec: Tty: hull has no terminals yet', { kind: 'unsupported' });
  }
  return parsed.data;
}

export type ExecConfig = z.infer<typeof execRequest>;

const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);
const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');

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
});
