import type { Seccomp } from '../base/oci-seccomp.ts';
import { type SeccompFilter, seccompFilter } from '../kernel/seccomp-filter.ts';
import { compileContainer } from './compile-container.ts';
import { compileExec } from './compile-exec.ts';
import type { Program } from './program.ts';
import {
  blank,
  fitsBlank,
  hasBlanks,
  type PreparedProgram,
  ProgramCache,
  prepareProgram,
} from './program-cache.ts';
import type { ExecRequest, LaunchRequest } from './types.ts';

/** The daemon's programs of earlier starts. What is a container's own in a request (its id, paths of its layer) is blank in what is kept. */
export class KeptPrograms {
  readonly #programs = new ProgramCache();
  /** A policy is long, and the same for most containers: its number stands for it. */
  readonly #numbers = new WeakMap<SeccompFilter, number>();
  #policies = 0;

  forContainer(request: LaunchRequest): PreparedProgram {
    const { spec, ...others } = request;
    const { seccomp, ...linux } = spec.linux;
    const withPolicy = (general: LaunchRequest): LaunchRequest => ({
      ...general,
      spec: { ...general.spec, linux: { ...general.spec.linux, ...(seccomp && { seccomp }) } },
    });
    const plain: LaunchRequest = { ...others, spec: { ...spec, linux } };
    return this.#prepare(plain, seccomp, ownWords(request), (general) =>
      compileContainer(withPolicy(general)),
    );
  }

  /** The target is a descriptor to the program: the same command in another container is the same program. */
  forExec({ target, seccomp, ...others }: ExecRequest): PreparedProgram {
    const { path } = others.cgroup;
    return this.#prepare(others, seccomp, path === undefined ? [] : [path], (general) =>
      compileExec({ ...general, target, ...(seccomp && { seccomp }) }),
    );
  }

  /** @param words of the request, longer ones before those that they have in them */
  #prepare<Request>(
    request: Request,
    seccomp: Seccomp | undefined,
    words: readonly string[],
    compile: (general: Request) => Program,
  ): PreparedProgram {
    let text = JSON.stringify(request);
    if (hasBlanks(text) || !words.every(fitsBlank)) return prepareProgram(compile(request));
    const blanks = new Map(words.map((word, index) => [blank(index, Buffer.byteLength(word)), word]));
    for (const [stand, word] of blanks) text = text.replaceAll(JSON.stringify(word).slice(1, -1), stand);
    const policy = seccomp ? this.#numberOf(seccompFilter(seccomp)) : 0;
    return (
      this.#programs.prepare(`${policy} ${text}`, blanks, () => compile(JSON.parse(text))) ??
      prepareProgram(compile(request))
    );
  }

  #numberOf(filter: SeccompFilter): number {
    const number = this.#numbers.get(filter) ?? ++this.#policies;
    this.#numbers.set(filter, number);
    return number;
  }
}

export const keptPrograms = new KeptPrograms();

function ownWords({ id, rootMounts }: LaunchRequest): readonly string[] {
  const folders = rootMounts.flatMap(({ options }) =>
    options.filter((word) => /^(upper|work)dir=/.test(word)),
  );
  // A container that nobody named has the beginning of its id as its host name.
  return [...folders, id, id.slice(0, 12)];
}
