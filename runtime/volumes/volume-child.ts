import { TreeFolder } from '../images/tar-writing/tree-folder.ts';
import { VolumeStore } from './volume-store.ts';

/**
 * For tests, as a process that is killed: makes, fills and removes volumes of a folder without end, and says what it has finished.
 * Arguments: the folder of the volumes, a folder to fill them from.
 */
const [root = '', source = ''] = process.argv.slice(2);
const store = await VolumeStore.open(root);
const say = (line: string) => process.stdout.write(`${line}\n`);
for (let round = 0; ; round++) {
  const name = `v${round % 3}`;
  const wish = { name, driver: '', labels: { round: String(round) }, options: {} };
  await store.create(wish);
  say(`created ${name} ${round}`);
  const open = async () => {
    const folder = TreeFolder.root(source);
    return { folder, [Symbol.asyncDispose]: async () => folder[Symbol.dispose]() };
  };
  await store.fill(name, open);
  say(`filled ${name} ${round}`);
  await store.remove(`v${(round + 1) % 3}`, { users: () => [] }).catch(() => undefined);
  say(`removed v${(round + 1) % 3} ${round}`);
}
