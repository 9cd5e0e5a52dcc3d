import { z } from 'zod';

const imageSchema = z.looseObject({
  Id: z.string(),
  ParentId: z.string(),
  RepoTags: z.array(z.string()).nullish(),
  Size: z.number(),
  Created: z.number(),
});
type ListedImage = z.infer<typeof imageSchema>;

/** GET /images/json?all=1 as lines: children below the image they were made upon, the oldest first, with the bytes they add. */
export function imageTree(list: unknown): readonly string[] {
  const images = z.array(imageSchema).parse(list);
  const ids = new Set(images.map(({ Id }) => Id));
  const childrenOf = (id: string): readonly ListedImage[] =>
    images.filter(({ ParentId }) => (ids.has(ParentId) ? ParentId : '') === id).toSorted(byAge);
  const lines: string[] = [];
  const show = (image: ListedImage, before: string, isLast: boolean, below: number): void => {
    const names = image.RepoTags?.join(', ') || '(no name)';
    const branch = before === '' && below === 0 && image.ParentId === '' ? '' : isLast ? '└─ ' : '├─ ';
    lines.push(
      `${before}${branch}${image.Id.replace('sha256:', '').slice(0, 12)}  ${names}  ${sizeText(image.Size - below)}`,
    );
    const indent = branch === '' ? '' : isLast ? '   ' : '│  ';
    const children = childrenOf(image.Id);
    for (const [index, child] of children.entries())
      show(child, `${before}${indent}`, index === children.length - 1, image.Size);
  };
  for (const image of childrenOf('')) show({ ...image, ParentId: '' }, '', true, 0);
  return lines;
}

const byAge = (a: ListedImage, b: ListedImage): number => a.Created - b.Created || (a.Id < b.Id ? -1 : 1);

function sizeText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `+${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
