import ssh2 from 'ssh2';

export interface KeyPair {
  /** OpenSSH's own format. */
  readonly privateKey: string;
  /** One line of authorized_keys. */
  readonly publicKey: string;
}

/** ssh2 makes one pair in 256 that nobody can read, itself included (mscdex/ssh2#1390): such a pair is made again. */
export function generateKeyPair(comment?: string): KeyPair {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519', comment === undefined ? {} : { comment });
    if (ssh2.utils.parseKey(pair.private) instanceof Error) continue;
    if (ssh2.utils.parseKey(pair.public) instanceof Error) continue;
    return { privateKey: pair.private, publicKey: pair.public };
  }
}
