/**
 * Verbs on one container run one after the other, in the order they came.
 *
 * @example
 * using _ = await mutex.acquire();
 */
export class Mutex {
  #tail: Promise<unknown> = Promise.resolve();

  async acquire(): Promise<Disposable> {
    const turn = Promise.withResolvers<void>();
    const before = this.#tail;
    this.#tail = turn.promise;
    await before;
    return { [Symbol.dispose]: () => turn.resolve() };
  }
}
