// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { attestedBy } from '#hack/sigstore/predicates';
import type { PolicyInputs } from '../core/images/inputs.ts';
import { type JudgeOrder, JudgeProcess } from './judge.ts';
import { inputsBy } from './testing/policy-inputs.ts';

const IMAGE = `sha256:${'c'.repeat(64)}`;
const BUILDER = 'https://builder.example';
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
/** What the thread that all else is done in reads of a verdict at once. */
const PIECE = 64 << 10;
const POLICIES = 64;

const PEM = publicKey.export({ type: 'spki', format: 'pem' }).toString();
const BY_BUILDER = { from: ['builder'], threshold: 1 };
const LISTED = inputsBy(PEM, { sbom: BY_BUILDER });
const BUILT = inputsBy(PEM, {
  provenance: { ...BY_BUILDER, builders: [{ id: BUILDER, level: 3 }], minLevel: 3 },
});

interface Stated {
  readonly predicateType: string;
  readonly predicate: object;
}

function orderOf({ predicateType, predicate }: Stated, policies: readonly PolicyInputs[]): JudgeOrder {
  const bytes = attestedBy(privateKey, { image: IMAGE, predicateType, predicate });
  const evidence = [{ form: 'attestation', origin: 'x', bytes, annotations: {} } as const];
  const gathered = new Map([[IMAGE, { subject: Buffer.from('{}'), evidence }]]);
  return { digest: IMAGE, gathered, policies, now: new Date() };
}

/** Counts what is read as JSON in one piece by anybody in this thread. */
function readAtOnce(t: ExecutionContext): number[] {
  const lengths: number[] = [];
  const original = JSON.parse.bind(JSON);
  JSON.parse = (text, reviver) => {
    lengths.push(text.length);
    return original(text, reviver) as unknown;
  };
  t.teardown(() => {
    JSON.parse = original;
  });
  return lengths;
}

/** Each component has a licence of its own, as whoever is trusted with a key may state. */
function licences(count: number): Stated {
  const components = Array.from({ length: count }, (_, number) => ({
    type: 'library',
    name: `part-${number}`,
    licenses: [{ license: { name: `licence ${number} of somebody` } }],
  }));
  const predicate = { bomFormat: 'CycloneDX', specVersion: '1.6', version: 1, components };
  return { predicateType: 'https://cyclonedx.org/bom', predicate };
}

test.serial('of twenty thousand licences no more is told than anybody goes by', async (t) => {
  t.timeout(120_000);
  const judge = new JudgeProcess();
  t.teardown(() => judge.close());
  const order = orderOf(licences(20_000), [LISTED]);
  const lengths = readAtOnce(t);
  const { verdicts } = await judge.judge(order);
  t.is(verdicts[0]?.outcome, 'Verified', verdicts[0]?.message);
  const sbom = verdicts[0]?.facts.sbom;
  t.like(sbom, { components: 20_000, licencesLeftOut: 20_000 - 64 });
  t.is(sbom?.licences.length, 64);
  t.true(lengths.length > 0 && Math.max(...lengths) <= PIECE, `${Math.max(...lengths)} letters at once`);
});

test.serial('what is stated at length is told by each of many policies by itself', async (t) => {
  t.timeout(120_000);
  const judge = new JudgeProcess();
  t.teardown(() => judge.close());
  const predicate = {
    buildDefinition: { buildType: 't'.repeat(1 << 20), externalParameters: { source: 's'.repeat(1 << 20) } },
    runDetails: { builder: { id: BUILDER } },
  };
  const stated = { predicateType: 'https://slsa.dev/provenance/v1', predicate };
  const policies = Array.from({ length: POLICIES }, () => ({ ...BUILT }));
  const order = orderOf(stated, policies);
  const lengths = readAtOnce(t);
  const { verdicts } = await judge.judge(order);
  t.is(verdicts.length, POLICIES);
  for (const { outcome, message, facts } of verdicts) {
    t.is(outcome, 'Verified', message);
    t.is(facts.provenance?.builder, BUILDER);
  }
  t.true(lengths.length >= POLICIES, 'each by itself');
  t.true(Math.max(...lengths) <= PIECE, `${Math.max(...lengths)} letters at once`);
});
