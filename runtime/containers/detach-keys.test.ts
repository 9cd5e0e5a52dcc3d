import { describe, expect, it } from 'vitest';
import { parseDetachKeys, untilDetached } from './detach-keys.ts';

describe('detach keys', () => {
  it.each([
    ['', [16, 17]],
    ['ctrl-p,ctrl-q', [16, 17]],
    ['a', [97]],
    ['ctrl-@,ctrl-A,ctrl-\\,ctrl-_', [0, 1, 28, 31]],
    ['ctrl-x,x,DEL', [24, 120, 127]],
  ])('%j', (text, bytes) => {
    expect(parseDetachKeys(text)).toEqual(bytes);
  });

  it.each(['ctrl-', 'ctrl-pp', 'ctrl-1', 'ab', 'a,', ',', 'é', '\n'])('%j are refused', (text) => {
    expect(() => parseDetachKeys(text)).toThrow(/^Invalid detach keys .* provided: found/s);
  });
});

describe('input with detach keys "a,b"', () => {
  async function read(...chunks: readonly string[]) {
    let detached = false;
    let passed = '';
    const input = (async function* () {
      for (const chunk of chunks) yield Buffer.from(chunk);
    })();
    for await (const data of untilDetached(input, [97, 98], () => {
      detached = true;
    }))
      passed += data;
    return { passed, detached };
  }

  it.each<[string, readonly string[], string, boolean]>([
    ['none', ['xyz'], 'xyz', false],
    ['at once', ['xab', 'later'], 'x', true],
    ['in two pieces', ['xa', 'b', 'later'], 'x', true],
    ['begun and not ended', ['xa', 'c'], 'xac', false],
    ['begun twice', ['aa', 'ab', 'later'], 'aa', true],
    ['begun at the end', ['xa'], 'xa', false],
  ])('%s', async (_, chunks, passed, detached) => {
    expect(await read(...chunks)).toEqual({ passed, detached });
  });
});
