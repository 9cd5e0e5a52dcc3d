import { createHash } from 'node:crypto';

/** Names of one storage's devices. All begin with `hull-<8 hex of its folder>-`, so another's are never touched. */
export class DeviceNames {
  readonly #prefix: string;

  constructor(home: string) {
    this.#prefix = `hull-${digest(home).slice(0, 8)}`;
  }

  get pool(): string {
    return `${this.#prefix}-pool`;
  }

  get base(): string {
    return `${this.#prefix}-base`;
  }

  layer({ id }: { readonly id: string }): string {
    // Names have at most 127 characters; a long id is cut and told apart by a digest of the whole.
    const short = id.length <= 64 ? id : `${id.slice(0, 40)}.${digest(id).slice(0, 16)}`;
    return `${this.#prefix}-layer-${short}`;
  }

  isOurs(name: string): boolean {
    return name.startsWith(`${this.#prefix}-`);
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
