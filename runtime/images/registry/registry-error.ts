import { type ErrorKind, HullError } from '../../base/errors.ts';
import type { HttpAnswer } from './http.ts';
import { readBody, showUrl } from './http.ts';

export interface RegistryErrorOptions {
  readonly kind: ErrorKind;
  readonly cause?: unknown;
  readonly hint?: string;
  readonly status?: number;
  /** The registry's own wish, in milliseconds. */
  readonly retryAfterMs?: number;
}

/**
 * What went wrong with a registry, without what was being done: `doing` puts that in front. Kind `unavailable` is worth another try;
 * any other is not.
 */
export class RegistryError extends HullError {
  override readonly name: string = 'RegistryError';
  readonly reason: string;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(reason: string, options: RegistryErrorOptions) {
    super(`Cannot use the registry: ${reason}`, options);
    this.reason = reason;
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Runs it; a RegistryError comes out as `Cannot <action>: <reason>`, of the same kind. */
export async function doing<T>(action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    const { kind, hint, cause, reason } = error;
    throw new HullError(`Cannot ${action}: ${reason}`, { kind, cause, ...(hint !== undefined && { hint }) });
  }
}

/** The error that an answer with an unwanted status is: the registry's own words, its kind by the status. */
export async function refusal(answer: HttpAnswer, wanted: string): Promise<RegistryError> {
  const { status, url, headers } = answer;
  const words = await wordsOf(answer);
  const after = Number(headers['retry-after']);
  return new RegistryError(
    `found status ${status}${words && ` (${words})`} from ${showUrl(url)}, wanted ${wanted}`,
    {
      kind: kindOf(status),
      status,
      ...(Number.isFinite(after) && after >= 0 && { retryAfterMs: after * 1000 }),
      ...((status === 401 || status === 403) && { hint: 'Log in to the registry, or ask for access to it.' }),
    },
  );
}

function kindOf(status: number): ErrorKind {
  if (status === 401 || status === 403) return 'unauthorized';
  if (status === 404) return 'not-found';
  if (status === 408 || status === 429 || status >= 500) return 'unavailable';
  return 'invalid';
}

/** Distribution spec, "Error codes": `{errors: [{code, message}]}`. */
async function wordsOf(answer: HttpAnswer): Promise<string> {
  try {
    const parsed: unknown = JSON.parse((await readBody(answer, 64 * 1024, 'an error')).toString('utf8'));
    if (typeof parsed !== 'object' || parsed === null || !('errors' in parsed)) return '';
    if (!Array.isArray(parsed.errors)) return '';
    return parsed.errors
      .slice(0, 3)
      .map((error: unknown) => {
        if (typeof error !== 'object' || error === null) return '';
        const { code, message } = { code: '', message: '', ...error };
        return [code, message].filter(Boolean).join(': ').slice(0, 300);
      })
      .filter(Boolean)
      .join('; ');
  } catch {
    return '';
  } finally {
    answer.body.destroy();
  }
}
