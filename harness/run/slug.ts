/** `Restarts after SIGKILL (twice)` → `restarts-after-sigkill-twice` */
export function slug(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
}
