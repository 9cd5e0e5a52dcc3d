/**
 * An argv array as one POSIX shell command line: the remote shell sees exactly these arguments. The only place where
 * remote words are quoted. A NUL byte cannot be passed to any program and is an error.
 */
export function quote(argv: readonly string[]): string {
  return argv.map(quoteWord).join(' ');
}

function quoteWord(word: string): string {
  if (word.includes('\0')) throw new TypeError(`Cannot quote ${JSON.stringify(word)}: found a NUL byte`);
  // A leading "=" is expanded by zsh, "~" by every shell, and NAME=value before a command is an assignment.
  if (/^[A-Za-z0-9_@%+:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
