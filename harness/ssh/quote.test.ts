import { randomBytes, randomInt } from 'node:crypto';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { quote } from './quote.ts';

it('leaves plain words as they are', () => {
  expect(quote(['ls', '-l', '/var/lib/hull', 'a@b:c,d+e%f'])).toBe('ls -l /var/lib/hull a@b:c,d+e%f');
});

it.each([
  [[''], "''"],
  [["it's"], "'it'\\''s'"],
  [['A=b', 'c'], "'A=b' c"],
  [['~'], "'~'"],
])('quotes %j', (argv, wanted) => {
  expect(quote(argv)).toBe(wanted);
});

it('refuses a NUL byte', () => {
  expect(() => quote(['a\0b'])).toThrow(/NUL/);
});

it.each(['sh', 'bash'])('passes 400 random words through a real %s unchanged', async (shell) => {
  const words = Array.from({ length: 400 }, randomWord);
  const script = `for word in ${quote(words)}; do printf '%s\\0' "$word"; done`;
  const { stdout } = await execa(shell, ['-c', script], { stripFinalNewline: false });
  expect(stdout.split('\0').slice(0, -1)).toEqual(words);
});

/** Text that shells care about, with some that they should not: quotes, globs, newlines, UTF-8, leading dashes. */
function randomWord(): string {
  const alphabet = [...'\'"\\$`!*?[]{}()<>|&;#~=-\n\t\r ^%äß€𝄞aZ09/', ...randomBytes(4).toString('base64')];
  return Array.from({ length: randomInt(0, 24) }, () => alphabet[randomInt(alphabet.length)]).join('');
}
