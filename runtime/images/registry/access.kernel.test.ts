import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { account, isInstalled, makeCertificate, RealRegistry, TestPlace } from './registry-fixture.ts';
import { describeRegistry, expectEmpty, load, nobody, smallImage } from './registry-suite.ts';

const noOpenssl = !(await isInstalled('openssl'));

describeRegistry('who may use a real registry', () => {
  test('with users: the right password alone pulls, pushes and logs in', async () => {
    await using registry = await RealRegistry.start({ htpasswd: true });
    const name = `${registry.host}/secret:latest`;
    const wrong = { ...account, password: 'wrong' } as const;
    await using place = await TestPlace.open();
    await load(place, await smallImage(), name);
    for (const credentials of [undefined, wrong]) {
      await expect(place.push(name, credentials)).rejects.toMatchObject({ kind: 'unauthorized' });
    }
    await place.push(name, account);
    await place.store.remove(name, nobody);
    for (const credentials of [undefined, wrong]) {
      const error = await place.pull(name, credentials ? { credentials } : {}).catch((caught) => caught);
      expect(error).toMatchObject({
        kind: 'unauthorized',
        message: expect.stringMatching(/^Cannot pull .*401/),
      });
      expect(error.message).not.toContain('wrong"');
    }
    await expectEmpty(place);
    await place.pull(name, { credentials: account });
    const { signal } = new AbortController();
    await place.registry.checkLogin(registry.host, { credentials: account, signal });
    await expect(
      place.registry.checkLogin(registry.host, { credentials: wrong, signal }),
    ).rejects.toMatchObject({ kind: 'unauthorized' });
  });

  test.skipIf(noOpenssl)(
    'by TLS: an unknown certificate is refused with the way out, and taken from certs.d',
    async () => {
      await using place = await TestPlace.open({ networks: [], hosts: [] });
      const tls = await makeCertificate(place.folder);
      await using registry = await RealRegistry.start({ tls });
      const name = `${registry.host}/safe:latest`;
      await load(place, await smallImage(), name);
      const error = await place.push(name).catch((caught: unknown) => caught);
      expect(error).toMatchObject({
        kind: 'unavailable',
        message: expect.stringMatching(/self-signed certificate/),
        hint: expect.stringContaining(`certs.d/${registry.host}/ca.crt`),
      });
      const certs = join(place.folder, 'certs.d', registry.host);
      await mkdir(certs, { recursive: true });
      await writeFile(join(certs, 'ca.crt'), await readFile(tls.certificate));
      await place.push(name);
      // This machine's own registries need none.
      await using other = await TestPlace.open();
      await other.pull(name);
    },
  );

  test('without TLS is not used where it is not named as insecure', async () => {
    await using registry = await RealRegistry.start();
    await using place = await TestPlace.open({ networks: [], hosts: [] });
    await expect(place.pull(`${registry.host}/name:latest`)).rejects.toMatchObject({
      kind: 'unavailable',
      hint: expect.stringContaining(`--insecure-registry ${registry.host}`),
    });
  });
});
