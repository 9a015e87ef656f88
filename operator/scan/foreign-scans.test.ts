// SPDX-License-Identifier: Apache-2.0
import test from 'ava';
import { eventually } from '#hack/tools/eventually';
import { ApiError } from '../runtime/api-error.ts';
import type { Client } from '../runtime/client.ts';
import { PolicyJudge } from './judge.ts';
import { PolicyScanner } from './scanner.ts';
import { createScanWorld, denying, SILENT_LOG } from './testing/scan-world.ts';

const LABELLED = denying('input.review.object.metadata.labels.tier == "web"');

test('kinds of others that cannot be read are left out of the packs that are about them, and of no other', async (t) => {
  const world = await createScanWorld();
  t.teardown(() => world.close());
  const [namespace = ''] = world.namespaces;
  await world.service(namespace, 'web', { tier: 'web' });
  const foreignKinds = ['gone', 'broken'].map((name) => ({
    apiVersion: `${name}.example.com/v1`,
    kind: 'Widget',
    plural: 'widgets',
    namespaced: true,
  }));
  const client: Pick<Client, 'list'> = {
    // What converts them is down.
    async *list(resource, selection) {
      if (resource.apiVersion.startsWith('broken'))
        throw new ApiError({
          status: 500,
          code: 'internal_error',
          reason: 'InternalError',
          message: 'conversion',
        });
      yield* world.client.list(resource, selection);
    },
  };
  const { platformNamespace, metrics, host } = world;
  const judge = new PolicyJudge({
    client: world.client,
    platformNamespace,
    evaluate: (one) => host.evaluate(one),
  });
  const scanner = new PolicyScanner({
    client,
    judge,
    metrics,
    log: SILENT_LOG,
    intervalMs: 200,
    soonMs: 10,
    foreignKinds,
  });
  const asked = await Promise.all(
    ['gone.example.com', 'broken.example.com', ''].map(async (apiGroup, at) => {
      const pack = world.pack(`apart-${at}`);
      const binding = {
        rules: [{ apiGroups: [apiGroup], resources: [apiGroup === '' ? 'services' : 'widgets'] }],
      };
      const revision = await world.revision(pack, { name: `apart-${at}-1`, rego: LABELLED, binding });
      return { pack, revision, world: world.world() };
    }),
  );
  const scans = await eventually('all are scanned', async () => {
    const answers = asked.map((one) => scanner.ask(one));
    // A round in which a module was not ready to be asked in time, as on a busy machine, is complete for nobody.
    const isWhole = answers.some((one) => one?.complete === true);
    return isWhole && answers.every((one) => one !== undefined) ? answers : undefined;
  });
  t.deepEqual(
    scans.map((one) => one?.complete),
    [false, false, true],
  );
  await scanner.close();
});
