import { expect, it } from 'vitest';
import { demultiplex } from './demultiplex.ts';

function frame(stream: number, text: string): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt8(stream);
  head.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([head, Buffer.from(text)]);
}

it('keeps the two streams apart and in order', () => {
  const data = Buffer.concat([frame(1, 'one '), frame(2, 'error'), frame(1, 'two'), frame(1, '')]);
  expect(demultiplex(data)).toEqual({ stdout: 'one two', stderr: 'error' });
});

it('joins a character that was cut between frames', () => {
  const bytes = Buffer.from('é');
  const [a, b] = [frame(1, ''), frame(1, '')];
  a.writeUInt32BE(1, 4);
  b.writeUInt32BE(1, 4);
  expect(demultiplex(Buffer.concat([a, bytes.subarray(0, 1), b, bytes.subarray(1)])).stdout).toBe('é');
});

it.each([4, 10])('refuses output that is cut at byte %i', (length) => {
  expect(() => demultiplex(frame(1, 'some text').subarray(0, length))).toThrow('is cut at');
});
