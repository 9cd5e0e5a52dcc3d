import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { TestDaemon, testImage } from '../daemon/daemon-fixture.ts';
import { type DriverPlace, usualPlace } from '../daemon/driver-places.ts';
import type { FixtureEntry } from '../images/tar-fixture.ts';
import { type Answer, build, type Sent } from './build-fixture.ts';

/** A daemon with the test image, which `@base` stands for in Dockerfiles. */
export interface Builds {
  readonly daemon: TestDaemon;
  send(dockerfile: string, more?: Partial<Sent>): Promise<Answer>;
  /** Builds it anew and answers what its last command printed. */
  printed(dockerfile: string, more?: Partial<Sent>): Promise<string>;
  inspect(
    name: string,
  ): Promise<Awaited<ReturnType<ReturnType<TestDaemon['docker']['getImage']>['inspect']>>>;
}

/** Tests of builds with one daemon; after each there is no container, mount, process or folder of a build. */
export function describeBuilds(
  title: string,
  tests: (builds: Builds) => void,
  place: DriverPlace = usualPlace,
): void {
  const { driver, why: reason } = place;
  describe.skipIf(reason !== '')(`${title}${reason && ` (skipped: ${reason})`}`, () => {
    let daemon: TestDaemon;
    beforeAll(async () => {
      daemon = await TestDaemon.start(driver, place);
      await daemon.loadImage();
    });
    afterEach(async () => {
      expect(await daemon.leftovers()).toEqual([]);
      expect(await readdir(join(daemon.dataRoot, 'builds')).catch(() => [])).toEqual([]);
    });
    afterAll(async () => {
      await daemon[Symbol.asyncDispose]();
      expect(await daemon.kernelLeftovers()).toEqual([]);
    });
    const send: Builds['send'] = (dockerfile, more = {}) =>
      build({
        socketPath: daemon.socketPath,
        dockerfile: dockerfile.replaceAll('@base', testImage),
        ...more,
      });
    tests({
      get daemon() {
        return daemon;
      },
      send,
      async printed(dockerfile, more = {}) {
        const { text, error } = await send(dockerfile, { ...more, query: { ...more.query, nocache: '1' } });
        expect(error).toBe('');
        return /.* ---> Running in \w+\n(.*?)Removing intermediate/s.exec(text)?.[1] ?? '';
      },
      inspect: (name) => daemon.docker.getImage(name).inspect(),
    });
  });
}

/** A context. `out` leads out of it. */
export const contextFiles: readonly FixtureEntry[] = [
  { name: 'a', data: 'A' },
  { name: 'b', data: 'B' },
  { name: 'd', type: 'directory', mode: 0o700 },
  { name: 'd/x', data: 'X', mode: 0o640 },
  { name: 'd/link', type: 'symlink', linkname: 'x' },
  { name: 'd/sub', type: 'directory', mode: 0o750 },
  { name: 'd/sub/y', data: 'Y' },
  { name: 'out', type: 'symlink', linkname: '../../../../etc' },
];
