// SPDX-License-Identifier: Apache-2.0

/** What a container is started with. */
export interface ImageSettings {
  readonly User: string;
  readonly WorkingDir: string;
  readonly Env: readonly string[];
  readonly ExposedPorts: Readonly<Record<string, object>>;
  readonly Entrypoint: readonly string[];
}

const PATH = 'PATH=/usr/local/bin:/usr/bin:/bin';

/** What the last stage of a Dockerfile says of how its image is started: the image is the same, whoever builds it. */
export function imageSettings(dockerfile: string): ImageSettings {
  const stage = dockerfile.split(/^FROM /m).at(-1) ?? '';
  const said = (word: string): readonly string[] =>
    [...stage.matchAll(new RegExp(`^${word} (.+)$`, 'gm'))].map(([, rest = '']) => rest.trim());
  const [user, folder, entrypoint] = ['USER', 'WORKDIR', 'ENTRYPOINT'].map((word) => said(word).at(-1));
  if (user === undefined || folder === undefined || entrypoint === undefined)
    throw new Error('the last stage of Dockerfile needs USER, WORKDIR and ENTRYPOINT');
  return {
    User: user,
    WorkingDir: folder,
    Env: [PATH, ...said('ENV')],
    ExposedPorts: Object.fromEntries(
      said('EXPOSE').flatMap((ports) => ports.split(/\s+/).map((port) => [`${port}/tcp`, {}] as const)),
    ),
    Entrypoint: JSON.parse(entrypoint) as readonly string[],
  };
}
