import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getCACertificates } from 'node:tls';
import { ifExists } from '../../base/errors.ts';

export interface Certificates {
  readonly ca: readonly string[];
  readonly cert?: string;
  readonly key?: string;
}

/**
 * What a registry's certificate is checked against: Node's and the system's authorities, and `*.crt` of `<folder>/<host>`; with the client's
 * own `*.cert` and `*.key` there. The same files as Docker's /etc/docker/certs.d.
 */
export async function readCertificates(folder: string, host: string): Promise<Certificates> {
  const own = join(folder, host);
  const names = ((await ifExists(readdir(own))) ?? []).toSorted();
  const read = (name: string) => readFile(join(own, name), 'utf8');
  const extra = await Promise.all(names.filter((name) => name.endsWith('.crt')).map(read));
  const ca = [...new Set([...getCACertificates('default'), ...getCACertificates('system'), ...extra])];
  const certName = names.find((name) => name.endsWith('.cert'));
  const keyName = certName?.replace(/\.cert$/, '.key');
  if (certName === undefined || keyName === undefined || !names.includes(keyName)) return { ca };
  return { ca, cert: await read(certName), key: await read(keyName) };
}
