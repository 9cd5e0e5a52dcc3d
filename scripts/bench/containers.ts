import type Docker from 'dockerode';

/** A container without a network, as the OCI bundles have none. */
export async function createContainer(
  docker: Docker,
  image: string,
  command: readonly string[],
): Promise<Docker.Container> {
  return await docker.createContainer({
    Image: image,
    Cmd: [...command],
    HostConfig: { NetworkMode: 'none' },
  });
}

/** Throws where the container ends otherwise than with 0. */
export async function startAndWait(container: Docker.Container): Promise<void> {
  await container.start();
  const { StatusCode } = await container.wait();
  if (StatusCode !== 0) throw new Error(`Cannot run a container: found exit status ${StatusCode}, wanted 0`);
}
