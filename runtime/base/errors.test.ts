import { describe, expect, it } from 'vitest';
import { codeOf, errnoName, errnoNumber, ifExists, joinErrors, SystemError } from './errors.ts';

describe('SystemError', () => {
  it('looks like an error of Node itself', () => {
    const error = new SystemError({ errno: 16, syscall: 'umount2', path: '/mnt' });
    expect(error).toMatchObject({ code: 'EBUSY', errno: -16, syscall: 'umount2', path: '/mnt' });
    expect(error.message).toBe('Cannot umount2 "/mnt": EBUSY (resource busy or locked)');
  });

  it('says what was being done where that is known', () => {
    const error = new SystemError({ errno: 1, syscall: 'mount', op: 'mount "proc" at "/proc"' });
    expect(error.message).toMatch(/^Cannot mount "proc" at "\/proc": EPERM/);
  });
});

describe('errno names', () => {
  it.each([
    [2, 'ENOENT'],
    [11, 'EAGAIN'],
    [95, 'ENOTSUP'],
    [9999, 'E9999'],
  ])('%i is %s', (errno, name) => {
    expect(errnoName(errno)).toBe(name);
  });

  it('goes back from name to number', () => {
    expect(errnoNumber('EBUSY')).toBe(16);
    expect(errnoNumber('ENOSUCH')).toBeUndefined();
  });
});

describe('ifExists', () => {
  it('answers undefined for ENOENT alone', async () => {
    await expect(
      ifExists(Promise.reject(new SystemError({ errno: 2, syscall: 'open' }))),
    ).resolves.toBeUndefined();
    await expect(
      ifExists(Promise.reject(new SystemError({ errno: 13, syscall: 'open' }))),
    ).rejects.toMatchObject({ code: 'EACCES' });
  });
});

describe('joinErrors', () => {
  it('keeps the first error in front', () => {
    const joined = joinErrors(joinErrors(new Error('a'), new Error('b')), new Error('c'));
    expect(joined).toMatchObject({
      message: 'a',
      errors: [{ message: 'a' }, { message: 'b' }, { message: 'c' }],
    });
    expect(codeOf(joined)).toBeUndefined();
  });
});
