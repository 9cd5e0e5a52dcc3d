/** Known without an ARG, and not part of the cache or the history unless one names them. */
const predefined: ReadonlySet<string> = new Set(
  ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [
    name,
    name.toLowerCase(),
  ]),
);

type Values = ReadonlyMap<string, string | undefined>;

/**
 * Build arguments. The client's values count where an ARG lets them in: one before the first FROM for the FROMs, one in a stage from there on
 * to the stage's end. A stage's ARG without a default takes that of a global one.
 */
export class BuildArguments {
  readonly #given: Values;
  readonly #global: Map<string, string | undefined>;
  readonly #used: Set<string>;
  readonly #stage = new Map<string, string | undefined>();

  /** A value of undefined (the API's null) is as good as none. */
  constructor(given: Values, global: Values = new Map(), used: Set<string> = new Set()) {
    this.#given = given;
    this.#global = new Map(global);
    this.#used = used;
  }

  /** For a new stage, which has no ARG yet. */
  forStage(): BuildArguments {
    return new BuildArguments(this.#given, this.#global, this.#used);
  }

  defineGlobal(name: string, value: string | undefined): void {
    this.#global.set(name, value);
    this.#used.add(name);
  }

  define(name: string, value: string | undefined): void {
    this.#stage.set(name, value);
    this.#used.add(name);
  }

  globalValue(name: string): string | undefined {
    return this.#global.has(name) || predefined.has(name)
      ? (this.#given.get(name) ?? this.#global.get(name))
      : undefined;
  }

  value(name: string): string | undefined {
    if (!this.#stage.has(name) && !predefined.has(name)) return undefined;
    return this.#given.get(name) ?? this.#stage.get(name) ?? this.#global.get(name);
  }

  /** All that have a value and are not among the variables already, `name=value`. */
  environment(variables: readonly string[]): readonly string[] {
    const taken = new Set(variables.map((entry) => entry.split('=', 1)[0]));
    const names = new Set([...this.#stage.keys(), ...predefined]);
    return [...names].flatMap((name) => {
      const value = this.value(name);
      return value === undefined || taken.has(name) ? [] : [`${name}=${value}`];
    });
  }

  /** Those of them that the history tells, and that the cache depends on. */
  telling(environment: readonly string[]): readonly string[] {
    const name = (entry: string) => entry.split('=', 1)[0] ?? '';
    return environment
      .filter((entry) => this.#stage.has(name(entry)) || !predefined.has(name(entry)))
      .toSorted();
  }

  /** Given, and let in by no ARG anywhere. */
  unused(): readonly string[] {
    return [...this.#given.keys()].filter((name) => !this.#used.has(name) && !predefined.has(name));
  }
}
