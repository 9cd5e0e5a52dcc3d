/** Cut to a width in characters; the cut is visible. */
export function clip(text: string, width: number): string {
  const characters = [...text];
  if (characters.length <= width) return text;
  return width <= 0 ? '' : `${characters.slice(0, width - 1).join('')}…`;
}

export function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - [...text].length));
}

/** Words filled into lines of at most `width`; a word that is longer stands alone and whole, so that it can be copied. */
export function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = [];
    const start = paragraph.length - paragraph.trimStart().length;
    let line = paragraph.slice(0, start);
    for (const word of paragraph.slice(start).split(' ')) {
      if (line.trim() !== '' && [...line].length + 1 + [...word].length > width) {
        lines.push(line);
        line = word;
      } else {
        line = line.trim() === '' ? line + word : `${line} ${word}`;
      }
    }
    return [...lines, line];
  });
}
