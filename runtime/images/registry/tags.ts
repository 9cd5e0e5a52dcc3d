import { z } from 'zod';
import { readBody } from './http.ts';
import { pullScope } from './manifests.ts';
import { RegistryError } from './registry-error.ts';
import { retrying } from './retrying.ts';
import type { RegistrySession } from './session.ts';

const tagsSchema = z.looseObject({ tags: z.array(z.string().regex(/^\w[\w.-]{0,127}$/)).nullish() });
const largestList = 4 * 1024 * 1024;
const mostPages = 1000;

/** All tags of a repository (distribution-spec "Listing tags"), page by page. */
export async function listTags(session: RegistrySession, path: string): Promise<readonly string[]> {
  const tags: string[] = [];
  let target: string | URL | undefined = `/v2/${path}/tags/list`;
  for (let page = 0; target !== undefined; page++) {
    if (page >= mostPages) {
      throw new RegistryError(`found more than ${mostPages} pages of tags, wanted an end`, {
        kind: 'invalid',
      });
    }
    const asked: string | URL = target;
    const { text, url, link } = await retrying(async () => {
      const answer = await session.expect({ method: 'GET', target: asked, scopes: pullScope(path) }, 200);
      const data = await readBody(answer, largestList, 'a list of tags');
      return { text: data.toString('utf8'), url: answer.url, link: answer.headers.link };
    }, session);
    tags.push(...readTags(text));
    const next = /<([^>]+)>\s*;\s*rel="?next"?/.exec(String(link ?? ''))?.[1];
    target = next !== undefined && URL.canParse(next, url.href) ? new URL(next, url) : undefined;
  }
  return tags;
}

function readTags(text: string): readonly string[] {
  try {
    return tagsSchema.parse(JSON.parse(text)).tags ?? [];
  } catch (cause) {
    throw new RegistryError('found a list of tags that does not read {"tags": […]}, wanted one', {
      kind: 'invalid',
      cause,
    });
  }
}
