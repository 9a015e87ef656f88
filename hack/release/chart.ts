// SPDX-License-Identifier: Apache-2.0
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { parse, parseDocument } from 'yaml';
import type { LayerEntry } from './layer.ts';
import { Layout, type Part } from './layout.ts';

const CONFIG = 'application/vnd.cncf.helm.config.v1+json';
const LAYER = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip';

/** A chart that is to be packed. */
export interface ChartOptions {
  /** Where it is. */
  readonly chart: string;
  /** Where the layout is written to. */
  readonly folder: string;
  readonly version: string;
  /** The image that it is to run, where it runs one: by its digest, so that who has verified the chart knows what runs. */
  readonly image?: { readonly repository: string; readonly digest: string };
}

/** Packs a chart as Helm pulls it from a registry. The same files have the same digest, which `helm package` does not promise. */
export async function makeChart({ chart, folder, version, image }: ChartOptions): Promise<Part> {
  const paths = (await readdir(chart, { recursive: true, withFileTypes: true }))
    .filter((one) => one.isFile())
    .map((one) => relative(chart, join(one.parentPath, one.name)));
  const about = versioned(await readFile(join(chart, 'Chart.yaml'), 'utf8'), version);
  const { name, description } = parse(about) as { readonly name: string; readonly description: string };
  const changed = new Map([['Chart.yaml', about]]);
  if (image !== undefined)
    changed.set('values.yaml', pinned(await readFile(join(chart, 'values.yaml'), 'utf8'), image));
  const layout = new Layout(folder);
  const layer = await layout.addLayer(
    paths.map((path): LayerEntry => {
      const text = changed.get(path);
      return text === undefined
        ? { kind: 'file', path: `${name}/${path}`, from: join(chart, path) }
        : { kind: 'bytes', path: `${name}/${path}`, bytes: Buffer.from(text) };
    }),
  );
  const config = await layout.addJson(CONFIG, parse(about) as object);
  return layout.finish(version, {
    config,
    layers: [{ mediaType: LAYER, digest: layer.digest, size: layer.size }],
    annotations: {
      'org.opencontainers.image.title': name,
      'org.opencontainers.image.description': description,
      'org.opencontainers.image.version': version,
    },
  });
}

const AS_WRITTEN = { lineWidth: 0, flowCollectionPadding: false } as const;

/** A Chart.yaml with another version, as it was written otherwise. */
export function versioned(text: string, version: string): string {
  const document = parseDocument(text);
  document.set('version', version);
  document.set('appVersion', version);
  return document.toString(AS_WRITTEN);
}

/** Values with the image by its digest, as they were written otherwise. */
export function pinned(
  text: string,
  { repository, digest }: { readonly repository: string; readonly digest: string },
): string {
  const document = parseDocument(text);
  document.setIn(['operator', 'image', 'repository'], repository);
  document.setIn(['operator', 'image', 'digest'], digest);
  return document.toString(AS_WRITTEN);
}
