import type { Container } from './container.ts';
import type { Engine } from './engine.ts';

/** Tells the event listeners what a container did, with the attributes Docker gives. */
export function publishContainer(
  engine: Engine,
  container: Container,
  action: string,
  extra: Readonly<Record<string, string>> = {},
): void {
  const { config, image, name } = container.record;
  engine.events.publish('container', action, container.id, {
    ...config.Labels,
    image: image.reference,
    name,
    ...extra,
  });
}

/** The same of a volume. */
export function publishVolume(
  engine: Engine,
  action: string,
  name: string,
  attributes: Readonly<Record<string, string>>,
): void {
  engine.events.publish('volume', action, name, attributes);
}
