import ssh2 from 'ssh2';

export interface KeyPair {
  /** OpenSSH's own format. */
  readonly privateKey: string;
  /** One line of authorized_keys. */
  readonly publicKey: string;
}

export function generateKeyPair(comment: string): KeyPair {
  const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment });
  return { privateKey: pair.private, publicKey: pair.public };
}
