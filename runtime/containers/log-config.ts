import { HullError } from '../base/errors.ts';

/**
 * HostConfig.LogConfig of a create request. Output goes to one file a container, for `docker logs`, which is what Docker's own
 * json-file and local promise; with any other driver the user would look for it in vain. Answers the warnings.
 */
export function checkLogConfig(body: unknown): readonly string[] {
  const { Type: type = '', Config: options = {} } = Object(Object(Object(body).HostConfig).LogConfig);
  if (!drivers.includes(type ?? '')) {
    throw new HullError(
      `Cannot create a container: HostConfig.LogConfig.Type ${JSON.stringify(type)} is not supported by hull: wanted json-file or local (output is kept for "docker logs")`,
      { kind: 'unsupported' },
    );
  }
  const unused = Object.keys(Object(options));
  return unused.length === 0
    ? []
    : [`hull has no options for logs: ${unused.join(', ')} of HostConfig.LogConfig.Config is not used`];
}

/** `hull` is what inspect says of all containers, so it may come back in a request made from that. */
const drivers: readonly unknown[] = ['', 'hull', 'json-file', 'local'];
