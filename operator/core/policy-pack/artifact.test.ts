// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import type { Failure } from '../oci/answer.ts';
import { digestOfBytes } from '../oci/digest.ts';
import type { Descriptor, Index, Manifest } from '../oci/manifest.ts';
import { artifactFault, PACK_LAYER_TYPES, packLayerOf } from './artifact.ts';

const digest = digestOfBytes(Buffer.from('x'));
const LAYER: Descriptor = { mediaType: PACK_LAYER_TYPES[0] ?? '', digest, size: 100, annotations: {} };
const DOCUMENT = { digest, mediaType: 'application/x', bytes: new Uint8Array(), annotations: {} };
const MANIFEST: Manifest = {
  ...DOCUMENT,
  kind: 'manifest',
  artifactType: 'a/b',
  config: LAYER,
  layers: [LAYER],
};
const INDEX: Index = { ...DOCUMENT, kind: 'index', manifests: [LAYER] };

test('the one layer is the bundle, by either of its types, whatever the artifact calls itself', (t) => {
  for (const mediaType of PACK_LAYER_TYPES) {
    const layer = { ...LAYER, mediaType };
    t.deepEqual(packLayerOf({ ...MANIFEST, layers: [layer] }, 100), { kind: 'ok', layer });
  }
});

const WRONG: Readonly<Record<string, readonly [document: Manifest | Index, reason: string]>> = {
  'a list': [INDEX, 'InvalidSource'],
  'no layer': [{ ...MANIFEST, layers: [] }, 'InvalidSource'],
  'two layers': [{ ...MANIFEST, layers: [LAYER, LAYER] }, 'InvalidSource'],
  'another type': [{ ...MANIFEST, layers: [{ ...LAYER, mediaType: 'application/x' }] }, 'InvalidSource'],
  'too large': [{ ...MANIFEST, layers: [{ ...LAYER, size: 101 }] }, 'SourceTooLarge'],
};

for (const [title, [document, reason]] of Object.entries(WRONG)) {
  test(`no pack: ${title}`, (t) => {
    t.like(packLayerOf(document, 100), { kind: 'fault', fault: { reason, passing: false } });
  });
}

const FAULTS: Readonly<Record<string, readonly [failure: Failure, want: object]>> = {
  absent: [
    { kind: 'absent', message: 'm' },
    { reason: 'SourceNotFound', passing: true },
  ],
  'refused by us': [
    { kind: 'refused', by: 'Platform', message: 'm' },
    { reason: 'SourceRefused', passing: false },
  ],
  'refused by it': [
    { kind: 'refused', by: 'Registry', message: 'm' },
    { reason: 'SourceForbidden', passing: true },
  ],
  'throttled for long': [
    { kind: 'throttled', message: 'm', retryAfterMs: 90_000 },
    { reason: 'SourceThrottled', passing: true, againMs: 90_000 },
  ],
  'throttled shortly: not sooner than soon': [
    { kind: 'throttled', message: 'm', retryAfterMs: 1 },
    { reason: 'SourceThrottled', passing: true, againMs: undefined },
  ],
  unreachable: [
    { kind: 'unreachable', message: 'm' },
    { reason: 'SourceUnavailable', passing: true },
  ],
  // Who mends the registry need not touch the pack.
  'a lie': [
    { kind: 'broken', message: 'm' },
    { reason: 'SourceCorrupt', passing: true },
  ],
};

for (const [title, [failure, want]] of Object.entries(FAULTS)) {
  test(`told: ${title}`, (t) => {
    const fault = artifactFault(failure, { pullSecretName: undefined });
    t.like(fault, want);
    t.regex(fault.message, /^spec\.source\.oci/);
  });
}
