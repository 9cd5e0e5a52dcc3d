import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { capability } from '../images/image-contents.ts';
import { getXattr } from '../sys/xattr.ts';
import { driverPlaces } from './driver-places.ts';
import { describeVolumes } from './volumes-suite.ts';

for (const place of await driverPlaces()) {
  describeVolumes(
    `volumes on ${place.driver}`,
    (world) => {
      const { say, lines } = world;

      test('copy-up brings owners, modes, hard links, fifos and attributes; once, also over a crash', async () => {
        const flags = ['-v', 'data:/data', '-v', 'able:/able'];
        const look =
          'cd /data; stat -c "%n %a %u:%g" . file hard soft; stat -c %h file; stat -c %F /able/fifo';
        const wanted = '. 1770 1000:7\nfile 4711 5:0\nhard 4711 5:0\nsoft 777 0:0\n2\nfifo';
        expect(await say(flags, look)).toBe(wanted);
        expect(
          getXattr(join(world.daemon.dataRoot, 'volumes/able/_data/file'), 'security.capability'),
        ).toEqual(capability);
        await world.daemon.kill();
        await world.daemon.up();
        expect(await say(flags, `rm /data/file; ${look.replace('file hard', 'hard')}`)).toContain(
          'hard 4711',
        );
        expect(await lines('volume', 'ls', '-q')).toEqual(['able', 'data']);
      });

      test('a mount point that is a link to nothing is made where it leads, inside the root', async () => {
        await writeFile(join(world.folder, 'file'), 'of the host\n');
        const flags = ['-v', 'data:/dangling', '-v', `${world.folder}/file:/to-no-file`];
        const look = 'touch /dangling/own; ls /no/where; cat /to-no-file /no/file; readlink /dangling';
        expect(await say(flags, look)).toBe('own\nof the host\nof the host\n../no/where');
        await expect(access('/no')).rejects.toThrow('ENOENT');
      });
    },
    place,
  );
}
