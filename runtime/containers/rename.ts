import { HullError } from '../base/errors.ts';
import type { Container } from './container.ts';
import type { Engine } from './engine.ts';
import { checkName } from './names.ts';
import { publishContainer } from './publish.ts';

/** Afterwards it has the new name and the old one is free. Kinds `conflict` (taken), `invalid`. */
export async function renameContainer(engine: Engine, container: Container, wanted: string): Promise<void> {
  using _ = await container.mutex.acquire();
  if (container.gone) throw new HullError(`No such container: ${container.id}`, { kind: 'not-found' });
  if (wanted === '') throw new HullError('Cannot rename a container: name is empty', { kind: 'invalid' });
  const name = checkName(wanted);
  const oldName = container.name;
  if (name === oldName) {
    throw new HullError(`Cannot rename container ${name}: it has that name`, { kind: 'invalid' });
  }
  const undo = engine.containers.reserveName(name, container.id);
  try {
    await container.update({ name });
  } catch (error) {
    undo();
    throw error;
  }
  engine.containers.freeName(oldName, container.id);
  publishContainer(engine, container, 'rename', { oldName: `/${oldName}` });
}
