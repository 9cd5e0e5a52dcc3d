import type { ImageConfigChanges } from '../images/image-store.ts';

/** `--change` of import and commit. The builder that knows the instructions is loaded where there are any. */
export function changeOf(
  texts: readonly string[],
): (config: ImageConfigChanges) => Promise<ImageConfigChanges> {
  return async (config) => {
    if (texts.length === 0) return config;
    const { applyChanges } = await import('../build/apply-changes.ts');
    return await applyChanges(config, texts);
  };
}
