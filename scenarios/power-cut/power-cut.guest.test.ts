import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildTestImage } from '../../harness/images/test-image.ts';
import { loadHosts } from '../../harness/matrix/load-hosts.ts';
import { Stand } from '../support/stand.ts';
import { storeState } from './store-state.ts';
import { expectImageWorks, loadImage, works } from './works.ts';

/*
 * The guest is killed in the middle of the work and boots from what had reached its disk. A cut takes half a minute:
 *
 *     vitest run --project guest scenarios/power-cut                               all of it
 *     vitest run --project guest scenarios/power-cut -t 'debian-13/overlay.*load'  one piece of work
 */
const hosts = await loadHosts(fileURLToPath(new URL('../../hosts.yaml', import.meta.url)));
const drivers = ['overlay', 'devicemapper'];
const places = hosts.flatMap((definition) =>
  (definition.engines.find(({ name }) => name === 'hull')?.drivers ?? [])
    .filter(({ name }) => drivers.includes(name))
    .map((driver) => ({ title: `${definition.name}/${driver.name}`, definition, driver })),
);

/** Parts of the time that the work takes when nothing cuts it off. */
const moments = [0.2, 0.5, 0.8];

describe.each(places)('$title', ({ definition, driver }) => {
  let stand: Stand | undefined;
  /** A guest that did not come back as it was is no place for the next test. */
  let sound = false;
  let before: readonly string[] = [];

  beforeAll(async () => {
    await soundStand();
  });
  afterAll(async () => {
    await stand?.[Symbol.asyncDispose]();
  });

  /** With the base image. */
  async function soundStand(): Promise<Stand> {
    if (stand && sound) return stand;
    await stand?.[Symbol.asyncDispose]();
    stand = undefined;
    const fresh = await Stand.open(definition, 'hull', driver);
    stand = fresh;
    await loadImage(fresh.docker, await buildTestImage());
    before = await storeState(fresh);
    sound = true;
    return fresh;
  }

  /** What is small of a removed container or layer is removed in the moment after. */
  async function expectBefore(here: Stand): Promise<void> {
    await expect.poll(() => storeState(here), { timeout: 30_000, interval: 500 }).toEqual(before);
  }

  describe.each(works)('$name', ({ perform, prepare, expectDone, expectWhole, undo }) => {
    let wholeMs = 0;

    it('goes through, and back again, without a cut', async () => {
      const here = await soundStand();
      const { docker } = here;
      sound = false;
      await prepare(docker);
      const started = performance.now();
      await perform(docker);
      wholeMs = performance.now() - started;
      await expectWhole(docker);
      await expectDone(docker);
      await undo(docker);
      await expectBefore(here);
      sound = true;
    });

    it.each(moments)('cut off after %d of its time leaves the store whole, and is repeated', async (part) => {
      const here = await soundStand();
      sound = false;
      await prepare(here.docker);
      const cut = perform(here.docker).then(
        () => 'done',
        () => 'cut off',
      );
      await sleep(part * wholeMs);
      await here.cutPower();
      console.log(`${await cut} after ${Math.round(part * wholeMs)} of ${Math.round(wholeMs)} ms`);
      const { docker } = here;
      await expectImageWorks(docker, 'seatrial/busybox');
      await expectWhole(docker);
      await perform(docker);
      await expectDone(docker);
      await undo(docker);
      await expectBefore(here);
      sound = true;
    });
  });
});
