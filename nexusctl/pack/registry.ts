// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Failure } from '#operator/core/oci/answer';
import { ANONYMOUS, keychainOf, type Keychain, readDockerConfig } from '#operator/core/oci/credentials';
import { parseReference, type Reference } from '#operator/core/oci/reference';
import type { RequesterOptions } from '#operator/oci/requester';
import { type Call, CommandError, EXIT, type Flag, flagValue } from '../cli/command.ts';

/** Flags of all commands that speak to a registry. */
export const REGISTRY_FLAGS: readonly Flag[] = [
  {
    name: 'registry-config',
    value: 'FILE',
    what: 'credentials, as docker keeps them in config.json; else NEXUSCTL_REGISTRY_CONFIG, else that of docker',
  },
  { name: 'registry-ca', value: 'FILE', what: 'certificates, as PEM, that vouch for the registry' },
  { name: 'plain-http', what: 'the registry speaks http' },
];

/** A registry that can be asked. */
export interface OpenRegistry {
  readonly reference: Reference;
  readonly options: RequesterOptions;
  readonly keychain: Keychain;
}

/** Reads what is needed to ask the registry of `text`, a reference such as ghcr.io/acme/packs/images:1.0.0. */
export async function openRegistry(call: Call, text: string): Promise<OpenRegistry> {
  const read = parseReference(text.replace(/^oci:\/\//, ''));
  if (read.kind === 'refused')
    throw new CommandError(
      EXIT.usage,
      `${text} is no reference: found ${read.found}; wanted is ${read.wanted}`,
    );
  const { reference } = read;
  const caFile = flagValue(call, 'registry-ca');
  const ca = caFile === undefined ? undefined : await readFile(resolve(call.cwd, caFile), 'utf8');
  const isPlainHttp = call.flags['plain-http'] === true;
  // Who runs this asks by himself, and may ask what he likes: in a network of his own as well.
  const rules = { isPrivate: true, ...(ca !== undefined && { ca }) };
  const registries = [{ host: reference.registry, ...rules, isPlainHttp }];
  return {
    reference,
    options: { registries, others: { ...rules, isPlainHttp } },
    keychain: await keychainFor(call),
  };
}

async function keychainFor(call: Call): Promise<Keychain> {
  const named = flagValue(call, 'registry-config') ?? call.env['NEXUSCTL_REGISTRY_CONFIG'];
  const usual = join(
    call.env['DOCKER_CONFIG'] ?? join(call.env['HOME'] ?? homedir(), '.docker'),
    'config.json',
  );
  const path = named === undefined ? usual : resolve(call.cwd, named);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    // Many have none: they are nobody in particular.
    if (named === undefined && error.code === 'ENOENT') return '{}';
    throw new CommandError(EXIT.usage, `${path} cannot be read (${error.code ?? error.name})`);
  });
  const read = readDockerConfig(text);
  if (read.kind === 'refused')
    throw new CommandError(EXIT.usage, `${path}: found ${read.found}; wanted is ${read.wanted}`);
  return read.config.entries.length === 0 ? ANONYMOUS : keychainOf([read.config]);
}

/** What a command ends with when a registry did not do what was asked. */
export function registryError(failure: Failure): CommandError {
  const isAnswered = failure.kind === 'absent' || failure.kind === 'broken';
  return new CommandError(isAnswered ? EXIT.no : EXIT.unavailable, failure.message);
}
