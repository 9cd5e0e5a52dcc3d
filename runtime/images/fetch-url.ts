import { HullError } from '../base/errors.ts';

/** GET of a URL with Docker's words for what fails. Kinds `invalid` (the server refuses), `unavailable`. */
export async function fetchUrl(url: string, signal: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (error) {
    throw fetchFailed(url, error);
  }
  if (response.ok) return response;
  const said = (await response.text().catch(() => '')).slice(0, 200).trim();
  throw new HullError(
    `failed to GET ${url} with status ${response.status} ${response.statusText}${said && `: ${said}`}`,
    { kind: 'invalid' },
  );
}

export function fetchFailed(url: string, error: unknown): HullError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new HullError(`failed to GET ${url}: ${reason}`, { kind: 'unavailable', cause: error });
}
