// SPDX-License-Identifier: Apache-2.0
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOfBytes } from '#operator/core/oci/digest';
import { MEDIA_TYPES } from '#operator/core/oci/manifest';
import { type Layer, type LayerEntry, writeLayer } from './layer.ts';

/** What a manifest says of a part of it. */
export interface Part {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** What a layout is of, beside its layers. */
export interface ManifestParts {
  readonly config: Part;
  readonly layers: readonly Part[];
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The configuration of what has none. */
const EMPTY = Buffer.from('{}');

/** A folder with one image or artifact, as the OCI image layout has it: crane, skopeo and oras read it without a daemon. */
export class Layout {
  readonly folder: string;
  readonly #blobs: string;

  constructor(folder: string) {
    this.folder = folder;
    this.#blobs = join(folder, 'blobs', 'sha256');
  }

  /** Adds bytes. */
  async add(mediaType: string, bytes: Uint8Array): Promise<Part> {
    await mkdir(this.#blobs, { recursive: true });
    const digest = digestOfBytes(bytes);
    await writeFile(join(this.#blobs, digest.replace('sha256:', '')), bytes);
    return { mediaType, digest, size: bytes.length };
  }

  /** Adds JSON, in the order that it is given in. */
  addJson(mediaType: string, content: object): Promise<Part> {
    return this.add(mediaType, Buffer.from(JSON.stringify(content)));
  }

  /** Adds a configuration that says nothing. */
  addEmpty(): Promise<Part> {
    return this.add(MEDIA_TYPES.empty, EMPTY);
  }

  /** Adds an archive. */
  addLayer(entries: readonly LayerEntry[]): Promise<Layer> {
    return writeLayer(this.#blobs, entries);
  }

  /** Writes the manifest, and the index that names it; what it is called by. */
  async finish(tag: string, parts: ManifestParts): Promise<Part> {
    const { artifactType, config, layers, annotations } = parts;
    const manifest = await this.addJson(MEDIA_TYPES.ociManifest, {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      ...(artifactType !== undefined && { artifactType }),
      config,
      layers,
      ...(annotations !== undefined && { annotations }),
    });
    const named = { ...manifest, annotations: { 'org.opencontainers.image.ref.name': tag } };
    const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [named] };
    await writeFile(join(this.folder, 'index.json'), JSON.stringify(index));
    await writeFile(join(this.folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    return manifest;
  }
}
