import { DockerfileProblem } from './problem.ts';

export type Escape = '\\' | '`';

/**
 * The parser directives at the top of a Dockerfile, `# name=value`: they end with the first line that is none. `escape` counts;
 * `syntax` and `check` are BuildKit's and change nothing here, as in Docker's classic builder.
 */
export class Directives {
  #escapeMark: Escape = '\\';
  #over = false;
  readonly #seen = new Set<string>();

  get escapeMark(): Escape {
    return this.#escapeMark;
  }

  /** Takes the next line; answers whether it was a directive. */
  take(line: string): boolean {
    if (this.#over) return false;
    const [, name, value = ''] = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/.exec(line) ?? [];
    const key = name?.toLowerCase();
    if (key !== 'escape' && key !== 'syntax' && key !== 'check') {
      this.#over = true;
      return false;
    }
    if (this.#seen.has(key)) throw new DockerfileProblem(`only one ${key} parser directive can be used`);
    this.#seen.add(key);
    if (key !== 'escape') return true;
    if (value !== '\\' && value !== '`') {
      throw new DockerfileProblem(`invalid ESCAPE '${value}'. Must be \` or \\`);
    }
    this.#escapeMark = value;
    return true;
  }
}
