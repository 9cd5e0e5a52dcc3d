/** What a build tells its client: Docker's JSON stream, one object a line. */
export class BuildOutput {
  readonly #write: (line: object) => void;
  readonly #isQuiet: boolean;
  readonly #held: object[] = [];

  /** Quietly: lines are kept, and only told where the build fails. */
  constructor(write: (line: object) => void, { quiet }: { readonly quiet: boolean }) {
    this.#write = write;
    this.#isQuiet = quiet;
  }

  line(line: object): void {
    if (this.#isQuiet) this.#held.push(line);
    else this.#write(line);
  }

  text(stream: string): void {
    this.line({ stream });
  }

  /** In red, as Docker shows what comes from standard error. */
  errorText(text: string): void {
    this.text(`\u001b[91m${text}\u001b[0m`);
  }

  /** Told in any case: the result of a quiet build. */
  result(stream: string): void {
    this.#write({ stream });
  }

  /** The build has failed: what was kept is told now. */
  release(): void {
    for (const line of this.#held.splice(0)) this.#write(line);
  }
}
