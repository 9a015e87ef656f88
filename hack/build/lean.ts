// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import type { OnResolveArgs, Plugin, PluginBuild } from 'esbuild';

/** A library whose modules do nothing by being loaded, though it does not say so: what is not named of it can stay out. */
const WITHOUT_EFFECTS = '@kubernetes/client-node';

/** Marks what was resolved once, so that it is not asked about again. */
const RESOLVED = Symbol('resolved');

/**
 * Leaves out of a bundle what nothing names: of the library that reads kubeconfigs 14 of its 15 MB, which are models of every kind
 * that Kubernetes has.
 */
export const lean: Plugin = {
  name: 'lean',
  setup: (build) => {
    build.onResolve({ filter: /./ }, (args) => (isLibrary(args) ? withoutEffects(build, args) : undefined));
  },
};

function isLibrary({ path, importer, pluginData }: OnResolveArgs): boolean {
  if (pluginData === RESOLVED) return false;
  return path.startsWith(WITHOUT_EFFECTS) || importer.includes(join('node_modules', WITHOUT_EFFECTS));
}

async function withoutEffects(build: PluginBuild, args: OnResolveArgs) {
  const { importer, resolveDir, kind } = args;
  const found = await build.resolve(args.path, { importer, resolveDir, kind, pluginData: RESOLVED });
  const isOwn = found.path.includes(join('node_modules', WITHOUT_EFFECTS));
  return isOwn ? { ...found, sideEffects: false } : found;
}

/**
 * The HTTP client for those who may run on an older Node: its whole needs a newer one when it is loaded, these parts do not.
 * The package is pinned, and the test of the bundle runs it there.
 */
export const partsOfUndici: Plugin = {
  name: 'parts-of-undici',
  setup: (build) => {
    build.onResolve({ filter: /^undici$/ }, ({ resolveDir }) => ({
      path: 'undici',
      namespace: 'parts',
      pluginData: resolveDir,
    }));
    build.onLoad({ filter: /./, namespace: 'parts' }, ({ pluginData: resolveDir }) => ({
      contents: PARTS,
      resolveDir: String(resolveDir),
    }));
  },
};

const PARTS = `
import Agent from 'undici/lib/dispatcher/agent.js';
import buildConnector from 'undici/lib/core/connect.js';
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';
import * as api from 'undici/lib/api/index.js';
import ProxyAgent from 'undici/lib/dispatcher/proxy-agent.js';
// As the whole does when it is loaded.
Object.assign(Dispatcher.prototype, api.default);
const { fetch } = globalThis;
export { Agent, buildConnector, fetch, ProxyAgent };
`;
