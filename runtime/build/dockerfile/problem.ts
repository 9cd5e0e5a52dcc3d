import { HullError } from '../../base/errors.ts';

/** What is wrong with an instruction; `at` says where. Kept apart so that readers of one line need not know its number. */
export class DockerfileProblem extends Error {
  override readonly name = 'DockerfileProblem';
}

/** Runs a reader of one instruction; what is wrong with it becomes Docker's sentence with the line's number. */
export function at<T>(line: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof DockerfileProblem)) throw error;
    throw new HullError(`dockerfile parse error on line ${line}: ${error.message}`, {
      kind: 'invalid',
      cause: error,
    });
  }
}
