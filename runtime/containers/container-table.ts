import { HullError } from '../base/errors.ts';
import type { Container } from './container.ts';
import type { ContainerRecord } from './record.ts';

/** The daemon's containers, by id, name and unambiguous start of an id; and the names that are spoken for. */
export class ContainerTable {
  readonly #byId = new Map<string, Container>();
  /** Name → id. Also of a container that is being made, so that two creates cannot take one name. */
  readonly #names = new Map<string, string>();
  /** Records of containers that belong to another storage driver: they are not this daemon's, and what they need is. */
  readonly setAside: ContainerRecord[] = [];

  /** Kind `conflict` names the container that has the name. The answer gives it back. */
  reserveName(name: string, id: string): () => void {
    const owner = this.#names.get(name);
    if (owner !== undefined && owner !== id) {
      throw new HullError(
        `Cannot use the container name "/${name}": it is already in use by container ${owner}; remove or rename that one`,
        { kind: 'conflict' },
      );
    }
    this.#names.set(name, id);
    return () => this.freeName(name, id);
  }

  freeName(name: string, id: string): void {
    if (this.#names.get(name) === id) this.#names.delete(name);
  }

  isNameTaken(name: string): boolean {
    return this.#names.has(name);
  }

  add(container: Container): void {
    this.#names.set(container.name, container.id);
    this.#byId.set(container.id, container);
  }

  remove(container: Container): void {
    this.#byId.delete(container.id);
    for (const [name, id] of this.#names) if (id === container.id) this.#names.delete(name);
  }

  /** Newest first. */
  list(): readonly Container[] {
    return [...this.#byId.values()].toSorted((a, b) => (a.record.createdAt < b.record.createdAt ? 1 : -1));
  }

  find(nameOrId: string): Container | undefined {
    const bare = nameOrId.startsWith('/') ? nameOrId.slice(1) : nameOrId;
    const exact = this.#byId.get(bare) ?? this.#byId.get(this.#names.get(bare) ?? '');
    if (exact || !/^[0-9a-f]+$/.test(bare)) return exact;
    const matches = [...this.#byId.values()].filter(({ id }) => id.startsWith(bare));
    if (matches.length > 1) {
      throw new HullError(
        `Cannot tell which container ${JSON.stringify(bare)} is: ${matches.length} ids start so`,
        {
          kind: 'conflict',
        },
      );
    }
    return matches[0];
  }

  /** Kind `not-found` with the text that Docker's client looks for. */
  get(nameOrId: string): Container {
    const found = this.find(nameOrId);
    if (found) return found;
    throw new HullError(`No such container: ${nameOrId}`, { kind: 'not-found' });
  }
}
