import { expect, test } from 'vitest';
import { chainIds, DigestStream, digestOf } from './digest.ts';

test('chain ids name a layer with all below it, as image-spec config.md has them', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((text) => digestOf(text)) as [string, string, string];
  expect(chainIds([])).toEqual([]);
  expect(chainIds([a, b, c])).toEqual([a, digestOf(`${a} ${b}`), digestOf(`${digestOf(`${a} ${b}`)} ${c}`)]);
});

test('a digest stream hashes and counts what passes', async () => {
  const stream = new DigestStream();
  const passed: Uint8Array[] = [];
  async function* source() {
    yield Buffer.from('a');
    yield Buffer.from('bc');
  }
  for await (const chunk of stream.through(source())) passed.push(chunk);
  expect(Buffer.concat(passed).toString()).toBe('abc');
  expect(stream.finish()).toEqual({ digest: digestOf('abc'), size: 3 });
});
