import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateKeyPair } from '../../ssh/generate-key-pair.ts';
import { takeLock } from '../lock.ts';

export interface ClientKey {
  readonly privateKeyPath: string;
  /** One line of authorized_keys. */
  readonly publicKey: string;
}

/** The cache's own key: made once, known to every guest that was built in this cache and to nothing else. */
export async function clientKey(cacheDir: string, signal: AbortSignal): Promise<ClientKey> {
  const folder = join(cacheDir, 'ssh');
  const privateKeyPath = join(folder, 'id_ed25519');
  const publicPath = `${privateKeyPath}.pub`;
  const read = () => readFile(publicPath, 'utf8').catch(() => undefined);
  const present = await read();
  if (present) return { privateKeyPath, publicKey: present };
  await using _lock = await takeLock(join(cacheDir, 'locks', 'ssh.lock'), { signal, onWait: () => {} });
  const others = await read();
  if (others) return { privateKeyPath, publicKey: others };
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o700);
  const pair = generateKeyPair('seatrial');
  await writeFile(privateKeyPath, pair.privateKey, { mode: 0o600 });
  // The public half last and at once: where it is, the pair is whole.
  await writeFile(`${publicPath}.tmp`, `${pair.publicKey}\n`);
  await rename(`${publicPath}.tmp`, publicPath);
  return { privateKeyPath, publicKey: `${pair.publicKey}\n` };
}
