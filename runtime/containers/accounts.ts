import { withRoot } from '../storage/with-root.ts';
import type { Container } from './container.ts';
import type { Engine } from './engine.ts';
import { readInRoot } from './read-in-root.ts';
import { type AccountFiles, addGroups, type ResolvedUser, resolveUser } from './users.ts';

/** Who the container's process is, from the account files in its own root. For a container that is not running. */
export async function userOf(engine: Engine, container: Container): Promise<ResolvedUser> {
  const { config } = container.record;
  const files = await accountsOf(engine, container);
  return addGroups(resolveUser(config.User, files), config.HostConfig.GroupAdd, files);
}

/** The same for a running one, whose tree is reached through its first process. */
export async function userInRunning(
  pid: number,
  user: string,
  groups: readonly string[],
): Promise<ResolvedUser> {
  const files = await readAccounts(`/proc/${pid}/root`);
  return addGroups(resolveUser(user, files), groups, files);
}

async function accountsOf(engine: Engine, container: Container): Promise<AccountFiles> {
  const { id, record } = container;
  // Before its first start a container's layer is what its image is, and the answer serves all of the image's.
  const pristine = record.state.kind === 'starting' && record.state.last === undefined && record.error === '';
  const key = record.image.id;
  const known = pristine ? engine.accounts.get(key) : undefined;
  if (known) return known;
  const files = await withRoot(engine.driver, id, readAccounts);
  if (pristine) engine.accounts.set(key, files);
  return files;
}

async function readAccounts(root: string): Promise<AccountFiles> {
  const [passwd, group] = await Promise.all([
    readInRoot(root, '/etc/passwd'),
    readInRoot(root, '/etc/group'),
  ]);
  return { passwd, group };
}
