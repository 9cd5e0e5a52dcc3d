import { describe, expect, it } from 'vitest';
import { BuildArguments } from './build-arguments.ts';

const given = new Map<string, string | undefined>([
  ['v', 'given'],
  ['null', undefined],
  ['HTTP_PROXY', 'proxy'],
  ['typo', '1'],
]);

describe('build arguments', () => {
  it('count in a stage from their ARG on, and not in the next', () => {
    const first = new BuildArguments(given).forStage();
    expect(first.value('v')).toBeUndefined();
    first.define('v', 'default');
    expect(first.value('v')).toBe('given');
    expect(first.forStage().value('v')).toBeUndefined();
  });

  it.each<[string, string | undefined, string | undefined, string | undefined]>([
    // name, global default, the stage's own default, what it is
    ['v', undefined, undefined, 'given'],
    ['a', 'global', undefined, 'global'],
    ['a', 'global', 'own', 'own'],
    ['a', undefined, undefined, undefined],
    ['null', undefined, 'own', 'own'],
  ])('%s with a global %s and a default %s is %s', (name, global, own, value) => {
    const all = new BuildArguments(given);
    all.defineGlobal(name, global);
    const stage = all.forStage();
    stage.define(name, own);
    expect(stage.value(name)).toBe(value);
  });

  it('of proxies reach RUN without an ARG, and are told only with one', () => {
    const stage = new BuildArguments(given).forStage();
    stage.define('v', undefined);
    expect(stage.environment([])).toEqual(['v=given', 'HTTP_PROXY=proxy']);
    expect(stage.telling(stage.environment([]))).toEqual(['v=given']);
    stage.define('HTTP_PROXY', undefined);
    expect(stage.telling(stage.environment([]))).toEqual(['HTTP_PROXY=proxy', 'v=given']);
  });

  it('give way to variables of the same name', () => {
    const stage = new BuildArguments(given).forStage();
    stage.define('v', undefined);
    expect(stage.environment(['v=env', 'HTTP_PROXY='])).toEqual([]);
  });

  it('that no ARG lets in are named', () => {
    const all = new BuildArguments(given);
    all.forStage().define('v', undefined);
    expect(all.unused()).toEqual(['null', 'typo']);
  });
});
