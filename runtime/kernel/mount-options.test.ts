import { describe, expect, it } from 'vitest';
import { MS, mountAttributes, mountFlagsText, parseMountOptions } from './mount-options.ts';

describe('parseMountOptions', () => {
  it.each([
    [[], 0, [], ''],
    [['defaults', 'ro', 'nosuid', 'nodev', 'noexec'], MS.RDONLY | MS.NOSUID | MS.NODEV | MS.NOEXEC, [], ''],
    [['ro', 'rw'], 0, [], ''],
    [['rbind', 'rslave', 'ro'], MS.BIND | MS.REC | MS.RDONLY, [MS.SLAVE | MS.REC], ''],
    [['noatime', 'strictatime'], MS.STRICTATIME, [], ''],
    [['nosuid', 'mode=755', 'size=64m'], MS.NOSUID, [], 'mode=755,size=64m'],
    [['lowerdir=l/A:l/B', 'upperdir=u', 'index=off'], 0, [], 'lowerdir=l/A:l/B,upperdir=u,index=off'],
    [['private', 'unbindable'], 0, [MS.PRIVATE, MS.UNBINDABLE], ''],
  ])('%j', (words, flags, propagation, data) => {
    expect(parseMountOptions(words)).toMatchObject({
      flags,
      propagation,
      data,
      idmap: undefined,
      copyUp: false,
    });
  });

  it.each([
    [['rro', 'rnosuid'], { set: 0x3, clear: 0 }],
    [['rrw', 'rdev'], { set: 0, clear: 0x5 }],
    [['rnoatime'], { set: 0x10, clear: 0x70 }],
    [['ratime'], { set: 0, clear: 0x70 }],
    [['rrelatime', 'rnosymfollow'], { set: 0x200000, clear: 0x70 }],
  ])('for a tree: %j', (words, recursive) => {
    expect(parseMountOptions(words)).toMatchObject({ flags: 0, recursive, data: '' });
  });

  it('keeps what a word cleared, until a later one sets it', () => {
    expect(parseMountOptions(['bind', 'rw', 'suid'])).toMatchObject({ cleared: MS.RDONLY | MS.NOSUID });
    expect(parseMountOptions(['bind', 'rw', 'ro'])).toMatchObject({ cleared: 0, flags: MS.BIND | MS.RDONLY });
    expect(mountAttributes(MS.NOSUID, MS.RDONLY)).toEqual({ set: 0x2, clear: 0x1 });
  });

  it('knows id maps and copied folders', () => {
    expect(parseMountOptions(['rbind', 'ridmap'])).toMatchObject({ idmap: 'ridmap', data: '' });
    expect(parseMountOptions(['tmpcopyup', 'mode=755'])).toMatchObject({ copyUp: true, data: 'mode=755' });
  });

  it('has words for flags', () => {
    expect(mountFlagsText(MS.BIND | MS.REC | MS.RDONLY)).toBe('MS_RDONLY|MS_BIND|MS_REC');
    expect(mountFlagsText(0)).toBe('0');
  });

  it('knows mount_setattr’s numbers, and clears the atime mode where one is set', () => {
    expect(mountAttributes(MS.RDONLY | MS.NOSUID)).toEqual({ set: 0x3, clear: 0 });
    expect(mountAttributes(MS.NOATIME)).toEqual({ set: 0x10, clear: 0x70 });
    expect(mountAttributes(MS.RELATIME)).toEqual({ set: 0, clear: 0x70 });
  });
});
