import { HullError } from '../base/errors.ts';

/** A command of the build ended with another code than 0: the client makes it its own exit code. */
export class CommandFailed extends HullError {
  readonly exitCode: number;

  constructor(command: readonly string[], exitCode: number, reason: string) {
    const more = reason === '' ? '' : `: ${reason}`;
    super(`The command '${command.join(' ')}' returned a non-zero code: ${exitCode}${more}`, {
      kind: 'invalid',
    });
    this.exitCode = exitCode;
  }
}
