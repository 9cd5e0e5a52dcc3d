import { appendFile, cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { bundleHull, type HullBundle, hullProgram } from './bundle-hull.ts';

const projectDir = new URL('../..', import.meta.url).pathname;
const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
let bundle: HullBundle;

beforeAll(async () => {
  bundle = await bundleHull(projectDir, arch);
});

/** Far from the checkout, where a missing file cannot be found by accident. */
async function unpack(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bundle-hull-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await execa('tar', ['-x', '-C', folder], { input: bundle.tar });
  return folder;
}

it('runs where only Node is, with koffi', async () => {
  const folder = await unpack();
  const { stdout } = await execa(process.execPath, [join(folder, hullProgram), '--help'], {
    cwd: '/',
    env: {},
  });
  expect(stdout).toContain('daemon');
  const { stdout: files } = await execa('find', ['.', '-type', 'f'], { cwd: folder });
  expect(files.split('\n')).toEqual(
    expect.arrayContaining([`./build/koffi/linux_${arch}/koffi.node`, `./${hullProgram}`]),
  );
});

it('does not load what hull does not use: undici comes with a plain import of node:http', async () => {
  const folder = await unpack();
  const check = join(folder, 'check.cjs');
  await writeFile(
    check,
    `process.argv[2] = '--help'; process.on('exit', () => console.error(process.moduleLoadList.filter((m) => m.includes('undici')).length));
     require('./${hullProgram}');`,
  );
  const { stderr } = await execa(process.execPath, [check]);
  expect(stderr.trim()).toBe('0');
});

it('has the same hash for the same tree, another for another', async () => {
  expect((await bundleHull(projectDir, arch)).hash).toBe(bundle.hash);
  const folder = await mkdtemp(join(tmpdir(), 'bundle-hull-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await cp(join(projectDir, 'runtime'), join(folder, 'runtime'), { recursive: true });
  await appendFile(join(folder, 'runtime/cli/main.ts'), 'console.log(1);');
  await writeFile(join(folder, 'package.json'), '{}');
  await execa('ln', ['-s', join(projectDir, 'node_modules'), join(folder, 'node_modules')]);
  expect((await bundleHull(folder, arch)).hash).not.toBe(bundle.hash);
});
