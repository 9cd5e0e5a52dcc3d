import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import { expect } from 'vitest';
import { buildTestImage } from '../../harness/images/test-image.ts';
import { scenario } from '../../harness/run/scenario.ts';
import { refusal, runToEnd } from '../support/containers.ts';

/** CR-28: no half image is seen, and loading it again works. */
scenario('an image load cut off by a crash can be repeated', { dependsOnDriver: false }, async (t) => {
  const reference = 'seatrial/cut-off:latest';
  const { archive, id } = await buildTestImage({ reference, extraBytes: 512 * 1024 });
  t.defer(() =>
    t.docker
      .getImage(reference)
      .remove()
      .catch(() => undefined),
  );
  // All but the manifest, so that layers have come and the image has not.
  const upload = new PassThrough();
  const cut = t.docker.loadImage(upload).catch(() => undefined);
  upload.write(archive.subarray(0, archive.length - 4096));
  await t.step('kill the daemon in the middle of the upload', () => t.engine.crash({ afterMs: 300 }));
  upload.destroy();
  await cut;
  await t.engine.start();
  expect((await refusal(t.docker.getImage(reference).inspect())).status).toBe(404);

  const whole = new PassThrough();
  whole.end(archive);
  const progress = await t.step('load it again', () => t.docker.loadImage(whole));
  await finished(progress.resume());
  expect((await t.docker.getImage(reference).inspect()).Id).toBe(id);
  const { stdout, container } = await runToEnd(t, { command: ['wc', '-c', '/ballast'], image: reference });
  expect(stdout).toBe(`${512 * 1024} /ballast\n`);
  await container.remove();
  await t.docker.getImage(reference).remove();
});
