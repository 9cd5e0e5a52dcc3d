import { describe, expect, it } from 'vitest';
import { parseDockerfile } from './parse-dockerfile.ts';

const argsOf = (text: string): unknown => parseDockerfile(`FROM a\n${text}`).stages[0]?.steps[0]?.args;
const sourcesOf = (text: string): readonly string[] =>
  parseDockerfile(text).stages.flatMap(({ source, steps }) => [source, ...steps.map((step) => step.source)]);

describe('an instruction is read', () => {
  it.each<[string, unknown]>([
    [
      'ENV a=b c="d e" f=g\\ h',
      [
        ['a', 'b'],
        ['c', '"d e"'],
        ['f', 'g\\ h'],
      ],
    ],
    ['ENV a b  c', [['a', 'b  c']]],
    ['LABEL "a b"=c', [['"a b"', 'c']]],
    ['ARG a', [{ name: 'a', value: undefined }]],
    [
      'ARG a=b c',
      [
        { name: 'a', value: 'b' },
        { name: 'c', value: undefined },
      ],
    ],
    ['RUN echo "a"  b', { words: ['echo "a"  b'], isShell: true }],
    ['RUN ["echo", "a b"]', { words: ['echo', 'a b'], isShell: false }],
    ["RUN ['echo']", { words: ["['echo']"], isShell: true }],
    ['RUN [ -e /a ] || b', { words: ['[ -e /a ] || b'], isShell: true }],
    ['CMD []', { words: [], isShell: false }],
    ['CMD', { words: [], isShell: true }],
    ['EXPOSE 80 443/udp', ['443/udp', '80']],
    ['VOLUME /a /b', ['/a', '/b']],
    ['VOLUME ["/a b"]', ['/a b']],
    ['SHELL ["bash", "-c"]', ['bash', '-c']],
    ['USER a:b', 'a:b'],
    ['ONBUILD RUN a   b', 'RUN a   b'],
    ['HEALTHCHECK NONE', { Test: ['NONE'] }],
    ['HEALTHCHECK CMD true x', { Test: ['CMD-SHELL', 'true x'] }],
    [
      'HEALTHCHECK --start-period=1m --start-interval=2s CMD true',
      { Test: ['CMD-SHELL', 'true'], StartPeriod: 60e9, StartInterval: 2e9 },
    ],
    [
      'HEALTHCHECK --interval=1m30s --timeout=500ms --retries=3 CMD ["true"]',
      { Test: ['CMD', 'true'], Interval: 90e9, Timeout: 5e8, Retries: 3 },
    ],
    [
      'COPY --from=b --chown=1:2 --chmod=755 a b /c/',
      {
        instruction: 'COPY',
        sources: ['a', 'b'],
        destination: '/c/',
        contents: [],
        from: 'b',
        chown: '1:2',
        chmod: '755',
      },
    ],
    [
      'ADD ["a b", "/c"]',
      {
        instruction: 'ADD',
        sources: ['a b'],
        destination: '/c',
        contents: [],
        from: undefined,
        chown: '',
        chmod: '',
      },
    ],
    [
      'COPY <<EOF /etc/motd\nahoy $x\nEOF',
      {
        instruction: 'COPY',
        sources: [],
        destination: '/etc/motd',
        contents: [{ name: 'EOF', content: 'ahoy $x\n', expands: true }],
        from: undefined,
        chown: '',
        chmod: '',
      },
    ],
    ['RUN <<EOF\na\nb\nEOF', { words: ['a\nb\n'], isShell: true }],
    ["RUN <<-'EOF'\n\ta\n\tEOF", { words: ['a\n'], isShell: true }],
    ['RUN cat <<A > /x\n1\nA', { words: ['cat <<A > /x\n1\nA'], isShell: true }],
    ['RUN echo "<<EOF"', { words: ['echo "<<EOF"'], isShell: true }],
    ['RUN cat <<<EOF', { words: ['cat <<<EOF'], isShell: true }],
  ])('%s', (text, args) => {
    expect(argsOf(text)).toEqual(args);
  });
});

describe('a Dockerfile that is wrong is refused with the line', () => {
  it.each([
    ['', 'file with no instructions'],
    ['# only a comment\n', 'file with no instructions'],
    ['FROM a\n\nFOO bar', 'dockerfile parse error on line 3: unknown instruction: FOO'],
    ['RUN a', 'on line 1: no build stage in current context'],
    ['FROM a b', 'on line 1: FROM requires either one or three arguments'],
    ['FROM a AS 1b', 'on line 1: invalid name for build stage: "1b", name can\'t start with a number'],
    ['FROM --x=y a', 'on line 1: unknown flag: --x: FROM takes --platform'],
    ['FROM a\nRUN --mount=type=cache a', 'on line 2: the --mount option requires BuildKit'],
    ['FROM a\nRUN', 'on line 2: RUN requires at least one argument'],
    ['FROM a\nCOPY a', 'on line 2: COPY requires at least two arguments, but only 1 was provided.'],
    ['FROM a\nCOPY --from a b', 'on line 2: missing a value on flag: --from'],
    ['FROM a\nCOPY --chown=1 --chown=2 a b', 'on line 2: duplicate flag specified: --chown'],
    ['FROM a\nENV a', 'on line 2: ENV must have two arguments'],
    ['FROM a\nENV a=b c', 'on line 2: Syntax error - can\'t find = in "c"'],
    ['FROM a\nENV =b', 'on line 2: ENV names can not be blank'],
    ['FROM a\nSHELL bash', 'on line 2: SHELL requires the arguments to be in JSON form'],
    [
      'FROM a\nCMD ["a", 1]',
      'on line 2: when using JSON array syntax, arrays must be comprised of strings only',
    ],
    ['FROM a\nONBUILD ONBUILD RUN a', 'on line 2: Chaining ONBUILD'],
    ['FROM a\nONBUILD FROM b', "on line 2: FROM isn't allowed as an ONBUILD trigger"],
    ['FROM a\nHEALTHCHECK SOMETIMES', 'on line 2: Unknown type "SOMETIMES" in HEALTHCHECK (try CMD)'],
    ['FROM a\nHEALTHCHECK --retries=0 CMD a', 'on line 2: --retries must be at least 1 (not 0)'],
    ['FROM a\nHEALTHCHECK --interval=soon CMD a', 'on line 2: time: invalid duration "soon" in --interval'],
    ['FROM a\nHEALTHCHECK --interval=1us CMD a', 'on line 2: Interval "interval" cannot be less than 1ms'],
    ['FROM a\nRUN <<EOF\na', 'on line 2: unterminated heredoc'],
    [
      'FROM a\nRUN <<EOF\n#!/bin/python\nEOF',
      'on line 2: RUN <<EOF with a first line "#!/bin/python" requires BuildKit',
    ],
    ['# escape=x\nFROM a', "on line 1: invalid ESCAPE 'x'"],
    ['# escape=`\n# escape=`\nFROM a', 'on line 2: only one escape parser directive can be used'],
    ['FROM a\nVOLUME ["/a", ""]', 'on line 2: VOLUME specified can not be an empty string'],
  ])('%j: %s', (text, message) => {
    expect(() => parseDockerfile(text)).toThrow(message);
  });
});

describe('lines are put together', () => {
  it.each<[string, readonly string[]]>([
    ['FROM a\nRUN b \\\n  && c\n', ['FROM a', 'RUN b   && c']],
    ['FROM a\nRUN b \\\n# why\n  c', ['FROM a', 'RUN b   c']],
    ['FROM a\nRUN b \\\n\n  c', ['FROM a', 'RUN b   c']],
    ['FROM a\nRUN b \\  \nc', ['FROM a', 'RUN b c']],
    ['FROM a\nRUN b \\\\\nRUN c', ['FROM a', 'RUN b \\\\', 'RUN c']],
    ['\uFEFFFROM a\r\n  run b\r\n', ['FROM a', 'run b']],
    ['# escape=`\nFROM a\nRUN b `\nc', ['FROM a', 'RUN b c']],
    ['# a comment\n# escape=`\nFROM a\nRUN b `\nRUN c', ['FROM a', 'RUN b `', 'RUN c']],
    ['# syntax=docker/dockerfile:1\nFROM a', ['FROM a']],
    ['FROM a\nRUN b \\', ['FROM a', 'RUN b']],
  ])('%j', (text, sources) => {
    expect(sourcesOf(text)).toEqual(sources);
  });

  it('warns of empty ones', () => {
    expect(parseDockerfile('FROM a\nRUN b \\\n\n c').warnings).toEqual([
      '[WARNING]: Empty continuation line found in:\n    RUN b  c',
      '[WARNING]: Empty continuation lines will become errors in a future release.',
    ]);
  });

  it('tells stages, and arguments before them', () => {
    const { globalArguments, stages } = parseDockerfile('ARG v=1\nFROM a:$v AS Base\nRUN b\nFROM base');
    expect(globalArguments.map(({ args }) => args)).toEqual([[{ name: 'v', value: '1' }]]);
    expect(stages.map(({ base, name, steps }) => [base, name, steps.length])).toEqual([
      ['a:$v', 'base', 1],
      ['base', '', 0],
    ]);
  });

  it('reads any bytes without falling over', () => {
    const words = [
      'FROM',
      'a',
      'RUN',
      '\\',
      '\n',
      '<<E',
      '"',
      "'",
      '$',
      '{',
      '}',
      '[',
      ']',
      '--',
      '=',
      '#',
      '\t',
      ' ',
      '`',
    ];
    for (let seed = 1; seed < 3000; seed++) {
      let state = seed;
      const next = () => {
        state = (state * 1103515245 + 12345) % 2147483648;
        return state;
      };
      const text = Array.from({ length: 12 }, () => words[next() % words.length]).join('');
      try {
        parseDockerfile(text);
      } catch (error) {
        expect(error, text).toMatchObject({ kind: 'invalid' });
      }
    }
  });
});
