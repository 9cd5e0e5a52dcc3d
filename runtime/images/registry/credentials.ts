import { z } from 'zod';
import { HullError } from '../../base/errors.ts';

/** How to prove who is asking. */
export type Credentials =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  /** A refresh token, traded for access tokens at the token server. */
  | { readonly kind: 'identity'; readonly token: string }
  /** An access token, sent as it is. */
  | { readonly kind: 'registry'; readonly token: string };

// Docker's AuthConfig; clients write '' and null for what is empty.
const authSchema = z.looseObject({
  username: z.string().nullish(),
  password: z.string().nullish(),
  auth: z.string().nullish(),
  serveraddress: z.string().nullish(),
  identitytoken: z.string().nullish(),
  registrytoken: z.string().nullish(),
});
export type AuthConfig = z.infer<typeof authSchema>;

/** Undefined where the config says nothing. Kind `invalid` for an `auth` that is not `user:password` in base64. */
export function credentialsOf(config: AuthConfig): Credentials | undefined {
  const { username, password, auth, identitytoken, registrytoken } = config;
  if (registrytoken) return { kind: 'registry', token: registrytoken };
  if (identitytoken) return { kind: 'identity', token: identitytoken };
  if (username) return { kind: 'basic', username, password: password ?? '' };
  if (!auth) return undefined;
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  // The text itself is a secret, so it is not shown.
  if (colon <= 0) throw invalid('found an "auth" that does not read "user:password" in base64');
  const secret = text.slice(colon + 1).replace(/\0+$/, '');
  return { kind: 'basic', username: text.slice(0, colon), password: secret };
}

/** X-Registry-Auth: AuthConfig as JSON in base64url (older clients: base64). Undefined where it is absent or empty. */
export function parseAuthHeader(header: string | undefined): Credentials | undefined {
  if (!header) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(header, 'base64url').toString('utf8'));
  } catch {
    throw invalid('found an X-Registry-Auth header that is not JSON in base64');
  }
  return value === null ? undefined : credentialsOf(parseAuthConfig(value));
}

export function parseAuthConfig(value: unknown): AuthConfig {
  const parsed = authSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw invalid(`found ${issue?.path.join('.') || 'something'} wrong in it (${issue?.message})`);
}

function invalid(reason: string): HullError {
  return new HullError(`Cannot read the registry credentials: ${reason}`, {
    kind: 'invalid',
    hint: 'docker login writes them anew.',
  });
}
