import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it, onTestFinished } from 'vitest';

const api = new URL('./scenario.ts', import.meta.url).href;
const collector = new URL('./collect-scenarios.ts', import.meta.url).href;

/** In a process of its own, as the plan is made: outside of any vitest worker. */
async function collect(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'collect-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const [name, body] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), `import { scenario } from ${JSON.stringify(api)};\n${body}`);
  }
  const program = `
    import { collectScenarios } from ${JSON.stringify(collector)};
    const found = await collectScenarios(${JSON.stringify(folder)});
    for (const { area, scenario, dependsOnDriver } of found) console.log(area + '/' + scenario + ' ' + dependsOnDriver);`;
  const { all } = await execa(process.execPath, ['--input-type=module', '--eval', program], {
    all: true,
    reject: false,
  });
  return all;
}

it('finds areas and scenarios in their order without running any', async () => {
  const text = await collect({
    'b/two.scenario.ts': `scenario('Only (one)', { dependsOnDriver: false }, async () => { throw new Error('ran'); });`,
    'a/two.scenario.ts': `scenario('z', { dependsOnDriver: true }, async () => {});`,
    'a/one.scenario.ts': `for (const n of [1, 2]) scenario('row ' + n, { dependsOnDriver: true }, async () => {});`,
    'a/helper.ts': `throw new Error('a helper is not read');`,
  });
  expect(text.split('\n')).toEqual(['a/row-1 true', 'a/row-2 true', 'a/z true', 'b/only-one false']);
});

it('refuses two scenarios of one name in an area', async () => {
  const text = await collect({
    'a/one.scenario.ts': `scenario('Same', { dependsOnDriver: true }, async () => {});`,
    'a/two.scenario.ts': `scenario('same!', { dependsOnDriver: true }, async () => {});`,
  });
  expect(text).toMatch(
    /Cannot record scenario a\/same of .*a\/two.scenario.ts: .*a\/one.scenario.ts has one of that name/,
  );
});
