import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { tarOf } from '../images/tar-fixture.ts';
import { TestDaemon, whyNoDaemon } from './daemon-fixture.ts';

const reason = whyNoDaemon();

describe.skipIf(reason !== '')(`images${reason && ` (skipped: ${reason})`}`, () => {
  let daemon: TestDaemon;
  const server = createServer((request, response) => {
    if (request.url !== '/root.tar') return void response.writeHead(404).end('no such page');
    tarOf([{ name: 'etc/motd', data: 'hello' }]).then(
      (tar) => response.end(tar),
      () => response.destroy(),
    );
  });
  const siteOf = () => `127.0.0.1:${(server.address() as AddressInfo).port}`;

  beforeAll(async () => {
    daemon = await TestDaemon.start('vfs');
    // 2026-01-01, and now.
    await daemon.loadImage();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    await create({ fromSrc: `http://${siteOf()}/root.tar`, repo: 'young', tag: '1' });
  });
  afterAll(async () => {
    server.close();
    await daemon?.[Symbol.asyncDispose]();
  });

  /** POST /images/create, which may have answered 200 before it fails. */
  async function create(query: Readonly<Record<string, string>>): Promise<string> {
    const stream = await daemon.docker.createImage(query).catch((error: Error) => [error.message]);
    let said = '';
    for await (const chunk of stream) said += chunk;
    return said;
  }

  test.each([
    ['before', 'young:1', ['hull/test:latest']],
    ['before', 'hull/test', []],
    ['since', 'hull/test', ['young:1']],
    ['since', 'young:1', []],
    ['until', '1h', ['hull/test:latest']],
    ['until', '2025-12-31T00:00:00Z', []],
  ])('are listed by time: %s=%s', async (filter, value, wanted) => {
    const found = await daemon.docker.listImages({ filters: { [filter]: [value] } });
    expect(found.flatMap(({ RepoTags }) => RepoTags ?? [])).toEqual(wanted);
  });

  test.each([
    ['before', 'nothing', /No such image: nothing/],
    ['until', 'soon', /until: found "soon", wanted a time as/],
    ['size', '1', /wanted one of reference, label, dangling, before, since, until/],
  ])('a filter that means nothing is refused: %s=%s', async (filter, value, message) => {
    await expect(daemon.docker.listImages({ filters: { [filter]: [value] } })).rejects.toThrow(message);
  });

  it('is imported from a URL, with a scheme and without', async () => {
    const said = await create({ fromSrc: `${siteOf()}/root.tar`, repo: 'other', tag: '1' });
    expect(said).toContain(`Downloading from http://${siteOf()}/root.tar`);
    const [young, other] = await Promise.all(
      ['young:1', 'other:1'].map((name) => daemon.docker.getImage(name).inspect()),
    );
    expect(other?.RootFS).toEqual(young?.RootFS);
    await daemon.docker.getImage('other:1').remove();
  });

  test.each([
    ['SITE/none', /failed to GET http:.* with status 404 Not Found: no such page/],
    ['http://127.0.0.1:3/x', /failed to GET http:.*ECONNREFUSED/],
    ['ftp://there/x', /Cannot import from "ftp:.*wanted "-" or an http or https URL/],
  ])('an import from %s is an error that says why', async (source, message) => {
    expect(await create({ fromSrc: source.replace('SITE', siteOf()), repo: 'no' })).toMatch(message);
  });
});
