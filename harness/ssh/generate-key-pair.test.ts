import ssh2 from 'ssh2';
import { expect, it } from 'vitest';
import { generateKeyPair } from './generate-key-pair.ts';

it('makes pairs that can be read, each of them', () => {
  // A pair in 256 is not, as ssh2 makes them: of 3000 pairs without one the chance is 1 in 100 000.
  for (let i = 0; i < 3000; i++) {
    const { privateKey, publicKey } = generateKeyPair('somebody');
    const key = ssh2.utils.parseKey(privateKey);
    if (key instanceof Error) throw key;
    expect(key).toMatchObject({ type: 'ssh-ed25519', comment: 'somebody' });
    expect(key.getPublicSSH()).toEqual(Buffer.from(publicKey.split(' ')[1] ?? '', 'base64'));
  }
});
