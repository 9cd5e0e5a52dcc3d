import { expect, it } from 'vitest';
import { deviceMapper, probeDeviceMapper } from './device-mapper.ts';
import { probeText } from './probe.ts';

const unless = process.getuid?.() === 0 ? probeText(await probeDeviceMapper(['linear'])) : 'needs root';
const title = 'a table that the kernel refuses tells why, and leaves no device';

it.skipIf(Boolean(unless))(unless ? `${title} (skipped: ${unless})` : title, () => {
  const name = `hull-refused-${process.pid}`;
  const wrong = { start: 0n, length: 8n, type: 'linear', params: 'one-word' };
  expect(() => deviceMapper.create(name, name.toUpperCase(), [wrong])).toThrow(
    expect.objectContaining({ code: 'EINVAL', message: expect.stringContaining('as linear') }),
  );
  expect(deviceMapper.info(name)).toBeUndefined();
});
