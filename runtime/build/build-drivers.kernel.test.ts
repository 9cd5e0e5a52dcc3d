import { buffer } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { testImage } from '../daemon/daemon-fixture.ts';
import { driverPlaces } from '../daemon/driver-places.ts';
import { piecesOf, tarOf } from '../images/tar-fixture.ts';
import { readTar } from '../images/tar-reader.ts';
import { type Builds, contextFiles, describeBuilds } from './build-suite.ts';

/** Layers upon layers, with all that drivers do differently: hard links, deletions, folders made anew and moved. */
const dockerfile = `FROM @base AS one
RUN busybox mkdir -p /d/e && cd /d && echo 1 > e/f && busybox ln e/f hard && busybox ln -s e/f soft && \\
  busybox mkfifo pipe && busybox chown 7:8 e/f && busybox chmod 4750 e/f
ONBUILD RUN echo trigger > /triggered
FROM one AS two
RUN busybox rm -r /d/e && busybox mkdir /d/e && echo 2 > /d/e/g
COPY d /d
ADD t.tar /unpacked/
WORKDIR /w/v
FROM two
COPY --from=one --chown=5:6 /d/e/f /from-one
COPY --from=${testImage} /plain /from-image
RUN busybox rm /plain && busybox mv /d /moved
`;

const wanted = `/from-image 644 0:0
/from-one 4750 5:6
/moved 755 0:0
/moved/e 755 0:0
/moved/e/g 644 0:0
/moved/hard 4750 7:8
/moved/link 777 0:0
/moved/pipe 644 0:0
/moved/soft 777 0:0
/moved/sub 750 0:0
/moved/sub/y 644 0:0
/moved/x 640 0:0
/triggered 644 0:0
/unpacked 755 0:0
/unpacked/in 604 7:8
/unpacked/twin 604 7:8
/w 755 0:0
/w/v 755 0:0`;

/** What each layer upon the first has, as its archive says. */
async function layersOf(builds: Builds, id: string): Promise<readonly (readonly string[])[]> {
  const saved = await buffer(await builds.daemon.docker.getImage(id).get());
  const files = new Map<string, Buffer>();
  for await (const entry of readTar(piecesOf(saved, 1_000_000))) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of entry.body()) chunks.push(chunk);
    files.set(entry.name, Buffer.concat(chunks));
  }
  const [{ Layers }] = JSON.parse(String(files.get('manifest.json')));
  return await Promise.all(
    Layers.slice(1).map(async (name: string) => {
      const entries: string[] = [];
      for await (const each of readTar(piecesOf(files.get(name) ?? Buffer.alloc(0), 1_000_000)))
        entries.push(each.type === 'link' ? `${each.name} = ${each.linkName}` : each.name);
      return entries;
    }),
  );
}

for (const place of await driverPlaces()) {
  describeBuilds(
    `builds on ${place.driver}`,
    (builds) => {
      it('layers have the same files on each driver, and are found again', async () => {
        const t = await tarOf([
          { name: 'in', data: '1', mode: 0o604, uid: 7, gid: 8 },
          { name: 'twin', type: 'link', linkname: 'in' },
        ]);
        const more = { files: [...contextFiles, { name: 't.tar', data: t }] };
        const { id, error } = await builds.send(dockerfile, more);
        expect(error).toBe('');
        expect(await layersOf(builds, id)).toEqual([
          ['d/', 'd/e/', 'd/e/f', 'd/hard = d/e/f', 'd/pipe', 'd/soft'],
          ['triggered'],
          ['d/', 'd/e/', 'd/e/.wh.f', 'd/e/g'],
          ['d/', 'd/link', 'd/sub/', 'd/sub/y', 'd/x'],
          ['unpacked/', 'unpacked/in', 'unpacked/twin = unpacked/in'],
          ['w/', 'w/v/'],
          ['from-one'],
          ['from-image'],
          [
            '.wh.d',
            'moved/',
            ...['e/', 'e/g', 'hard', 'link', 'pipe', 'soft', 'sub/', 'sub/y', 'x'].map(
              (name) => `moved/${name}`,
            ),
            '.wh.plain',
          ],
        ]);
        const look = `busybox find ${['from-image', 'from-one', 'moved', 'triggered', 'unpacked', 'w'].map((name) => `/${name}`).join(' ')}`;
        const again = await builds.send(
          `${dockerfile}RUN ${look} | busybox sort | busybox xargs busybox stat -c '%n %a %u:%g'`,
          more,
        );
        expect(again.text.split('Using cache').length - 1).toBe(10);
        expect(again.text).toContain(`\n${wanted}\n`);
      });
    },
    place,
  );
}
