import { HullError } from '../base/errors.ts';

/** One mount as mount(8) is told it. */
export interface VolumeMount {
  /** `none` for a bind mount. */
  readonly type: string;
  readonly device: string;
  /** Words, as in fstab(5). */
  readonly options: readonly string[];
}

/**
 * The local driver's options: `type`, `device` and `o`, each needing the others as in Docker. Undefined where there are none: the volume is a
 * folder. Kinds `invalid`, and `unsupported` for `size`.
 */
export function parseDriverOptions(options: Readonly<Record<string, string>>): VolumeMount | undefined {
  for (const [name, value] of Object.entries(options)) {
    if (name === 'size') {
      throw new HullError(
        `Cannot use the volume option size=${value}: hull has no quota for a volume's folder`,
        {
          kind: 'unsupported',
          hint: 'A tmpfs has a size: type=tmpfs, device=tmpfs, o=size=….',
        },
      );
    }
    if (!(name in needs)) throw invalid(`invalid option: ${JSON.stringify(name)}, wanted type, device or o`);
  }
  for (const name of Object.keys(options)) {
    const missing = needs[name]?.find((other) => options[other] === undefined);
    if (missing) throw invalid(`missing required option: ${JSON.stringify(missing)}`);
  }
  const { type, device, o = '' } = options;
  if (type === undefined || device === undefined) return undefined;
  const words = o.split(',').filter((word) => word !== '');
  const isBind = words.includes('bind') || words.includes('rbind');
  if (isBind && !device.startsWith('/')) {
    throw invalid(`device: found ${JSON.stringify(device)}, wanted an absolute path for a bind mount`);
  }
  if (type === '' || device === '') {
    throw invalid(`${type === '' ? 'type' : 'device'}: found nothing, wanted what mount(8) takes`);
  }
  return { type, device, options: words };
}

const needs: Readonly<Record<string, readonly string[]>> = {
  type: ['device'],
  device: ['type'],
  o: ['type', 'device'],
};

function invalid(reason: string): HullError {
  return new HullError(`Cannot use the volume options: ${reason}`, { kind: 'invalid' });
}
