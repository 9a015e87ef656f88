// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import type { OnResolveArgs, Plugin, PluginBuild } from 'esbuild';

/** A library whose modules do nothing by being loaded, though it does not say so: what is not named of it can stay out. */
const WITHOUT_EFFECTS = '@kubernetes/client-node';

/** Marks what was resolved once, so that it is not asked about again. */
const RESOLVED = Symbol('resolved');

/**
 * What stands in place of the lists of all that the library has: what reads kubeconfigs, and what that asks for. Whoever names something else of the
 * library is told so when it is bundled. The rest (clients and models of every kind that Kubernetes has, 15 MB) would be left out as well, but only
 * after each bundle had read all of it.
 */
const LISTS: Readonly<Record<string, string>> = {
  'dist/index.js': "export * from './config.js';",
  'dist/gen/index.js': `
export { createConfiguration } from './configuration.js';
export { ServerConfiguration } from './servers.js';
`,
};

/** A library of traces, that one of metrics asks for exemplars by: there are none (operator/telemetry). It is a fiftieth of the operator. */
const TRACES = '@opentelemetry/api';

/** Forms of what others let Sigstore verify: nobody here reads or writes them, and their library brings all of its forms along. */
const VERIFICATIONS = /[\\/]protobuf-specs[\\/]dist[\\/]__generated__[\\/]sigstore_verification\.js$/;

/** What has logs written by other threads, and brings along what starts these: each process writes its own. A hundredth of the operator. */
const LOG_THREADS = /[\\/]pino[\\/]lib[\\/]transport\.js$/;
const NO_LOG_THREADS = `module.exports = () => { throw new Error('logs are written by the process itself'); };`;

/**
 * Leaves out of a bundle what nothing asks for: of the library that reads kubeconfigs nearly all, without even looking at it, traces, some forms, and
 * threads that write logs.
 */
export const lean: Plugin = {
  name: 'lean',
  setup: (build) => {
    build.onResolve({ filter: /./ }, (args) => (isLibrary(args) ? withoutEffects(build, args) : undefined));
    build.onLoad({ filter: /[\\/]client-node[\\/]dist[\\/](?:gen[\\/])?index\.js$/ }, ({ path }) => {
      const found = Object.entries(LISTS).find(([file]) => path.endsWith(join(WITHOUT_EFFECTS, file)));
      return found === undefined ? undefined : { contents: found[1], resolveDir: dirname(path) };
    });
    build.onResolve({ filter: /^@opentelemetry\/api$/ }, () => ({ path: TRACES, namespace: 'absent' }));
    build.onLoad({ filter: /./, namespace: 'absent' }, () => ({ contents: 'module.exports = {};' }));
    build.onLoad({ filter: VERIFICATIONS }, () => ({ contents: 'module.exports = {};' }));
    build.onLoad({ filter: LOG_THREADS }, () => ({ contents: NO_LOG_THREADS }));
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

/** What is in a library and never asked for, by what its path ends with, and what stands in its place. */
const NEVER_ASKED: Readonly<Record<string, string>> = {
  // A parser of undici that somebody has to ask for by a variable.
  'undici/lib/milo/simd.js': notHere('UNDICI_USE_MILO'),
  'undici/lib/milo/no-simd.js': notHere('UNDICI_USE_MILO'),
  // Copies files into pods.
  'tar-fs/index.js': 'module.exports = {};',
  // Kubeconfigs are read by the library that everything else is read by.
  'js-yaml/dist/js-yaml.mjs': `
import { parse, stringify } from 'yaml';
export const load = (text) => parse(text, { merge: true });
export const dump = (value) => stringify(value);
`,
};

function notHere(variable: string): string {
  return `throw new Error('${variable}: it is not part of this program');`;
}

/** Texts for people on what each metric of CVSS means: a third of the library, and nothing that is scored by. */
const DESCRIPTIONS = /\bdescription:"(?:[^"\\]|\\.)*"(?:,|(?=\}))/g;

/** Leaves out of one file what no command of ours ever asks for. */
export const neverAsked: Plugin = {
  name: 'never-asked',
  setup: (build) => {
    build.onLoad(
      { filter: /[\\/](?:milo[\\/][a-z-]+\.js|js-yaml\.mjs|tar-fs[\\/]index\.js)$/ },
      ({ path }) => {
        const found = Object.entries(NEVER_ASKED).find(([end]) => path.endsWith(join(end)));
        return found === undefined ? undefined : { contents: found[1], resolveDir: import.meta.dirname };
      },
    );
    build.onLoad({ filter: /[\\/]ae-cvss-calculator\.js$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replaceAll(DESCRIPTIONS, ''),
    }));
  },
};

/**
 * Traces that figures could point to: nobody asks for that, and the library that figures are kept with brings all of another one along for
 * it.
 */
export const noTraces: Plugin = {
  name: 'no-traces',
  setup: (build) => {
    build.onResolve({ filter: /^@opentelemetry\/api$/ }, () => ({ path: 'traces', namespace: 'none' }));
    build.onLoad({ filter: /./, namespace: 'none' }, () => ({ contents: NO_TRACES, loader: 'js' }));
  },
};

const NO_TRACES = `
export const trace = { getSpan: () => undefined };
export const context = { active: () => undefined };
`;

/** What schemas say to people: nothing is held against it. */
const FOR_PEOPLE: Readonly<Record<string, (value: unknown) => boolean>> = {
  $comment: (value) => typeof value === 'string',
  description: (value) => typeof value === 'string',
  title: (value) => typeof value === 'string',
  examples: (value) => Array.isArray(value),
  'meta:enum': () => true,
};

const SCHEMA_FILES = /[\\/](?:res[\\/]schema|supply-chain[\\/]spdx)[\\/][^\\/]+\.schema\.json$/;

/** Packs schemas of bills of materials, of which two thirds are words for people: a megabyte otherwise. */
export const schemas: Plugin = {
  name: 'schemas',
  setup: (build) => {
    build.onLoad({ filter: SCHEMA_FILES }, async ({ path }) => {
      const schema: unknown = JSON.parse(await readFile(path, 'utf8'), (key, value: unknown) =>
        Object.hasOwn(FOR_PEOPLE, key) && FOR_PEOPLE[key]?.(value) === true ? undefined : value,
      );
      const packed = deflateRawSync(JSON.stringify(schema), { level: 9 }).toString('base64');
      return {
        contents: `import { inflateRawSync } from 'node:zlib';
export default JSON.parse(inflateRawSync(Buffer.from('${packed}', 'base64')).toString('utf8'));`,
        loader: 'js',
      };
    });
  },
};

/** What a field is for, as a text: the schema of the API server has that, and who parses has no use for it. */
const DESCRIBED = /\.describe\(\s*(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"),?\s*\)/g;

/** Leaves out of our kinds what they say to people: it is in their CustomResourceDefinitions, which no role makes. */
export const undescribed: Plugin = {
  name: 'undescribed',
  setup: (build) => {
    build.onLoad({ filter: /[\\/]crds[\\/]v1alpha1[\\/][a-z-]+\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replaceAll(DESCRIBED, ''),
      loader: 'ts',
    }));
  },
};

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
