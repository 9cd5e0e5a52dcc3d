import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { splitDevice } from '../sys/mknod.ts';
import { getXattr } from '../sys/xattr.ts';
import { paxOf } from './tar-fixture.ts';
import { UntarPlace } from './untar-suite.ts';

const reason = process.getuid?.() === 0 ? '' : ' (skipped: needs root to own files and make devices)';

describe.skipIf(reason !== '')(`untar as root${reason}`, () => {
  const place = UntarPlace.forEach();

  test('sets owners, also beyond 31 bits, and keeps setuid bits through the change of owner', async () => {
    await place.apply([
      { name: 'file', uid: 1000, gid: 2000, mode: 0o6755, data: 'x' },
      paxOf({ uid: '4294967294', gid: '3000000000' }),
      { name: 'far', type: 'directory' },
      { name: 'soft', type: 'symlink', linkname: 'nowhere', uid: 7, gid: 8 },
    ]);
    const [file, far, soft] = await Promise.all(
      ['file', 'far', 'soft'].map((name) => lstat(join(place.root, name))),
    );
    expect([file?.uid, file?.gid, file && file.mode & 0o7777]).toEqual([1000, 2000, 0o6755]);
    expect([far?.uid, far?.gid]).toEqual([4_294_967_294, 3_000_000_000]);
    expect([soft?.uid, soft?.gid]).toEqual([7, 8]);
  });

  test('makes devices with their numbers, and fifos', async () => {
    await place.apply([
      { name: 'null', type: 'character-device', devmajor: 1, devminor: 3, mode: 0o666 },
      { name: 'large', type: 'block-device', devmajor: 4095, devminor: 262_143, mode: 0o600 },
      { name: 'pipe', type: 'fifo', mode: 0o622 },
    ]);
    const [none, large, pipe] = await Promise.all(
      ['null', 'large', 'pipe'].map((name) => lstat(join(place.root, name))),
    );
    expect(none?.isCharacterDevice()).toBe(true);
    expect(none && none.mode & 0o777).toBe(0o666);
    expect(splitDevice(none?.rdev ?? 0)).toEqual({ major: 1, minor: 3 });
    expect(large?.isBlockDevice()).toBe(true);
    expect(splitDevice(large?.rdev ?? 0)).toEqual({ major: 4095, minor: 262_143 });
    expect(pipe?.isFIFO()).toBe(true);
    expect(pipe && pipe.mode & 0o777).toBe(0o622);
  });

  test('sets binary attributes byte for byte, a capability included', async () => {
    const capability = Buffer.from('0100000280040000000000000000000000000000', 'hex');
    await place.apply([
      paxOf({
        'SCHILY.xattr.security.capability': capability,
        'SCHILY.xattr.trusted.note': Buffer.from([0, 255, 10]),
      }),
      { name: 'ping', mode: 0o755, uid: 5, data: 'x' },
    ]);
    expect(getXattr(join(place.root, 'ping'), 'security.capability')).toEqual(capability);
    expect(getXattr(join(place.root, 'ping'), 'trusted.note')).toEqual(Buffer.from([0, 255, 10]));
  });

  test('says which attribute it left out', async () => {
    const { warnings } = await place.apply([
      paxOf({ 'SCHILY.xattr.user.note': 'x' }),
      { name: 'soft', type: 'symlink', linkname: 'nowhere' },
    ]);
    expect(warnings).toEqual(['"soft": attribute user.note left out: EPERM']);
  });
});
