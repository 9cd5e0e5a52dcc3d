/** V8 keeps a text in one byte for each character where there is no other in it; those few are written as escapes. */
export function inOneByte(code: string): Buffer {
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return Buffer.from(code.replaceAll(/[^\0-\x7f]/g, escaped));
}
