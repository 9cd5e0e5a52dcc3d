import { codeOf, type ErrorKind, HullError } from '../base/errors.ts';
import { errorText } from '../base/log.ts';

export interface HttpFailure {
  readonly status: number;
  readonly message: string;
}

/** The one place where an error becomes an HTTP status and the text for the client. */
export function toHttpFailure(error: unknown): HttpFailure {
  if (error instanceof HullError) {
    const hint = error.hint === undefined ? '' : ` (${error.hint})`;
    return { status: statusByKind[error.kind], message: `${error.message}${hint}` };
  }
  const status = codeOf(error) === 'ENOSPC' || codeOf(error) === 'EDQUOT' ? 507 : 500;
  return { status, message: errorText(error) };
}

const statusByKind: Readonly<Record<ErrorKind, number>> = {
  'not-modified': 304,
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  busy: 409,
  internal: 500,
  unsupported: 501,
  unavailable: 503,
  exhausted: 507,
};
