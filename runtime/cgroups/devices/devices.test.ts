import { describe, expect, test } from 'vitest';
import type { DeviceRule } from '../../base/oci.ts';
import { defaultDeviceRules, deviceList, exceptionText, plainRules } from './device-list.ts';
import { deviceProgram, encodeProgram, type Instruction, programText } from './device-program.ts';
import { deviceWrites, parseDeviceList } from './device-writes.ts';

const denyAll: DeviceRule = { allow: false, access: 'rwm' };
const allowAll: DeviceRule = { allow: true, type: 'a', major: -1, minor: -1 };
const zero: DeviceRule = { allow: true, type: 'c', major: 1, minor: 5, access: 'rw' };

const shown = (rules: readonly DeviceRule[]): string[] => {
  const { otherwise, exceptions } = deviceList(rules);
  return [otherwise, ...exceptions.map(exceptionText)];
};

describe('deviceList', () => {
  test('makes of the default rules what Docker lets a container do', () => {
    expect(shown([denyAll, ...defaultDeviceRules])).toEqual([
      'deny',
      'c *:* m',
      'b *:* m',
      'c 1:3 rwm',
      'c 1:5 rwm',
      'c 1:7 rwm',
      'c 1:8 rwm',
      'c 1:9 rwm',
      'c 5:0 rwm',
      'c 5:1 rwm',
      'c 5:2 rwm',
      'c 136:* rwm',
    ]);
  });

  test.each<[string, DeviceRule[], string[]]>([
    ['no rule denies', [], ['deny']],
    ['everything allowed', [denyAll, allowAll], ['allow']],
    ['what comes before a rule about everything says nothing', [zero, allowAll, denyAll], ['deny']],
    ['the same device twice', [zero, { ...zero, access: 'mr' }], ['deny', 'c 1:5 rwm']],
    ['a part taken back', [zero, { ...zero, allow: false, access: 'w' }], ['deny', 'c 1:5 r']],
    ['taken back by a wider rule', [zero, { allow: false, type: 'c' }], ['deny']],
    ['denied out of everything', [allowAll, { ...zero, allow: false }], ['allow', 'c 1:5 rw']],
    ['both types', [{ allow: true, major: 7, access: 'r' }], ['deny', 'b 7:* r', 'c 7:* r']],
    ['an unbuffered one', [{ allow: true, type: 'u', major: 7 }], ['deny', 'c 7:* rwm']],
    [
      'a denial that meets nothing',
      [denyAll, { allow: false, type: 'c', major: 10, minor: 229 }, zero],
      ['deny', 'c 1:5 rw'],
    ],
  ])('%s', (_, rules, wanted) => {
    expect(shown(rules)).toEqual(wanted);
  });

  test('refuses on v1 what takes a part out of a wider rule', () => {
    expect(() =>
      deviceList([
        { allow: true, type: 'c', access: 'rw' },
        { ...zero, allow: false },
      ]),
    ).toThrow(/"deny c 1:5 rw": it takes a part out of c \*:\* rw/);
  });

  test('refuses rules that are none', () => {
    expect(() => plainRules([{ allow: true, type: 'p', major: 1 }])).toThrow(/found type "p"/);
    expect(() => plainRules([{ allow: true, access: 'rx' }])).toThrow(/found access "rx"/);
  });
});

describe('deviceWrites', () => {
  const writes = (from: string, rules: readonly DeviceRule[]) =>
    deviceWrites(parseDeviceList(from), deviceList(rules)).map(({ file, value }) => `${file} ${value}`);

  test('restricts a new group', () => {
    expect(writes('a *:* rwm', [denyAll, zero])).toEqual(['devices.deny a', 'devices.allow c 1:5 rw']);
  });

  test('allows before it denies, so that what both lists have stays', () => {
    expect(
      writes('c 1:3 rwm\nc 1:5 rwm\nc 136:* rwm\n', [
        zero,
        { allow: true, type: 'c', major: 136 },
        { allow: true, type: 'c', major: 10, minor: 200 },
      ]),
    ).toEqual(['devices.allow c 10:200 rwm', 'devices.deny c 1:3 rwm', 'devices.deny c 1:5 m']);
    expect(writes('c 1:5 rw\n', [zero])).toEqual([]);
  });

  test('opens everything but what is named', () => {
    expect(writes('c 1:5 rw', [allowAll, { ...zero, allow: false }])).toEqual([
      'devices.allow a',
      'devices.deny c 1:5 rw',
    ]);
  });
});

describe('deviceProgram', () => {
  test('as text', () => {
    expect(programText(deviceProgram([denyAll, zero, { allow: false, type: 'b', access: 'w' }]))).toBe(
      `0: r2 = *(u32 *)(r1 + 0)
1: r3 = r2
2: r2 &= 65535
3: r3 >>= 16
4: r4 = *(u32 *)(r1 + 4)
5: r5 = *(u32 *)(r1 + 8)
6: if r2 != 1 goto 12
7: r6 = r3
8: r6 &= 4
9: if r6 == 0 goto 12
10: r0 = 0
11: exit
12: if r2 != 2 goto 19
13: if r4 != 1 goto 19
14: if r5 != 5 goto 19
15: r3 &= 1
16: if r3 != 0 goto 19
17: r0 = 1
18: exit
19: r0 = 0
20: exit`,
    );
    expect(programText(deviceProgram([allowAll]))).toBe('0: r0 = 1\n1: exit');
  });

  test('as the kernel takes it', () => {
    expect(encodeProgram(deviceProgram([denyAll])).toString('hex')).toBe(
      'b700000000000000' + '9500000000000000',
    );
    expect(encodeProgram([{ op: 'jumpIfNot', dst: 3, imm: 2, offset: 7 }]).toString('hex')).toBe(
      '5503070002000000',
    );
    expect(encodeProgram([{ op: 'load', dst: 5, src: 1, offset: 8 }]).toString('hex')).toBe(
      '6115080000000000',
    );
  });

  test('decides every request as the rules do', () => {
    const cases: readonly (readonly DeviceRule[])[] = [
      [denyAll, ...defaultDeviceRules],
      [allowAll, { ...zero, allow: false }, { allow: true, type: 'c', major: 1, access: 'r' }],
      [
        { allow: true, access: 'rw' },
        { allow: false, type: 'b', major: 8 },
        { allow: true, type: 'b', minor: 5, access: 'm' },
      ],
    ];
    for (const rules of cases) {
      const program = deviceProgram(rules);
      for (const type of ['b', 'c'] as const)
        for (const major of [1, 5, 8, 136])
          for (const minor of [0, 3, 5])
            for (let access = 1; access < 8; access++) {
              const request = { type, major, minor, access };
              expect({ ...request, allowed: run(program, request) }).toEqual({
                ...request,
                allowed: allowed(rules, request),
              });
            }
    }
  });
});

interface Request {
  readonly type: 'b' | 'c';
  readonly major: number;
  readonly minor: number;
  readonly access: number;
}

/** Each kind of access by itself: the last rule that names the device and it. */
function allowed(rules: readonly DeviceRule[], { type, major, minor, access }: Request): boolean {
  const names = (rule: DeviceRule, letter: string) =>
    ['a', undefined, type].includes(rule.type) &&
    [undefined, -1, major].includes(rule.major) &&
    [undefined, -1, minor].includes(rule.minor) &&
    (rule.access ?? 'rwm').includes(letter);
  return [...'mrw'].every(
    (letter, bit) =>
      (access & (1 << bit)) === 0 || (rules.findLast((rule) => names(rule, letter))?.allow ?? false),
  );
}

/** A machine for the few instructions that there are. */
function run(program: readonly Instruction[], { type, major, minor, access }: Request): boolean {
  const context = [(access << 16) | (type === 'b' ? 1 : 2), major, minor];
  const registers = new Array<number>(8).fill(0);
  const get = (register: number) => registers[register] ?? 0;
  for (let at = 0; ; at++) {
    const { op, dst = 0, src = 0, offset = 0, imm = 0 } = program[at] ?? { op: 'exit' as const };
    if (op === 'exit') return get(0) === 1;
    if (op === 'load') registers[dst] = context[offset / 4] ?? 0;
    else if (op === 'copy') registers[dst] = get(src);
    else if (op === 'set') registers[dst] = imm;
    else if (op === 'and') registers[dst] = get(dst) & imm;
    else if (op === 'shiftRight') registers[dst] = get(dst) >>> imm;
    else if ((op === 'jumpIf') === (get(dst) === imm)) at += offset;
  }
}
