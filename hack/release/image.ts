// SPDX-License-Identifier: Apache-2.0
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleRoles } from '../build/bundle.ts';
import { ensureTools } from '../tools/build.ts';
import { imageSettings } from './image-settings.ts';
import type { LayerEntry } from './layer.ts';
import { Layout, type Part } from './layout.ts';
import { librariesOf, type Library } from './libraries.ts';
import type { Source } from './source.ts';

const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** What the image is made of, beside our own files. */
export interface ImageContent {
  /** The pinned Node, and the compiler of Rego. */
  readonly node: string;
  readonly opa: string;
  readonly libraries: readonly Library[];
}

/** What is there to make the image of. */
export async function imageContent(root: string): Promise<ImageContent> {
  const node = join(root, 'node_modules/node/bin/node');
  const { opa } = await ensureTools(['opa']);
  return { node, opa, libraries: await librariesOf(node) };
}

/** What an image is made with. */
export interface ImageOptions {
  readonly root: string;
  readonly source: Source;
  readonly content: ImageContent;
  /** Where the layout is written to. */
  readonly folder: string;
  /** For what is in between. */
  readonly scratch: string;
}

/** Makes the image, of nothing but what the repository pins and the C library of this machine. The same content has the same digest. */
export async function makeImage({ root, source, content, folder, scratch }: ImageOptions): Promise<Part> {
  const dist = join(scratch, 'dist');
  await bundleRoles(dist);
  const layout = new Layout(folder);
  const layers = [];
  // What changes least is below.
  for (const entries of [runtimeEntries(content), compilerEntries(content), await roleEntries(dist)])
    layers.push(await layout.addLayer(entries));
  const config = await layout.addJson(CONFIG, {
    created: source.time.toISOString(),
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    os: 'linux',
    config: {
      ...imageSettings(await readFile(join(root, 'Dockerfile'), 'utf8')),
      Labels: labelsOf(source),
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
  });
  return layout.finish(source.version, {
    config,
    layers: layers.map(({ digest, size }) => ({ mediaType: LAYER, digest, size })),
    annotations: labelsOf(source),
  });
}

function labelsOf({ repository, commit, version }: Source): Readonly<Record<string, string>> {
  return {
    'org.opencontainers.image.title': 'nexusos',
    'org.opencontainers.image.version': version,
    'org.opencontainers.image.source': repository,
    'org.opencontainers.image.revision': commit,
    'org.opencontainers.image.licenses': 'Apache-2.0',
  };
}

function runtimeEntries({ node, libraries }: ImageContent): readonly LayerEntry[] {
  return [
    { kind: 'folder', path: 'tmp', mode: 0o1777 },
    { kind: 'bytes', path: 'etc/passwd', bytes: Buffer.from('nexusos:x:65532:65532::/app:/sbin/nologin\n') },
    { kind: 'bytes', path: 'etc/group', bytes: Buffer.from('nexusos:x:65532:\n') },
    { kind: 'bytes', path: 'etc/nsswitch.conf', bytes: Buffer.from('hosts: files dns\n') },
    ...libraries.map(({ path, from }) => ({ kind: 'file' as const, path, from, mode: 0o755 })),
    { kind: 'file', path: 'usr/local/bin/node', from: node, mode: 0o755 },
  ];
}

function compilerEntries({ opa }: ImageContent): readonly LayerEntry[] {
  return [{ kind: 'file', path: 'usr/local/bin/opa', from: opa, mode: 0o755 }];
}

async function roleEntries(dist: string): Promise<readonly LayerEntry[]> {
  const names = (await readdir(dist)).filter((name) => name.endsWith('.mjs'));
  return names.map((name) => ({ kind: 'file', path: `app/${name}`, from: join(dist, name) }));
}
