/**
 * One at a time for each key, in the order they came; different keys run side by side.
 *
 * @example
 * using _ = await turns.take(id);
 */
export class KeyedMutex {
  readonly #tails = new Map<string, Promise<void>>();

  async take(key: string): Promise<Disposable> {
    const before = this.#tails.get(key);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#tails.set(key, promise);
    await before;
    return {
      [Symbol.dispose]: () => {
        if (this.#tails.get(key) === promise) this.#tails.delete(key);
        resolve();
      },
    };
  }
}
