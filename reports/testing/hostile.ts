import type { Results } from '../schema.ts';

/** What tries to get out of HTML, attributes, scripts, Markdown, XML, JSON and terminals. */
export const hostile = [
  '<script>window.pwned = 1</script>',
  '"><img src=x onerror="window.pwned = 1">',
  "'><svg onload='window.pwned = 1'>",
  '</script><script>window.pwned = 1</script>',
  '</title></textarea></style></pre></details><b id="pwned">',
  '<img src="http://pwned.invalid/beacon.png">',
  '<!-- --> ]]> <![CDATA[ &lt; &amp; &#60;script&#62;',
  '| a | b |\n| --- | --- |\n```\n# heading <h1 id="pwned">\n[link](javascript:pwned)',
  'control \u0000\u0001\u0008\u000b\u001f\u007f\u0085 and \u001b[31mred\u001b[0m \u001b]0;title\u0007 end',
  'turned \u202e around, lone \ud800 surrogate, \ufffe and \uffff, 你好 and 🚢',
  'carriage\rreturn\r\nand ` backtick $1 $& {{pwned}} \\ back',
].join(' ~ ');

/** Hostile text in every field that comes from a host, a scenario or a configuration. */
export const hostileResults: Results = {
  version: 1,
  runId: hostile,
  startedAt: '2026-01-31T12:00:00Z',
  durationMs: 1_000,
  command: hostile,
  commit: hostile,
  hosts: [
    {
      name: `host ${hostile}`,
      kernel: hostile,
      distribution: hostile,
      cgroups: hostile,
      arch: hostile,
      accelerator: hostile,
      phases: [{ name: hostile, durationMs: 10 }],
      broken: { what: hostile, message: hostile, console: hostile },
    },
  ],
  results: (['pass', 'fail', 'skip', 'flaky', 'infra', 'missing'] as const).map((outcome) => ({
    host: `host ${hostile}`,
    kernel: hostile,
    engine: `engine ${hostile}`,
    driver: `driver ${hostile}`,
    area: `area ${hostile}`,
    scenario: `${outcome} ${hostile}`,
    outcome,
    durationMs: 5,
    required: true,
    ...(outcome !== 'pass' && { reason: `${outcome} ${hostile}` }),
    ...(outcome === 'flaky' && { attempts: { passed: 1, total: 2 } }),
    evidence: {
      step: hostile,
      errno: hostile,
      holders: [hostile],
      leaks: [{ kind: hostile, what: hostile, owner: hostile }],
      detail: hostile,
      daemonLog: 'evidence/daemon.log',
      console: 'evidence/javascript:window.pwned=1',
      mountinfo: 'evidence/not there <b>',
      rerun: `npm run scenarios -- ${hostile}`,
    },
  })),
};

/** What may not reach a terminal or a document: control characters but for tab and line feed, and turners of the writing. */
export function controlCharacters(text: string): readonly string[] {
  const isControl = (code: number) =>
    (code < 32 && code !== 9 && code !== 10) || (code >= 127 && code < 160) || code === 0x202e;
  return [...text]
    .filter((character) => isControl(character.codePointAt(0) ?? 0))
    .map((character) => JSON.stringify(character));
}
